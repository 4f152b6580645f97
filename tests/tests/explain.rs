//! What `seqc explain` tells is so: formulas are what counting gives, at several lengths; the state has the bytes that it is
//! said to have; and the reasons are those of the decisions.

use seqwright::command::explain::{Look, Shown, answer, text};
use seqwright::session::{Backend, Checked, Request, Streamer, check};
use seqwright::stream::Chunk;
use seqwright::tiles::Instructions;
use seqwright_compiler::explain::{Explanation, Fate, Stages, explain, traffic, why};
use seqwright_compiler::fuse::{Apart, ClusterKind, Joins};
use seqwright_compiler::kernel::{Body, Space, Stage};
use seqwright_compiler::source::{FileId, Sources};
use seqwright_compiler::term::TimeId;
use seqwright_tests::counting::{bytes_of, operations_of};
use seqwright_tests::goldens::{shown, small};
use seqwright_tests::random::{Random, random_inputs};
use seqwright_tests::sources::{files_in, repository};
use std::collections::{BTreeMap, BTreeSet};

/// Every example and every program of the fixtures, with small sizes.
fn models() -> Vec<(String, Checked)> {
    let mut all: Vec<(String, Checked)> = Vec::new();
    for (name, _) in files_in("examples") {
        let name = name.trim_end_matches(".seq").to_string();
        all.push((name.clone(), small(&name)));
    }
    for folder in ["tests/fixtures/programs", "tests/fixtures/streaming", "tests/fixtures/explain"] {
        for (name, _) in files_in(folder) {
            let file = repository().join(folder).join(&name);
            all.push((name, shown(check(&Request { file, ..Request::default() }, None))));
        }
    }
    assert!(all.len() > 40, "only {} models were found", all.len());
    all
}

fn stages(checked: &Checked) -> Stages {
    Stages::new(&checked.model, &checked.outputs)
}

/// How many positions there are along each time axis, where the file does not say it.
fn lengths_of(checked: &Checked, lengths: [usize; 2]) -> Vec<usize> {
    let times = 0..checked.model.times.len();
    times.map(|time| checked.model.length(TimeId(time as u32)).unwrap_or(lengths[time % 2])).collect()
}

fn explained(name: &str) -> (Checked, Explanation) {
    let checked = small(name);
    let explanation = explain(&stages(&checked));
    (checked, explanation)
}

/// An explanation as text, with places in the repository.
fn page(checked: &Checked, shown: Shown) -> String {
    let root = format!("{}/", repository().display());
    let mut sources = Sources::default();
    let last = checked.files.files.iter().map(|file| file.id.0).max().unwrap_or(0);
    for id in (0..=last).map(FileId) {
        let source = checked.sources.get(id);
        sources.add(source.name.trim_start_matches(&root), &source.text);
    }
    text(&explain(&stages(checked)), &sources, shown, &Look::plain(100))
}

#[test]
fn every_example_is_explained() {
    for (name, _) in files_in("examples") {
        let name = name.trim_end_matches(".seq");
        let text = page(&small(name), Shown::Alike);
        insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true, snapshot_path => "../snapshots/explain"}, {
            insta::assert_snapshot!(name, text);
        });
    }
}

#[test]
fn programs_of_the_fixtures_are_explained() {
    for (name, source) in files_in("tests/fixtures/explain") {
        let file = repository().join("tests/fixtures/explain").join(&name);
        let checked = shown(check(&Request { file, ..Request::default() }, None));
        let text = format!("{source}\n{}", page(&checked, Shown::Alike));
        insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true, snapshot_path => "../snapshots/explain"}, {
            insta::assert_snapshot!(format!("fixture_{}", name.trim_end_matches(".seq")), text);
        });
    }
}

/// Lines are as wide as they may be, or can't be broken: names and formulas.
#[test]
fn texts_have_a_hundred_columns() {
    for (name, checked) in models() {
        for line in page(&checked, Shown::Alike).lines() {
            assert!(line.chars().count() <= 100, "{name}: {line}");
        }
    }
}

/// One layer is told by itself, and layers that are alike one by one where all are asked for.
#[test]
fn layers_are_told_once_or_all() {
    let checked = small("gpt2");
    let (alike, all, one) = (page(&checked, Shown::Alike), page(&checked, Shown::All), page(&checked, Shown::Layer(2)));
    assert!(alike.contains("layer.1 … layer.2, 2 alike"), "{alike}");
    assert!(alike.contains("the other 12 equations are as in layer.0"), "{alike}");
    assert!(!all.contains("alike") && all.matches("attention.mix  ").count() == 3, "{all}");
    assert!(one.contains("layer.2\n") && !one.contains("layer.1\n") && !one.contains("chunk program"), "{one}");
}

