//! Writing token by token: what another program generated, the numbers at the last position alone, and batches.

use seqwright::generate::{Continuation, Ended, Generator, Given, Sampling, Settings, Start, Task, split, write};
use seqwright::session::{Backend, Checked, Request, Streamer, check, weights};
use seqwright::stream::Chunk;
use seqwright::tiles::Instructions;
use seqwright::weights::{Io, Loaded};
use seqwright_compiler::model::ValueKind;
use seqwright_compiler::stream::at_last;
use seqwright_compiler::term::ValueId;
use seqwright_tests::goldens::{case, integers, shown};
use seqwright_tests::random::{Random, random_inputs};
use seqwright_tests::sources::repository;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

fn backends() -> Vec<Backend> {
    let cpus = Instructions::available().into_iter().map(|instructions| Backend::Cpu(instructions, 2));
    cpus.chain([Backend::Interpreter]).collect()
}

fn settings(most: usize) -> Settings<'static> {
    Settings {
        sampling: Sampling::default(),
        seed: 0,
        most,
        ends: BTreeSet::new(),
        context: None,
        interrupted: &|| false,
    }
}

/// What is written from prompts.
fn written(generator: &mut Generator, prompts: &[(Given, Vec<u32>)], settings: &Settings) -> Vec<Continuation> {
    let starts: Vec<Start> = prompts
        .iter()
        .map(|(given, prompt)| Start { place: generator.begin(given.clone()), prompt: prompt.clone() })
        .collect();
    let written = shown(write(generator, &starts, settings, &mut [], &mut |_| ControlFlow::Continue(())));
    starts.iter().for_each(|start| generator.end(start.place));
    written.continuations
}

#[test]
fn the_golden_continuations_come_token_by_token() {
    for name in ["gpt2", "llama"] {
        let case = case(name);
        let loaded = shown(weights(&case.checked, Some(&case.checkpoint)));
        let io = Io::open(&repository().join("tests/goldens").join(name).join("io.safetensors")).unwrap();
        let (prompt, greedy) = (&io.inputs["prompt"], &io.outputs["greedy"]);
        let (length, total) = (prompt.shape()[1], greedy.shape()[1]);
        let prompts: Vec<(Given, Vec<u32>)> = integers(prompt)
            .chunks(length)
            .map(|row| (Given::default(), row.iter().map(|token| *token as u32).collect()))
            .collect();
        for backend in backends() {
            let mut generator = shown(Generator::new(&case.checked, &loaded, None, backend));
            let found = written(&mut generator, &prompts, &settings(total - length));
            for (one, wanted) in found.iter().zip(integers(greedy).chunks(total)) {
                let wanted: Vec<u32> = wanted[length..].iter().map(|token| *token as u32).collect();
                assert_eq!(one.tokens, wanted, "{name} on {backend:?}");
                assert_eq!(one.ended, Ended::Most(total - length));
            }
        }
    }
}

/// Models that generate, with random weights: a decoder alone, and one that reads another sequence.
fn generators() -> Vec<(Checked, Loaded)> {
    let mut all = Vec::new();
    for (name, loaded) in ["gpt2", "llama"].map(case).map(|case| {
        let loaded = shown(weights(&case.checked, Some(&case.checkpoint)));
        (case.checked, loaded)
    }) {
        all.push((name, loaded));
    }
    let file = repository().join("tests/fixtures/streaming/translation.seq");
    let checked = shown(check(&Request { file, ..Request::default() }, None));
    let (loaded, _) = random_inputs(&checked, &[1], &mut Random(2));
    all.push((checked, loaded));
    all
}

/// Prompts of these lengths, with what else the model is given.
fn prompts(checked: &Checked, lengths: &[usize]) -> Vec<(Given, Vec<u32>)> {
    let task = shown(Task::of(checked, None));
    let (_, batch) = random_inputs(checked, lengths, &mut Random(5));
    split(&checked.model, &task, &batch)
}

#[test]
fn the_last_position_s_numbers_are_those_among_all() {
    for (mut checked, loaded) in generators() {
        let task = shown(Task::of(&checked, None));
        checked.outputs = vec![(task.name.clone(), task.logits)];
        let backend = Backend::Cpu(Instructions::best(), 2);
        let mut generator = shown(Generator::new(&checked, &loaded, None, backend));
        let mut streamer = shown(Streamer::new(&checked, &loaded, Backend::Cpu(Instructions::best(), 2)));
        for (given, tokens) in prompts(&checked, &[23, 9]) {
            let (place, other) = (generator.begin(given.clone()), streamer.stream().begin());
            let mut done = 0;
            for new in [1, 3, 1, 0, 7, 1, 10].into_iter().map(|new: usize| new.min(tokens.len())) {
                let new = new.min(tokens.len() - done);
                let own = &tokens[done..done + new];
                let last = shown(generator.feed(&[(place, own)])).remove(0);
                let mut chunk = Chunk { places: vec![other], ..Chunk::default() };
                for (number, length) in given.lengths.iter().enumerate() {
                    let along = number == task.time.0 as usize;
                    chunk.lengths.push(vec![if along {
                        new
                    } else if done == 0 {
                        *length
                    } else {
                        0
                    }]);
                }
                if done == 0 {
                    chunk.inputs = given.inputs.clone();
                }
                chunk.inputs.insert(task.tokens, own.iter().map(|token| *token as f32).collect());
                let all = shown(streamer.run(&chunk)).remove(0).numbers;
                if new > 0 {
                    let bits = |numbers: &[f32]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
                    assert_eq!(bits(&last), bits(&all[(new - 1) * task.vocabulary..]), "{}", checked.model.name);
                }
                done += new;
            }
        }
    }
}

