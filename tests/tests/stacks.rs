//! Stacks by shape: however many layers there are, a run needs the same kernels and the same memory, and of a recurrence only
//! what somebody reads has a row for each position.

use seqwright::session::{Checked, Request, Stages, check, lower, lower_chunks};
use seqwright_compiler::kernel::{Keep, Program, Role, Space, Track};
use seqwright_tests::goldens::{example, shown};
use seqwright_tests::sources::{files_in, repository};
use std::collections::BTreeMap;
use std::path::PathBuf;

fn checked(file: PathBuf, parameters: &[(&str, f64)], outputs: Option<&[&str]>) -> Checked {
    let parameters = parameters.iter().map(|(name, value)| (name.to_string(), *value)).collect();
    let outputs = outputs.map(|names| names.iter().map(|name| name.to_string()).collect());
    shown(check(&Request { file, parameters, outputs, ..Request::default() }, None))
}

fn stack(name: &str, layers: usize) -> Checked {
    checked(repository().join("tests/fixtures/stacks").join(name), &[("layers", layers as f64)], None)
}

/// What a run needs.
#[derive(Debug, PartialEq, Eq)]
struct Needs {
    /// Kernels that are compiled.
    kernels: usize,
    /// Pieces of memory that buffers share.
    slots: usize,
    /// Numbers for each position of a sequence.
    by_position: usize,
    /// Numbers for each sequence, however long.
    by_sequence: usize,
}

/// What calls need that are run one by one, or chains of them.
fn needs(program: &Program, by_chains: bool) -> Needs {
    let mut slots: BTreeMap<usize, (Option<Track>, usize)> = BTreeMap::new();
    for buffer in &program.buffers {
        let (Role::Computed { slot, chained }, Space::Tracks(tracks)) = (&buffer.role, &buffer.space) else { continue };
        let track = tracks.first().map(|track| program.track(*track));
        let Some(slot) = chained.filter(|_| by_chains).or((!by_chains).then_some(*slot)) else { continue };
        let size = slots.entry(slot).or_insert((track, 0));
        assert_eq!(size.0, track, "`{}` shares memory with rows of another kind", buffer.name);
        size.1 = size.1.max(buffer.row);
    }
    let mut needs = Needs { kernels: program.kernels.len(), slots: slots.len(), by_position: 0, by_sequence: 0 };
    for (track, row) in slots.into_values() {
        match track {
            Some(Track { turns: None, .. }) => needs.by_position += row,
            Some(Track { turns: Some(turns), .. }) => needs.by_sequence += turns * row,
            None => needs.by_sequence += row,
        }
    }
    needs
}

/// The values that have a row for each position, and those whose positions take turns.
fn rows(stages: &Stages) -> (Vec<&str>, Vec<&str>) {
    let program = &stages.program;
    let mut rows = (Vec::new(), Vec::new());
    for buffer in &program.buffers {
        let (Role::Computed { .. }, Space::Tracks(tracks)) = (&buffer.role, &buffer.space) else { continue };
        match tracks.first().map(|track| program.track(*track)) {
            Some(Track { turns: None, .. }) => rows.0.push(buffer.name.as_str()),
            Some(Track { turns: Some(_), .. }) => rows.1.push(buffer.name.as_str()),
            None => {}
        }
    }
    rows
}