/// The operations of every equation and kernel, counted one by one.
#[test]
fn operations_are_as_many_as_are_counted() {
    let (mut exact, mut bounds) = (0, 0);
    for (name, checked) in models() {
        let stages = stages(&checked);
        let explained = explain(&stages);
        for lengths in [[1, 1], [2, 3], [5, 4], [9, 7]] {
            let lengths = lengths_of(&checked, lengths);
            let positions = |time: TimeId| lengths[time.0 as usize] as u64;
            let counted = operations_of(&stages.fused, &lengths);
            let of_equations: u128 =
                explained.equations.iter().map(|equation| equation.operations.evaluate(&positions)).sum();
            let of_kernels = explained.operations.evaluate(&positions);
            assert_eq!(of_equations, of_kernels, "{name}: equations and kernels are the same work");
            if explained.operations.at_most {
                assert!(counted <= of_kernels, "{name} at {lengths:?}: {counted} counted, at most {of_kernels} told");
                bounds += 1;
            } else {
                assert_eq!(counted, of_kernels, "{name} at {lengths:?}");
                exact += 1;
            }
        }
    }
    assert!(exact > 8 * bounds, "{bounds} of {} counts are bounds only", exact + bounds);
}

/// The products of the kernels, whose sizes lowering found out by itself, are part of what is told of the equations.
#[test]
fn products_of_kernels_are_in_the_count() {
    for (name, checked) in models() {
        let stages = stages(&checked);
        let explained = explain(&stages);
        for kernel in &explained.kernels {
            let lowered = &stages.program.kernels[kernel.number];
            let (Body::Rows { stages, .. } | Body::Scan { stages, .. }) = &lowered.body else { continue };
            let products = stages.iter().map(|stage| match stage {
                Stage::Product(product) => 2 * (product.rows * product.depth * product.columns) as u128,
                Stage::Loop(_) => 0,
            });
            let products: u128 = products.sum();
            let at = |length: u64| kernel.operations.evaluate(&|_| length);
            assert!(at(1) >= products, "{name}, kernel {}: {} < {products}", kernel.number, at(1));
        }
    }
}

/// What kernels read and write, address by address.
#[test]
fn bytes_are_as_many_as_addresses_reach() {
    let (mut exact, mut all) = (0, 0);
    for (name, checked) in models() {
        let stages = stages(&checked);
        for (number, kernel) in stages.program.kernels.iter().enumerate() {
            let told = traffic(&stages.program, kernel);
            for lengths in [[4, 3], [9, 7]] {
                let lengths = lengths_of(&checked, lengths);
                let positions = |time: TimeId| lengths[time.0 as usize] as u64;
                let (read, written) = bytes_of(&stages.program, kernel, &lengths);
                let (most_read, most_written) = (told.read.evaluate(&positions), told.written.evaluate(&positions));
                let place = format!("{name}, kernel {number} at {lengths:?}");
                assert!(read <= most_read, "{place}: {read} numbers are read, {most_read} told");
                let exactly = !told.written.at_most;
                assert!(
                    written == most_written || (!exactly && written < most_written),
                    "{place}: {written} are written"
                );
                all += 1;
                exact += usize::from(read == most_read);
            }
        }
    }
    // What lies before the first position, and the same row looked up twice, is told and not there.
    assert!(10 * exact > 8 * all, "{exact} of {all} are exact");
}

/// The bytes of a real state, after more positions than are kept.
#[test]
fn states_have_the_bytes_that_are_told() {
    let mut states = 0;
    for (name, checked) in models() {
        let stages = stages(&checked);
        let (Ok(chunks), Ok(step)) = (&stages.chunks, explain(&stages).step) else { continue };
        let limit = |time: usize| {
            let limits = chunks.program.limits.iter().filter(|limit| limit.time.0 as usize == time);
            limits.map(|limit| limit.most).min().unwrap_or(300)
        };
        let lengths: Vec<usize> = (0..checked.model.times.len())
            .map(|time| if chunks.time.0 as usize == time { limit(time) } else { 5 })
            .collect();
        let (loaded, batch) = random_inputs(&checked, &[1], &mut Random(3));
        drop(batch);
        let mut streamer = shown(Streamer::new(&checked, &loaded, Backend::Cpu(Instructions::best(), 1)));
        let place = streamer.stream().begin();
        let inputs = checked.model.inputs().map(|(id, value)| {
            let rows: usize = value.axes.iter().filter_map(|axis| Some(lengths[axis.time()?.0 as usize])).product();
            (id, vec![0.0; rows * seqwright_tests::random::row(value)])
        });
        let chunk = Chunk {
            places: vec![place],
            lengths: lengths.iter().map(|length| vec![*length]).collect(),
            inputs: inputs.collect(),
            last: false,
        };
        shown(streamer.run(&chunk));
        let state = streamer.stream().state(place).expect("the sequence is there");
        let told: BTreeMap<&str, u128> = step
            .kept
            .iter()
            .map(|kept| (kept.path.as_str(), kept.bytes.evaluate(&|time| lengths[time.0 as usize] as u64)))
            .collect();
        let paths = |paths: BTreeSet<&str>| paths.into_iter().collect::<Vec<_>>().join(", ");
        assert_eq!(
            paths(told.keys().copied().collect()),
            paths(state.values.keys().map(String::as_str).collect()),
            "{name}: what is kept"
        );
        for kept in &step.kept {
            let real = 4 * state.values[&kept.path].numbers.len() as u128;
            let told = told[kept.path.as_str()];
            // A table of positions allows fewer than a ring has room for; what lags behind has not come yet.
            let bound = kept.bytes.at_most || lengths[chunks.time.0 as usize] < 300;
            assert!(real == told || (bound && real < told), "{name}: `{}` has {real} bytes, {told} told", kept.path);
            states += usize::from(real == told);
        }
    }
    assert!(states > 40, "only {states} kept values were compared");
}

