//! Whether someone speaks (Silero VAD): convolutions and an LSTM, 32 ms of sound at a time.

use seqwright::session::{Backend, Streamer, weights};
use seqwright::stream::Chunk;
use seqwright::tiles::Instructions;
use seqwright_tests::backends::everywhere;
use seqwright_tests::goldens::{Case, floats, shown};
use seqwright_tests::published::{folder, published};
use seqwright_tests::random::Random;
use std::path::Path;

fn case(folder: &Path) -> Case {
    published("silero_vad", folder, "silero_vad/io.safetensors")
}

/// What ONNX Runtime's kernels round differently.
const TOLERANCE: f32 = 1e-5;

/// The probabilities of one sequence that comes in pieces: so many samples' chunks at a time as `next` says.
fn heard(streamer: &mut Streamer, sound: &[f32], samples: usize, next: &mut dyn FnMut() -> usize) -> Vec<f32> {
    let (id, _) = streamer.model().inputs().next().expect("a sound");
    let place = streamer.stream().begin();
    let mut speech = Vec::new();
    let mut rest = sound;
    while !rest.is_empty() {
        let count = next().min(rest.len() / samples);
        let (new, later) = rest.split_at(count * samples);
        rest = later;
        let mut chunk = Chunk { places: vec![place], lengths: vec![vec![count]], ..Chunk::default() };
        chunk.inputs.insert(id, new.to_vec());
        let results = shown(streamer.run(&chunk));
        assert_eq!(results[0].counts, [count]);
        speech.extend_from_slice(&results[0].numbers);
    }
    streamer.stream().end(place);
    speech
}

#[test]
fn chunks_have_the_probabilities_of_onnx_runtime() {
    let Some(folder) = folder("silero_vad") else { return };
    let case = case(&folder);
    let loaded = shown(weights(&case.checked, Some(&case.checkpoint)));
    let (sound, expected) = (floats(&case.io.inputs["sound"]), floats(&case.io.outputs["speech"]));
    assert!(expected.len() >= 300);
    for tenth in 0..10 {
        let low = tenth as f32 / 10.0;
        assert!(expected.iter().any(|speech| (low..low + 0.1).contains(speech)), "no chunk is near {low}");
    }
    for backend in everywhere() {
        let mut streamer = shown(Streamer::new(&case.checked, &loaded, backend));
        let stream = heard(&mut streamer, &sound, 512, &mut || 1);
        for (chunk, (got, wanted)) in stream.iter().zip(&expected).enumerate() {
            assert!((got - wanted).abs() < TOLERANCE, "chunk {chunk}: {got} instead of {wanted}");
        }
        assert_eq!(stream.len(), expected.len());

        // The whole sound at once, and in pieces of any size: on the processor bit for bit.
        let runner = case.runner(backend);
        let same = |got: &[f32]| match backend {
            Backend::Cpu(..) => got.iter().zip(&stream).all(|(got, wanted)| got.to_bits() == wanted.to_bits()),
            _ => got.iter().zip(&expected).all(|(got, wanted)| (got - wanted).abs() < TOLERANCE),
        };
        assert!(same(&shown(runner.run(&case.batch()))[0]), "{backend:?}");
        let mut random = Random(5);
        assert!(same(&heard(&mut streamer, &sound, 512, &mut || random.below(9))), "{backend:?}");
    }
}

/// Two microphones at once: one sound, heard from different chunks on, each judged as if alone.
#[test]
fn sounds_that_begin_at_different_times_share_a_run() {
    let Some(folder) = folder("silero_vad") else { return };
    let case = case(&folder);
    let loaded = shown(weights(&case.checked, Some(&case.checkpoint)));
    let sound = floats(&case.io.inputs["sound"]);
    let mut streamer = shown(Streamer::new(&case.checked, &loaded, Backend::Cpu(Instructions::best(), 1)));
    let alone: Vec<Vec<f32>> =
        [0, 100].iter().map(|from| heard(&mut streamer, &sound[from * 512..], 512, &mut || 1)).collect();
    let (id, _) = streamer.model().inputs().next().expect("a sound");
    let (one, mut two) = (streamer.stream().begin(), None);
    for (number, new) in sound.chunks(512).enumerate() {
        if number == 100 {
            two = Some(streamer.stream().begin());
        }
        let places: Vec<usize> = std::iter::once(one).chain(two).collect();
        let mut chunk = Chunk { lengths: vec![vec![1; places.len()]], ..Chunk::default() };
        chunk.inputs.insert(id, new.repeat(places.len()));
        chunk.places = places;
        let results = shown(streamer.run(&chunk));
        assert_eq!(results[0].numbers[0].to_bits(), alone[0][number].to_bits(), "chunk {number}");
        if let Some(speech) = results[0].numbers.get(1) {
            assert_eq!(speech.to_bits(), alone[1][number - 100].to_bits(), "chunk {number} of the second");
        }
    }
}

/// What is kept between chunks: the recurrence's values and the chunk before, however long the sound.
#[test]
fn a_stream_needs_no_more_memory_the_longer_it_is() {
    let Some(folder) = folder("silero_vad") else { return };
    let case = case(&folder);
    let loaded = shown(weights(&case.checked, Some(&case.checkpoint)));
    let sound = floats(&case.io.inputs["sound"]);
    let mut streamer = shown(Streamer::new(&case.checked, &loaded, Backend::Cpu(Instructions::best(), 1)));
    let (id, _) = streamer.model().inputs().next().expect("a sound");
    let place = streamer.stream().begin();
    let mut bytes = Vec::new();
    for new in sound.chunks(512) {
        let mut chunk = Chunk { places: vec![place], lengths: vec![vec![1]], ..Chunk::default() };
        chunk.inputs.insert(id, new.to_vec());
        shown(streamer.run(&chunk));
        bytes.push(streamer.stream().bytes());
    }
    assert!(bytes.iter().all(|after| *after == bytes[0]), "{bytes:?}");
    assert_eq!(bytes[0], 4 * (2 * 128 + 512));
}