#[test]
fn a_run_needs_no_more_the_deeper_a_stack_is() {
    let mut table = String::new();
    for (name, _) in files_in("tests/fixtures/stacks") {
        let programs = [2, 8, 40].map(|layers| lower(&stack(&name, layers)).program);
        let by_chains = programs.each_ref().map(|program| needs(program, true));
        // The first layers may differ from the others, which read what another layer computed.
        let all = programs.each_ref().map(|program| needs(program, false));
        assert_eq!(by_chains[1].by_position, by_chains[2].by_position, "{name}");
        if name == "last_states.seq" {
            // What it gives has a row for each layer: that alone grows.
            let more = 3 * 32 * (40 - 8);
            assert_eq!(all[2].by_position, all[1].by_position, "{name}");
            assert!(all[2].by_sequence <= all[1].by_sequence + 2 * more, "{name}: {all:?}");
        } else {
            assert_eq!(all[1], all[2], "{name}");
        }
        for ((layers, needs), by_chains) in [2, 8].iter().zip(&all).zip(&by_chains) {
            let Needs { kernels, slots, by_position, by_sequence } = needs;
            table += &format!(
                "{name}, {layers} layers: {kernels} kernels, {slots} slots, {by_position} numbers a position, {by_sequence} a sequence; by chains {} and {}\n",
                by_chains.by_position, by_chains.by_sequence
            );
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_chunk_needs_no_more_the_deeper_a_stack_is() {
    for (name, _) in files_in("tests/fixtures/stacks") {
        if matches!(name.as_str(), "encoder.seq" | "bidirectional.seq" | "last_states.seq") {
            continue; // They look ahead.
        }
        let [few, many] = [8, 40].map(|layers| shown(lower_chunks(&stack(&name, layers))).program);
        for by_chains in [false, true] {
            assert_eq!(needs(&few, by_chains), needs(&many, by_chains), "{name}");
        }
    }
}

#[test]
fn only_what_others_read_has_a_row_for_each_position() {
    let stages = lower(&stack("lstm.seq", 2));
    let (each, in_turn) = rows(&stages);
    assert_eq!(in_turn, ["layer.0.c", "layer.1.c"], "{}", stages.program.print());
    assert!(each.contains(&"layer.0.h") && each.contains(&"layer.1.h"), "{each:?}");

    // Somebody asks for a memory.
    let file = repository().join("tests/fixtures/stacks/lstm.seq");
    let stages = lower(&checked(file, &[("layers", 2.0)], Some(&["y", "layer.0.c"])));
    let (each, in_turn) = rows(&stages);
    assert_eq!(in_turn, ["layer.1.c"]);
    assert!(each.contains(&"layer.0.c"));
}

#[test]
fn a_last_state_needs_no_others() {
    let stages = lower(&stack("last_state.seq", 2));
    let (each, in_turn) = rows(&stages);
    assert_eq!(in_turn, ["layer.0.c", "layer.1.h", "layer.1.c"], "{}", stages.program.print());
    assert!(!each.contains(&"layer.1.h") && each.contains(&"layer.0.h"), "{each:?}");

    // Both directions of a recurrence: the last state of one that runs backwards is its first.
    let source = "tests/fixtures/fusion/bidirectional.seq";
    let stages = lower(&checked(repository().join(source), &[], None));
    assert!(rows(&stages).1.iter().all(|name| !name.ends_with(".h")), "{}", stages.program.print());
}

#[test]
fn a_state_larger_than_its_rows_is_never_written_for_all_positions() {
    let stages = lower(&stack("selective.seq", 2));
    let (each, in_turn) = rows(&stages);
    assert_eq!(in_turn, ["layer.0.h", "layer.1.h"], "{}", stages.program.print());
    let program = &stages.program;
    let widest = program.buffers.iter().filter(|buffer| each.contains(&buffer.name.as_str())).map(|buffer| buffer.row);
    assert_eq!(widest.max(), Some(32), "no buffer over positions has the states' numbers");
}

#[test]
fn what_is_not_asked_for_is_not_computed() {
    let sizes = [("dim", 16.0), ("heads", 2.0), ("layers", 2.0), ("inner", 32.0)];
    let others = [("vocab", 40.0), ("context", 64.0), ("segments", 2.0)];
    let sizes: Vec<(&str, f64)> = sizes.into_iter().chain(others).collect();
    let of = |outputs: &[&str]| lower(&checked(example("minilm"), &sizes, Some(outputs)));
    let (pooled, hidden) = (of(&["vector"]), of(&["layer.0.down"]));
    assert!(hidden.program.calls.len() < pooled.program.calls.len());
    // The second layer is not there, nor is the pooling.
    assert!(
        hidden.program.buffers.iter().all(|buffer| !buffer.name.contains("layer.1.")),
        "{}",
        hidden.program.print()
    );
    assert!(pooled.program.buffers.iter().any(|buffer| buffer.name.contains("layer.1.")));
}

/// What is kept of a sequence grows with depth, each layer having its own state, and with nothing else.
#[test]
fn what_is_kept_is_each_layers_state() {
    let kept = |layers| {
        let program = shown(lower_chunks(&stack("lstm.seq", layers))).program;
        let rows = program.buffers.iter().filter_map(|buffer| match (&buffer.role, &buffer.space) {
            (Role::Computed { .. } | Role::Input(_), Space::Tracks(tracks)) => {
                match program.track(*tracks.first()?).keep {
                    Keep::Last(count) => Some(count * buffer.row),
                    Keep::New => None,
                    Keep::All => panic!("{} is all kept", buffer.name),
                }
            }
            _ => None,
        });
        rows.sum::<usize>()
    };
    assert_eq!([kept(1), kept(8), kept(40)], [1, 8, 40].map(|layers| layers * 2 * 32));
}
