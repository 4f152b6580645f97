//! The files beside programs that are read, each by all that can be asked of it.

use crate::limits::{Bound, within};
use crate::seeds;
use seqwright::session::{Request, check, weights};
use seqwright::stream::State;
use seqwright::tokenizer::Tokenizer;
use seqwright::weights::Checkpoint;
use seqwright_tests::numpy::archive;
use seqwright_tests::sources::repository;
use std::fs;
use std::path::Path;

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Tensors, mapped.
    Safetensors,
    /// Which shard each tensor of a split checkpoint is in.
    Index,
    /// A checkpoint's sizes.
    Config,
    /// Tensors with metadata and a vocabulary.
    Gguf,
    /// One array of an archive.
    Npy,
    /// An archive of arrays.
    Npz,
    /// `tokenizer.json`.
    Tokenizer,
    /// What is kept of a sequence.
    State,
}

/// What a file holds, in words and bits: two files that hold the same give the same.
pub type Contents = Vec<String>;

impl Format {
    /// All of them.
    pub const ALL: [Format; 8] = [
        Format::Safetensors,
        Format::Index,
        Format::Config,
        Format::Gguf,
        Format::Npy,
        Format::Npz,
        Format::Tokenizer,
        Format::State,
    ];

    /// The name that the file has in its folder.
    pub fn file(self) -> &'static str {
        match self {
            Format::Safetensors => "model.safetensors",
            Format::Index => "model.safetensors.index.json",
            Format::Config => "config.json",
            Format::Gguf => "model.gguf",
            Format::Npy | Format::Npz => "model.npz",
            Format::Tokenizer => "tokenizer.json",
            Format::State => "state",
        }
    }

    /// Whole files.
    pub fn seeds(self) -> Vec<Vec<u8>> {
        match self {
            Format::Safetensors => vec![seeds::safetensors()],
            Format::Index => vec![seeds::index()],
            Format::Config => vec![seeds::config()],
            Format::Gguf => vec![seeds::gguf().bytes(), seeds::gguf_pieces().bytes()],
            Format::Npy => vec![seeds::npy()],
            Format::Npz => vec![seeds::npz(false), seeds::npz(true)],
            Format::Tokenizer => seeds::tokenizers(),
            Format::State => {
                let folder = tempfile::tempdir().expect("a temporary folder");
                vec![seeds::state(folder.path(), "Random", 7)]
            }
        }
    }

    /// How much memory reading it may take.
    pub fn bound(self) -> Bound {
        match self {
            // A tensor costs an entry in a table; what is read is read as 32-bit numbers.
            Format::Safetensors | Format::Index | Format::Gguf | Format::State => Bound { always: 4 << 20, each: 256 },
            // An archive may unpack to a hundred times its length, and to 64 MiB whatever its length.
            Format::Npy | Format::Npz => Bound { always: 2 * (64 << 20) + (4 << 20), each: 256 },
            // A model of as many values as one may have.
            Format::Config => Bound::PROGRAM,
            // Expressions for cutting words are compiled, and each may become tables of some megabytes.
            Format::Tokenizer => Bound { always: 64 << 20, each: 1024 },
        }
    }

    /// Reads a file of this format in a folder that has what else belongs to it, under the bound.
    ///
    /// # Errors
    /// What a user would read.
    ///
    /// # Panics
    /// A fault: it panics, takes too long or too much memory, or its error does not say which file is wrong.
    pub fn read(self, folder: &Path, bytes: &[u8]) -> Result<Contents, String> {
        let path = folder.join(self.file());
        let file = if self == Format::Npy { archive(false, &[("w.npy", bytes.to_vec())]) } else { bytes.to_vec() };
        // A new file in its place: the one before may still be mapped.
        let _ = fs::remove_file(&path);
        fs::write(&path, &file).expect("a temporary folder can be written");
        let found = within(self.bound(), bytes, || self.contents(folder, &path));
        if let Err(said) = &found {
            assert!(said.contains(self.file()) && said.len() < 4000, "{self:?}: the error is {said}");
            let printable = said.chars().all(|letter| letter == '\n' || !letter.is_control());
            assert!(printable, "{self:?}: the error is {said:?}");
        }
        found
    }

    fn contents(self, folder: &Path, path: &Path) -> Result<Contents, String> {
        match self {
            Format::Safetensors | Format::Gguf | Format::Npy | Format::Npz => tensors(path),
            Format::Index => {
                for shard in ["model-1.safetensors", "model-2.safetensors"] {
                    if !folder.join(shard).exists() {
                        fs::write(folder.join(shard), seeds::safetensors()).expect("a temporary folder can be written");
                    }
                }
                tensors(folder)
            }
            Format::Config => configured(folder),
            Format::Tokenizer => Tokenizer::open(path).map(told),
            Format::State => {
                let state = State::load(path).map_err(|error| error.to_string())?;
                Ok(vec![format!("{state:?}")])
            }
        }
    }
}

/// Every tensor of a checkpoint, its configuration, and what its vocabulary makes of some texts.
fn tensors(path: &Path) -> Result<Contents, String> {
    let checkpoint = Checkpoint::open(path).map_err(|error| error.to_string())?;
    let mut all = vec![format!("{:?}", checkpoint.config())];
    for name in checkpoint.names() {
        let Some(view) = checkpoint.tensor(name) else { continue };
        let bits =
            view.elements().map(|elements| elements.to_vec().iter().map(|number| number.to_bits()).collect::<Vec<_>>());
        all.push(format!("{name} {} {:?} {bits:?}", view.format(), view.shape()));
    }
    if path.is_file()
        && let Some(tokenizer) = checkpoint.tokenizer()?
    {
        all.extend(told(tokenizer));
    }
    Ok(all)
}

/// What a model makes of its sizes, and what is said of the weights that are not there.
fn configured(folder: &Path) -> Result<Contents, String> {
    let weights_path = folder.join("model.safetensors");
    if !weights_path.exists() {
        fs::write(&weights_path, seeds::safetensors()).expect("a temporary folder can be written");
    }
    let checkpoint = Checkpoint::open(folder).map_err(|error| error.to_string())?;
    let file = repository().join("examples/llama.seq");
    let request = Request { file, ..Request::default() };
    // What the file asks for and does not get is told by the example's table, in whose words it is the checkpoint's.
    let checked = match check(&request, Some(&checkpoint)) {
        Ok(checked) => checked,
        Err(failure) => return Ok(vec![failure.render(false)]),
    };
    let missing = weights(&checked, Some(&checkpoint)).map(|_| ()).map_err(|failure| failure.render(false));
    Ok(vec![format!("{:?}", checked.model.names.len()), format!("{missing:?}")])
}

/// What a tokenizer makes of some texts, and of what it made.
fn told(tokenizer: Tokenizer) -> Contents {
    const TEXTS: [&str; 6] = [
        "",
        "one twos, ab [CLS] ab",
        " a  b\n\u{301}é 123 4",
        "<s>ab<0x41>|aa||a",
        "\0\u{feff}🙂中文",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ];
    let mut all = Vec::new();
    for text in TEXTS {
        let ids = tokenizer.encode(text);
        let back = ids.as_ref().map(|ids| tokenizer.decode(ids));
        all.push(format!("{ids:?} {back:?} {:?}", tokenizer.encode_alone(text)));
    }
    for id in [0, 1, 5, u32::MAX] {
        all.push(format!("{:?} {:?}", tokenizer.token(id), tokenizer.decode(&[i64::from(id)])));
    }
    all.push(format!("{:?}", tokenizer.limited_to(Some(3)).and_then(|tokenizer| tokenizer.encode("one two ab ab"))));
    all
}
