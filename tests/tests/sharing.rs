//! Threads that work on the same rows: any number of them gives the same bits, and a step of a cell costs one wait.

use seqwright::session::{Backend, Checked, Request, Runner, check, lower};
use seqwright::tiles::Instructions;
use seqwright_compiler::kernel::{Body, Cut, Early, Role, Sharing, Split, Stage, following, sharing};
use seqwright_tests::goldens::{example, shown};
use seqwright_tests::random::{Random, random_inputs};
use seqwright_tests::sources::repository;
use std::cmp::Ordering;
use std::path::PathBuf;

/// An example with these sizes.
fn sized(name: &str, sizes: &[(&str, f64)]) -> Checked {
    of_file(example(name), sizes)
}

fn of_file(file: PathBuf, sizes: &[(&str, f64)]) -> Checked {
    let parameters = sizes.iter().map(|(name, size)| (name.to_string(), *size)).collect();
    shown(check(&Request { file, parameters, ..Request::default() }, None))
}

/// Cells and a decoder whose products are worth sharing, of widths that panels divide and others.
fn models() -> Vec<(&'static str, Checked)> {
    let cell = |hidden: f64| [("input", 40.0), ("hidden", hidden)];
    let decoder = [
        ("vocab", 500.0),
        ("context", 64.0),
        ("dim", 192.0),
        ("layers", 2.0),
        ("heads", 6.0),
        ("inner", 400.0),
        ("epsilon", 1e-5),
    ];
    vec![
        ("lstm", sized("lstm", &cell(256.0))),
        ("lstm", sized("lstm", &cell(250.0))),
        // Steps that begin early, and whose products turn back.
        ("lstm", sized("lstm", &cell(320.0))),
        ("gru", sized("gru", &cell(192.0))),
        ("rnn_tanh", sized("rnn_tanh", &cell(300.0))),
        ("cell_slstm", sized("cell_slstm", &cell(256.0))),
        ("convolution_gru", sized("convolution_gru", &cell(200.0))),
        (
            "cell_peephole_layernorm_lstm",
            sized("cell_peephole_layernorm_lstm", &[("input", 40.0), ("hidden", 256.0), ("epsilon", 1e-5)]),
        ),
        ("lstm_bidirectional", sized("lstm_bidirectional", &cell(192.0))),
        ("gpt2", sized("gpt2", &decoder)),
        // Heads that share keys: along one axis that threads cut, and behind one that has a single entry.
        ("multi_query", of_file(repository().join("tests/fixtures/programs/multi_query.seq"), &[("head_dim", 64.0)])),
    ]
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    for (name, checked) in models() {
        // One row, a few for all threads together, ragged ones, and enough for each to have its own.
        let many: Vec<usize> = (0..13).map(|number| 1 + number % 5).collect();
        for lengths in [&[1][..], &[9], &[3, 1, 7], &many] {
            let (loaded, batch) = random_inputs(&checked, lengths, &mut Random(11));
            for instructions in Instructions::available() {
                let bits = |threads| -> Vec<u32> {
                    let runner = shown(Runner::new(&checked, &loaded, Backend::Cpu(instructions, threads)));
                    let all = shown(runner.run(&batch));
                    all.iter().flatten().map(|number| number.to_bits()).collect()
                };
                let one = bits(1);
                for threads in [2, 3] {
                    let same = one == bits(threads);
                    assert!(same, "{name} of {lengths:?} with {} on {threads} threads", instructions.name());
                }
            }
        }
    }
}

/// How the stages of a model's scan are shared out, its products and loops apart.
fn scan_of(checked: &Checked) -> (Vec<Stage>, Sharing) {
    let program = lower(checked).program;
    let scan = program.kernels.iter().enumerate().find_map(|(number, kernel)| match &kernel.body {
        Body::Scan { stages, .. } => Some((stages.clone(), sharing(&program, number)?)),
        Body::Rows { .. } | Body::Attention(_) => None,
    });
    scan.unwrap_or_else(|| panic!("there is no scan with products: {}", program.print()))
}

/// Each thread computes the gates that its own entries of the state need: within a step nobody waits.
#[test]
fn a_step_of_a_cell_costs_one_wait() {
    for name in ["lstm", "gru", "rnn_tanh"] {
        let (stages, sharing) = scan_of(&sized(name, &[("input", 40.0), ("hidden", 256.0)]));
        assert!(sharing.stages.iter().all(|stage| !stage.barrier), "{name}: {sharing:?}");
        for (stage, shared) in stages.iter().zip(&sharing.stages) {
            if let Stage::Product(_) = stage {
                assert_eq!(shared.split, Split::Entries(Cut { entries: 256, stride: 1 }), "{name}");
            }
        }
    }
}