/// Gathering and the question why are one decision: a value was put where it fits, and no kernel that was begun could have
/// taken it.
#[test]
fn kernels_are_those_that_the_reasons_give() {
    let (mut joined, mut begun) = (0, 0);
    for (name, checked) in models() {
        let fused = stages(&checked).fused;
        for (place, cluster) in fused.clusters.iter().enumerate() {
            let in_scan = matches!(cluster.kind, ClusterKind::Scan { .. });
            for (number, id) in cluster.values.iter().enumerate() {
                // What leads to a recurrence in blocks is taken in afterwards.
                if in_scan || fused.attention.contains_key(id) {
                    continue;
                }
                let path = &fused.graph.value(*id).path;
                if number > 0 {
                    let verdict = fused.verdict(cluster.values[0], *id);
                    assert!(matches!(verdict, Some(Ok(_))), "{name}: {path} is in kernel {place}, but {verdict:?}");
                    joined += 1;
                } else {
                    for earlier in fused.clusters[..place].iter().filter(|earlier| earlier.kind == ClusterKind::Rows) {
                        let verdict = fused.verdict(earlier.values[0], *id);
                        // Kernels over sequences have been moved before others that were there first.
                        let begins = matches!(verdict, Some(Err(_)) | None);
                        assert!(begins, "{name}: {path} begins kernel {place}, but {verdict:?}");
                        begun += usize::from(verdict.is_some());
                    }
                }
            }
        }
    }
    assert!(joined > 200 && begun > 200, "{joined} joined, {begun} begun");
}

#[test]
fn gates_are_one_product_and_hoisted() {
    let (_, explained) = explained("lstm");
    let gate = explained.equations.iter().find(|equation| equation.path == "lstm.input").expect("the gate is there");
    let others = ["lstm.candidate", "lstm.forget", "lstm.output"].map(str::to_string).to_vec();
    let product = |kernel, operand: &str, hoisted| Fate::Product {
        kernel,
        operand: operand.to_string(),
        with: others.clone(),
        hoisted,
    };
    assert!(gate.fates.contains(&product(0, "x", true)), "{:?}", gate.fates);
    assert!(gate.fates.contains(&product(1, "lstm.h", false)), "{:?}", gate.fates);
    assert!(gate.fates.contains(&Fate::PutInto { readers: vec!["lstm.c".to_string()] }), "{:?}", gate.fates);
    assert_eq!(gate.kernels, [0, 1]);
    let output = explained.equations.iter().find(|equation| equation.path == "y").expect("the result is there");
    assert_eq!(output.fates, [Fate::Renamed { to: "lstm.h".to_string() }]);
}

#[test]
fn equal_equations_are_computed_once() {
    let (_, explained) = explained("llama");
    let angle = explained.equations.iter().find(|equation| equation.path == "layer.1.attention.angle");
    let other = "layer.0.attention.angle".to_string();
    assert_eq!(angle.expect("the equation is there").fates, [Fate::SameAs { other, whole: true }]);
    for weight in explained.equations.iter().flat_map(|equation| &equation.weights) {
        assert!(!weight.shared, "{}", weight.path);
    }
}

#[test]
fn what_nothing_needs_is_dropped() {
    let checked = small("lstm_bidirectional");
    let forward = vec![("forward.h".to_string(), checked.model.names["forward.h"])];
    let explained = explain(&Stages::new(&checked.model, &forward));
    for equation in &explained.equations {
        let dropped = equation.fates == [Fate::Dropped];
        assert_eq!(dropped, !equation.path.starts_with("forward."), "{}: {:?}", equation.path, equation.fates);
    }
    assert!(explained.step.is_ok(), "the half that runs forward has a chunk program");
}

