//! Phonemes to letters (hama): a language model with a prefix that sees all of itself, as one sequence (`hama.seq`) and with
//! the prefix as a sequence of its own (`hama_stepwise.seq`).

use seqwright::batch::Batch;
use seqwright::session::{Backend, Request, Runner, Streamer, check, lower_chunks, weights};
use seqwright::tiles::Instructions;
use seqwright::tokenizer::Tokenizer;
use seqwright::weights::Checkpoint;
use seqwright_tests::backends::everywhere;
use seqwright_tests::goldens::{example, shown};
use seqwright_tests::greedy::{Prompt, arg_max, continue_greedily};
use seqwright_tests::published::{Greedy, folder, published};
use std::path::Path;

fn program(name: &str, folder: &Path) -> (seqwright::session::Checked, seqwright::weights::Loaded) {
    let checkpoint = Checkpoint::open(folder).unwrap_or_else(|error| panic!("{error}"));
    let checked = shown(check(&Request { file: example(name), ..Request::default() }, Some(&checkpoint)));
    let loaded = shown(weights(&checked, Some(&checkpoint)));
    (checked, loaded)
}

#[test]
fn letters_come_one_at_a_time() {
    let Some(folder) = folder("hama") else { return };
    let known = Greedy::read("hama");
    let (checked, loaded) = program("hama_stepwise", &folder);
    let tokenizer = Tokenizer::open(&folder.join("tokenizer.json")).expect("the tokenizer is whole");
    let prompts: Vec<Prompt> = known
        .cases
        .iter()
        .map(|line| {
            let source: Vec<usize> =
                tokenizer.encode(&line.text).expect("phonemes").iter().map(|token| *token as usize).collect();
            assert_eq!(source, line.tokens, "{}", line.text);
            // `<tgt>` is in both sequences.
            Prompt { tokens: source[source.len() - 1..].to_vec(), source: Some(source) }
        })
        .collect();
    for backend in everywhere() {
        let mut streamer = shown(Streamer::new(&checked, &loaded, backend));
        let written = continue_greedily(&mut streamer, &prompts, known.end, known.at_most);
        for (written, line) in written.iter().zip(&known.cases) {
            assert_eq!(*written, line.greedy, "{}", line.text);
        }
    }
    let hello = known.cases.iter().find(|line| line.text == "h ə l oʊ | w ɝ l d").expect("the line is there");
    let ids: Vec<i64> = hello.greedy.iter().map(|token| *token as i64).collect();
    assert_eq!(tokenizer.decode(&ids).expect("letters"), "hello world");
    assert_eq!(hello.result, "hello world");
}

/// Each line as one sequence with the letters that should come: where every arg max is the next of them, so is what would be
/// written one after the other, for a letter sees only those before.
#[test]
fn whole_lines_have_the_same_letters() {
    let Some(folder) = folder("hama") else { return };
    let known = Greedy::read("hama");
    let (checked, loaded) = program("hama", &folder);
    let runner = shown(Runner::new(&checked, &loaded, Backend::Cpu(Instructions::best(), 2)));
    let (tokens, _) = checked.model.inputs().next().expect("tokens");
    for lines in known.cases.chunks(8) {
        let rows: Vec<Vec<usize>> =
            lines.iter().map(|line| [&line.tokens[..], &line.greedy[..line.greedy.len() - 1]].concat()).collect();
        let mut batch = Batch { sequences: rows.len(), ..Batch::default() };
        batch.lengths.push(rows.iter().map(Vec::len).collect());
        batch.inputs.insert(tokens, rows.concat().iter().map(|token| *token as f32).collect());
        let logits = shown(runner.run(&batch)).remove(0);
        let vocabulary = logits.len() / rows.concat().len();
        let mut positions = logits.chunks(vocabulary);
        for line in lines {
            let chosen: Vec<usize> =
                positions.by_ref().skip(line.tokens.len() - 1).take(line.greedy.len()).map(arg_max).collect();
            assert_eq!(chosen, line.greedy, "{}", line.text);
        }
    }
}

/// Written letter by letter without the stepwise file: each letter needs a run over all that is there.
#[test]
fn a_line_grows_by_whole_runs() {
    let Some(folder) = folder("hama") else { return };
    let known = Greedy::read("hama");
    let (checked, loaded) = program("hama", &folder);
    let runner = shown(Runner::new(&checked, &loaded, Backend::Cpu(Instructions::best(), 2)));
    let (id, _) = checked.model.inputs().next().expect("tokens");
    let line = &known.cases[0];
    let mut tokens = line.tokens.clone();
    while tokens.len() < line.tokens.len() + line.greedy.len() {
        let mut batch = Batch { sequences: 1, lengths: vec![vec![tokens.len()]], ..Batch::default() };
        batch.inputs.insert(id, tokens.iter().map(|token| *token as f32).collect());
        let logits = shown(runner.run(&batch)).remove(0);
        tokens.push(arg_max(&logits[logits.len() / tokens.len() * (tokens.len() - 1)..]));
    }
    assert_eq!(tokens[line.tokens.len()..], line.greedy);
}

/// What goes into the logits, in float64 by code that knows neither file: see the fixture's README.
#[test]
fn both_files_give_the_numbers_of_the_model() {
    let Some(folder) = folder("hama") else { return };
    for (name, io) in [("hama", "hama/io.safetensors"), ("hama_stepwise", "hama/io_stepwise.safetensors")] {
        let case = published(name, &folder, io);
        for backend in everywhere() {
            let error = case.largest_error(&case.runner(backend), &case.batch());
            assert!(error < 1e-5, "{name}: {error} with {:?}", backend);
        }
    }
}

#[test]
fn only_the_stepwise_file_has_a_chunk_program() {
    let Some(folder) = folder("hama") else { return };
    let (checked, _) = program("hama", &folder);
    let failure = lower_chunks(&checked).expect_err("the prefix sees what comes after");
    let told = failure.render(false);
    for part in ["no step program", "`layer.0.attention.score` looks ahead along T", "where min(j - i, after[j]) <= 0"]
    {
        assert!(told.contains(part), "{told}");
    }
    let (checked, _) = program("hama_stepwise", &folder);
    let (once, later) = super::parts(&checked);
    assert!(once > 0);
    for part in ["x1", "xq", "xk", "xv", "x_mix", "x2", "x3", "x_up", "prefix"] {
        assert!(!later.iter().any(|name| name.ends_with(&format!(".{part}"))), "{part} in {later:?}");
    }
}