#[test]
fn only_what_is_needed_there_moves_to_the_last_position() {
    let mut text = String::new();
    for (checked, _) in generators() {
        let task = shown(Task::of(&checked, None));
        let (model, last) = at_last(&checked.model, task.logits, task.time);
        assert_eq!(model.values.len() - 1, last.0 as usize);
        text.push_str(&format!("{}\n", model.name));
        for value in &model.values[checked.model.values.len()..] {
            let ValueKind::Equation(equation) = &value.kind else { panic!("{} is no equation", value.path) };
            text.push_str(&format!("  {}\n", model.print_equation(value, equation)));
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn what_is_written_does_not_depend_on_the_batch() {
    for (checked, loaded) in generators() {
        let prompts = prompts(&checked, &[1, 13, 40, 2, 7]);
        let drawn = Settings {
            sampling: Sampling { temperature: 1.5, top_p: Some(0.95), ..Sampling::default() },
            seed: 3,
            ..settings(12)
        };
        for settings in [settings(12), drawn] {
            let backend = Backend::Cpu(Instructions::best(), 2);
            let mut generator = shown(Generator::new(&checked, &loaded, None, backend));
            let together = written(&mut generator, &prompts, &settings);
            for (number, prompt) in prompts.iter().enumerate() {
                // Among short ones, at the same place.
                let mut others: Vec<(Given, Vec<u32>)> = vec![prompts[0].clone(); number];
                others.push(prompt.clone());
                let alone = written(&mut generator, &others, &settings).pop().unwrap();
                assert_eq!(alone, together[number], "{}, prompt {number}", checked.model.name);
            }
        }
    }
}

#[test]
fn a_long_prompt_is_read_in_parts() {
    let file = repository().join("tests/fixtures/streaming/translation.seq");
    let checked = shown(check(&Request { file, ..Request::default() }, None));
    let (loaded, _) = random_inputs(&checked, &[1], &mut Random(2));
    let prompts = prompts(&checked, &[700, 3, 300]);
    let backend = Backend::Cpu(Instructions::best(), 2);
    let mut generator = shown(Generator::new(&checked, &loaded, None, backend));
    let in_parts = written(&mut generator, &prompts, &settings(5));
    for (number, (given, tokens)) in prompts.iter().enumerate() {
        let place = generator.begin(given.clone());
        // All at once, which gives the same numbers.
        let mut logits = shown(generator.feed(&[(place, tokens)])).remove(0);
        for token in &in_parts[number].tokens {
            let most = (0..logits.len()).max_by(|one, two| logits[*one].total_cmp(&logits[*two]).then(two.cmp(one)));
            assert_eq!(most, Some(*token as usize), "prompt {number}");
            logits = shown(generator.feed(&[(place, &[*token])])).remove(0);
        }
    }
}

#[test]
fn sequences_fork_end_and_interrupt() {
    let (checked, loaded) = generators().swap_remove(1);
    for backend in [Backend::Cpu(Instructions::best(), 1), Backend::Interpreter] {
        let mut generator = shown(Generator::new(&checked, &loaded, None, backend));
        let place = generator.begin(Given { lengths: vec![0], ..Given::default() });
        shown(generator.feed(&[(place, &[3, 1, 4])]));
        let fork = shown(generator.fork(place));
        let one = shown(generator.feed(&[(place, &[1])]));
        let two = shown(generator.feed(&[(fork, &[1])]));
        assert_eq!(one, two);
        assert_eq!((generator.position(place), generator.position(fork)), (4, 4));
        generator.end(fork);
        assert_eq!(generator.begin(Given::default()), fork);
        let start = [Start { place, prompt: vec![5] }];
        let stopped = Settings { interrupted: &|| true, ..settings(9) };
        let none = shown(write(&mut generator, &start, &stopped, &mut [], &mut |_| ControlFlow::Continue(())));
        assert_eq!(none.continuations, [Continuation { tokens: vec![], ended: Ended::Interrupted }]);
        let mut count = 0;
        let three = shown(write(&mut generator, &start, &settings(9), &mut [], &mut |event| {
            count += usize::from(event.token.is_some());
            if count == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }));
        assert_eq!((three.continuations[0].tokens.len(), &three.continuations[0].ended), (3, &Ended::Interrupted));
        assert_eq!(generator.position(place), 4 + 1 + 2);
    }
}

#[test]
fn tokens_that_the_model_does_not_have_are_errors() {
    let (checked, loaded) = generators().swap_remove(0);
    let mut generator = shown(Generator::new(&checked, &loaded, None, Backend::Cpu(Instructions::best(), 1)));
    assert_eq!(generator.limit(), Some((64, "wpe")));
    let place = generator.begin(Given::default());
    let failure = generator.feed(&[(place, &[101])]).unwrap_err().render(false);
    assert_eq!(failure, "error: there is no token 101: those of the model are below 101\n");
    assert_eq!(generator.task().tokens, ValueId(0));
    assert!(Generator::new(&case("bert").checked, &loaded, None, Backend::Cpu(Instructions::best(), 1)).is_err());
}