/// A table of questions, with the answers.
#[test]
fn reasons_are_told() {
    let pairs = [
        ("lstm", "lstm.input", "lstm.forget"),
        ("lstm", "lstm.input", "lstm.c"),
        ("lstm", "lstm.c", "lstm.h"),
        ("lstm", "lstm.h", "y"),
        ("lstm", "lstm.h", "h_n"),
        ("lstm", "h_n", "c_n"),
        ("gpt2", "x", "layer.0.norm1.average"),
        ("gpt2", "layer.0.attention.q", "layer.0.attention.v"),
        ("gpt2", "layer.0.attention.score", "layer.0.attention.weight"),
        ("gpt2", "layer.0.attention.score", "layer.0.attention.mix"),
        ("gpt2", "layer.0.attention.k", "layer.0.attention.mix"),
        ("gpt2", "layer.0.attention.mix", "layer.0.attention.out"),
        ("gpt2", "layer.0.attention.out", "layer.0.norm2.average"),
        ("gpt2", "layer.0.up", "layer.0.out"),
        ("gpt2", "layer.1.up", "layer.0.up"),
        ("gpt2", "x", "logits"),
        ("llama", "layer.0.attention.angle", "layer.1.attention.angle"),
        ("llama", "layer.0.attention.q", "layer.0.attention.turned_q"),
        ("bert", "hidden", "pooled"),
        ("annalog", "memory", "y"),
        ("annalog", "decoder.0.reading.k", "decoder.0.reading.q"),
        ("silero_vad", "before", "heard"),
        ("silero_vad", "conv0.y", "conv1.y"),
        ("silero_vad", "lstm.h", "speech"),
        ("cell_mingru", "cell.update", "cell.h"),
    ];
    let answers: Vec<String> = pairs
        .iter()
        .map(|(name, first, second)| {
            let found = why(&stages(&small(name)), first, second);
            let found = found.unwrap_or_else(|| panic!("{name} has no equations {first} and {second}"));
            format!("{name}: {}", answer(&found, &Look::plain(100)))
        })
        .collect();
    insta::assert_snapshot!(answers.join("\n"));
}

/// Every equation of a model is together with itself, and two are so in one order as in the other.
#[test]
fn reasons_do_not_depend_on_the_order() {
    for name in ["lstm", "gpt2", "gru", "silero_vad"] {
        let stages = stages(&small(name));
        let paths: Vec<String> = explain(&stages).equations.into_iter().map(|equation| equation.path).collect();
        for one in paths.iter().take(12) {
            for two in &paths {
                let (there, back) = (why(&stages, one, two), why(&stages, two, one));
                let (there, back) = (there.expect("both are equations"), back.expect("both are equations"));
                assert_eq!(there.together, back.together, "{name}: {one} and {two}");
                assert!(!there.reasons.is_empty(), "{name}: {one} and {two}");
            }
        }
    }
}

/// A product joins the first kernel whose product has the same operand.
#[test]
fn the_same_operand_is_a_reason() {
    let fused = stages(&small("gpt2")).fused;
    let id = |path: &str| {
        let mut all =
            fused.graph.model.ids().filter(|(id, value)| value.path == path && fused.products.contains_key(id));
        all.next().expect("the product is there").0
    };
    let (q, k) = (id("layer.0.attention.q'1"), id("layer.0.attention.k'1"));
    assert_eq!(fused.verdict(q, k), Some(Ok(Joins::SameOperand(q))));
    let up = id("layer.0.up'1");
    assert!(matches!(fused.verdict(q, up), Some(Err(Apart::Later(_)))));
}

/// Kept buffers have a value each, whatever names inner values have.
#[test]
fn values_inside_of_equations_have_paths_of_their_own() {
    let file = repository().join("tests/fixtures/explain/inside.seq");
    let checked = shown(check(&Request { file, ..Request::default() }, None));
    let inner: Vec<&str> = checked.model.inside.keys().map(|id| checked.model.value(*id).path.as_str()).collect();
    let mut once = inner.clone();
    once.sort_unstable();
    once.dedup();
    assert!(inner.len() >= 3, "{inner:?}");
    assert_eq!(once.len(), inner.len(), "{inner:?}");
    let program = stages(&checked).chunks.expect("it runs in chunks").program;
    let kept =
        program.buffers.iter().filter(|buffer| !matches!(buffer.space, Space::Global)).map(|buffer| &buffer.name);
    let names: Vec<&String> = kept.collect();
    let once: BTreeSet<&String> = names.iter().copied().collect();
    assert_eq!(once.len(), names.len(), "{names:?}");
}
