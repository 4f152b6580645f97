//! Snapshots from a Rust test: [`assert_kernels!`](crate::assert_kernels), and `INSTA_UPDATE` as insta understands it.

use super::standing::{Standing, waiting};
use super::{Asked, Found, standing, texts};
use std::path::Path;

/// Asserts that what the compiler makes of a model is what its snapshots say.
///
/// The file's path is relative to the folder of the crate's `Cargo.toml`. Which stages are compared, and with which sizes, says
/// a comment in the file, `// snapshot: explain, kernels; input = 12, hidden = 20`, or the second argument, an
/// [`Asked`](crate::snapshot::Asked); kernels are where neither says anything. The snapshots are those of `seqc snapshot`.
///
/// ```
/// use seqwright::snapshot::{Asked, Stage};
///
/// seqwright::assert_kernels!("../examples/six_words.seq");
/// seqwright::assert_kernels!(
///     "../examples/lstm.seq",
///     Asked::default().stage(Stage::Explain).stage(Stage::Kernels).set("input", 12.0).set("hidden", 20.0)
/// );
/// ```
///
/// A test whose snapshots differ fails with the lines that changed. `INSTA_UPDATE` says what is written then, as it does for
/// the crate insta: `new` and `auto` (where nothing is said) the new text in a file `.snap.new`, which `cargo insta review` and
/// `seqc snapshot --review` take; `always` and `force` the snapshot itself, which lets the test pass; `unseen` the snapshot where
/// there was none, and else a `.snap.new`; `no`, and `auto` where `CI` is set, nothing. Snapshots that nothing asks for are no
/// failure here, as another test may ask for them: `seqc snapshot --check` tells about them.
#[macro_export]
macro_rules! assert_kernels {
    ($file:expr $(,)?) => {
        $crate::assert_kernels!($file, $crate::snapshot::Asked::default())
    };
    ($file:expr, $asked:expr $(,)?) => {
        $crate::snapshot::assert(::std::path::Path::new(env!("CARGO_MANIFEST_DIR")), $file, &$asked)
    };
}

/// What [`assert_kernels!`](crate::assert_kernels) does, for a path relative to a folder.
///
/// # Panics
/// Where a snapshot is missing or has another text, where the file has mistakes, and where a file can't be read or written.
#[track_caller]
pub fn assert(folder: &Path, file: impl AsRef<Path>, asked: &Asked) {
    let file = file.as_ref();
    let found = texts(&folder.join(file), asked, None).and_then(standing);
    let standing = found.unwrap_or_else(|failure| panic!("{}", failure.render(false)));
    let update = Update::from_environment().unwrap_or_else(|why| panic!("{why}"));
    let told = settle(&standing, update).unwrap_or_else(|failure| panic!("{}", failure.render(false)));
    let why = format!("what the compiler makes of {} is not what its snapshots say\n\n{told}", file.display());
    // `cargo insta test` has all tests go on, and asks afterwards about what they wrote.
    let goes_on = std::env::var("INSTA_FORCE_PASS").is_ok_and(|value| value == "1");
    match told.is_empty() {
        true => {}
        false if goes_on => eprintln!("{why}"),
        false => panic!("{why}"),
    }
}

/// Writes what is to be written, and tells what is wrong with the snapshots that are left.
fn settle(standing: &Standing, update: Update) -> Result<String, crate::session::Failure> {
    if update != Update::No {
        standing.settle()?;
    }
    let mut told = String::new();
    for (text, found) in standing.pending() {
        match (update, found) {
            (Update::Always, _) | (Update::Unseen, Found::New) => {
                standing.accept(text)?;
                continue;
            }
            (Update::New, _) | (Update::Unseen, Found::Changed(_) | Found::Same) => standing.suggest(text)?,
            (Update::No, _) => {}
        }
        told.push_str(&found.told(text));
        told.push_str(&match update {
            Update::New | Update::Unseen => format!(
                "the new text is in {}: review it with `cargo insta review` or `seqc snapshot --review`, or set \
                 INSTA_UPDATE=always\n\n",
                waiting(&text.path).display()
            ),
            Update::No | Update::Always => "set INSTA_UPDATE=always to write it\n\n".to_string(),
        });
    }
    Ok(told)
}

/// What is written where a snapshot differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Update {
    No,
    New,
    Unseen,
    Always,
}

impl Update {
    fn from_environment() -> Result<Update, String> {
        let value = |name: &str| std::env::var(name).unwrap_or_default();
        // As insta sees whether it runs for continuous integration.
        let ci = !matches!(value("CI").as_str(), "" | "0" | "false") || std::env::var_os("TF_BUILD").is_some();
        Update::of(&value("INSTA_UPDATE"), ci)
    }

    fn of(value: &str, ci: bool) -> Result<Update, String> {
        match value {
            "" | "auto" => Ok(if ci { Update::No } else { Update::New }),
            "no" => Ok(Update::No),
            "new" => Ok(Update::New),
            "unseen" => Ok(Update::Unseen),
            "always" | "1" | "force" => Ok(Update::Always),
            other => Err(format!(
                "expected auto, always, new, unseen, no or force in the environment's INSTA_UPDATE, found `{other}`"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn update(value: &str, ci: bool) -> Update {
        Update::of(value, ci).expect("it is one")
    }

    #[test]
    fn updates_are_those_of_insta() {
        assert_eq!(
            (update("", false), update("auto", false), update("", true)),
            (Update::New, Update::New, Update::No)
        );
        assert_eq!((update("new", true), update("no", false)), (Update::New, Update::No));
        assert_eq!((update("always", true), update("force", true)), (Update::Always, Update::Always));
        assert!(Update::of("sometimes", false).is_err());
    }

    #[test]
    fn what_is_written_hangs_on_the_update() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("m.seq");
        let snapshot = folder.path().join("m.kernels.snap");
        let model = |function: &str| format!("model M(x: [T, dim]; dim = 2) -> y {{\n  y = {function}(x)\n}}\n");
        let settled = |update: Update| {
            let standing = texts(&file, &Asked::default(), None).and_then(standing).expect("a model");
            settle(&standing, update).expect("files can be written")
        };
        fs::write(&file, model("tanh")).expect("a file");
        assert!(settled(Update::No).contains("m.kernels.snap is missing\n") && !snapshot.exists());
        assert!(settled(Update::New).contains("m.kernels.snap.new: review it") && !snapshot.exists());
        assert!(waiting(&snapshot).exists());
        assert_eq!(settled(Update::Unseen), "");
        assert!(snapshot.exists() && !waiting(&snapshot).exists(), "an accepted snapshot waits no more");
        assert_eq!(settled(Update::No), "");

        fs::write(&file, model("exp")).expect("a file");
        let old = fs::read_to_string(&snapshot).expect("it is there");
        let told = settled(Update::Unseen);
        assert!(
            told.contains(" -") && told.contains("tanh(") && told.contains(" +") && told.contains("exp("),
            "{told}"
        );
        assert_eq!(fs::read_to_string(&snapshot).ok(), Some(old));
        assert!(waiting(&snapshot).exists());
        fs::write(&file, model("tanh")).expect("a file");
        assert_eq!(settled(Update::New), "");
        assert!(!waiting(&snapshot).exists(), "what passes leaves nothing to review");
        fs::write(&file, model("exp")).expect("a file");
        assert_eq!(settled(Update::Always), "");
        assert_eq!(settled(Update::No), "");
    }
}