/// Of a width that panels do not divide, a product's columns are cut wherever panels begin, and who reads them waits.
#[test]
fn columns_that_are_no_whole_panels_are_waited_for() {
    let (stages, sharing) = scan_of(&sized("lstm", &[("input", 40.0), ("hidden", 250.0)]));
    let product = stages.iter().position(|stage| matches!(stage, Stage::Product(_))).unwrap();
    assert_eq!(sharing.stages[product].split, Split::Entries(Cut { entries: 1000, stride: 1 }));
    assert!(sharing.stages[product + 1].barrier, "{sharing:?}");
}

/// A norm in the cell needs all of a product: one wait more.
#[test]
fn a_norm_of_a_product_is_waited_for() {
    let sizes = [("input", 40.0), ("hidden", 256.0), ("epsilon", 1e-5)];
    let (_, sharing) = scan_of(&sized("cell_peephole_layernorm_lstm", &sizes));
    let waits = sharing.stages.iter().filter(|stage| stage.barrier).count();
    assert!((1..=2).contains(&waits), "{sharing:?}");
}

/// Of many sequences each thread has some: nothing of a step is done by one of them or by all, but that each gathers what
/// products read, and the cell waits once for the product.
#[test]
fn many_sequences_of_a_step_are_shared_out() {
    for (name, sizes) in [
        ("lstm", &[("input", 40.0), ("hidden", 250.0)][..]),
        ("cell_peephole_layernorm_lstm", &[("input", 40.0), ("hidden", 256.0), ("epsilon", 1e-5)]),
    ] {
        let (stages, sharing) = scan_of(&sized(name, sizes));
        let by_rows = sharing.by_rows.unwrap_or_else(|| panic!("{name} has none"));
        let product = stages.iter().position(|stage| matches!(stage, Stage::Product(_))).unwrap();
        for (number, shared) in by_rows.iter().enumerate() {
            let split = match number.cmp(&product) {
                Ordering::Less => Split::Own,
                Ordering::Equal => sharing.stages[product].split,
                Ordering::Greater => Split::Rows,
            };
            assert_eq!((shared.split, shared.barrier), (split, number == product + 1), "{name}, stage {number}");
        }
    }
}

/// Of a single step, each thread computes its own entries of the gates, the states and what is handed out of these.
#[test]
fn kernels_of_a_step_follow_each_other_unwaited_for() {
    for (name, hidden, wanted) in [
        ("lstm", 256.0, vec![0, 0, 0, 0]),
        ("gru", 256.0, vec![0, 0, 0]),
        // Columns are cut where panels begin, which is not where the gates of an entry lie.
        ("lstm", 250.0, vec![0, 1, 0, 0]),
    ] {
        let program = lower(&sized(name, &[("input", 40.0), ("hidden", hidden)])).program;
        assert_eq!(following(&program), wanted, "{name} {hidden}: {}", program.print());
    }
    // The second layer reads all entries of the first.
    let program = lower(&sized("lstm_stacked", &[("input", 40.0), ("hidden", 256.0), ("layers", 2.0)])).program;
    let layers = following(&program);
    assert!(layers.windows(2).any(|two| two[0] != two[1]), "{layers:?} {}", program.print());
}

/// Two buffers of one place are one: who writes the second may overwrite what others still read of the first.
#[test]
fn what_lies_in_the_same_memory_is_waited_for() {
    let mut program = lower(&sized("lstm", &[("input", 40.0), ("hidden", 256.0)])).program;
    let gates = program.calls[0].arguments[2];
    let last = program.calls[3].arguments[0];
    assert_eq!(following(&program)[3], 0);
    program.buffers[last.0 as usize].role = program.buffers[gates.0 as usize].role.clone();
    assert!(matches!(program.buffer(last).role, Role::Computed { .. }));
    // The scan reads the gates.
    assert_eq!(following(&program)[3], 2);
}

/// A step begins with what the first thread has of the state, if what follows is each thread's own, and waits are a part of it that
/// counts.
#[test]
fn a_step_begins_before_all_have_left_the_last_one() {
    let cut = Cut { entries: 256, stride: 1 };
    for (name, hidden, wanted) in [
        ("lstm", 256.0, Some(Early { cut, columns: 512 })),
        ("gru", 256.0, Some(Early { cut, columns: 512 })),
        ("rnn_tanh", 256.0, Some(Early { cut, columns: 256 })),
        ("lstm_bidirectional", 256.0, Some(Early { cut, columns: 512 })),
        ("lstm", 250.0, None),
        ("lstm", 1024.0, None),
    ] {
        let (_, sharing) = scan_of(&sized(name, &[("input", 40.0), ("hidden", hidden)]));
        assert_eq!(sharing.early, wanted, "{name} {hidden}");
    }
    // A norm reads all of a product: another thread may still do so.
    let sizes = [("input", 40.0), ("hidden", 256.0), ("epsilon", 1e-5)];
    assert_eq!(scan_of(&sized("cell_peephole_layernorm_lstm", &sizes)).1.early, None);
}
