//! A checkpoint: a model's tensors with its configuration, as its publisher lays them out.
//!
//! In: a folder with `model.safetensors`, or with `model.safetensors.index.json` and the shards
//! that it names, each beside an optional `config.json` and `tokenizer.json`; or the path of one
//! file of weights in such a folder: safetensors, GGUF or .npz. A folder without safetensors that
//! has a single file of the other formats is that file. Out: the configuration as JSON, tensors by
//! name, and the tokenizer.
//!
//! A GGUF file is a checkpoint by itself: its metadata are the configuration, and `config.json`
//! beside it is not looked at; `tokenizer.json` is only if the file has no vocabulary.
//!
//! Opening maps the files and checks their headers; no weights are read but those of an archive of
//! NumPy's, which has to be unpacked. With an index, the tensors are those that it lists: others in a shard are left out. It does not say whether the
//! tensors are the ones that a model wants.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use seqwright_compiler::table::FileFormat;
use serde_json::Value;

use super::error::{DOWNLOAD_AGAIN, WeightError, quoted};
use super::file::WeightFile;
use super::safetensors::SafetensorsFile;
use super::shards::{ShardIndex, read_json};
use super::tensor::TensorView;
use crate::tokenizer::Tokenizer;

const CONFIGURATION: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// An open checkpoint.
#[derive(Debug)]
pub struct Checkpoint {
    folder: PathBuf,
    config: Option<Value>,
    tokenizer_path: Option<PathBuf>,
    files: Vec<WeightFile>,
    /// For each tensor, which of `files` it is in.
    file_of_tensor: BTreeMap<String, usize>,
}

impl Checkpoint {
    /// Opens the model folder at `path`, or the single file of weights at `path`.
    ///
    /// # Errors
    ///
    /// When there are no weights at `path`, when one of the files is damaged, when `config.json`
    /// is not a JSON object, and when the index of a split checkpoint does not fit its shards.
    pub fn open(path: &Path) -> Result<Checkpoint, WeightError> {
        if !is_present(path) {
            return Err(WeightError::reading(path, "there is no such file or folder")
                .with_help("give a model folder, or a .safetensors, .gguf or .npz file"));
        }
        let (folder, files, file_of_tensor) = if path.is_dir() {
            let (files, file_of_tensor) = open_weights_in(path)?;
            (path.to_path_buf(), files, file_of_tensor)
        } else {
            let (files, file_of_tensor) = only_file(WeightFile::open(path)?);
            let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            (folder.unwrap_or(Path::new(".")).to_path_buf(), files, file_of_tensor)
        };
        let config = match files.as_slice() {
            [WeightFile::Gguf(file)] => Some(file.config().clone()),
            _ => read_config(&folder.join(CONFIGURATION))?,
        };
        let tokenizer_path = Some(folder.join(TOKENIZER)).filter(|path| is_present(path));
        Ok(Checkpoint { folder, config, tokenizer_path, files, file_of_tensor })
    }

    /// The contents of `config.json`, or a GGUF file's metadata as JSON nested by the dots of their
    /// keys; always an object, `None` where there is no such file.
    pub fn config(&self) -> Option<&Value> {
        self.config.as_ref()
    }

    /// The tensor called `name`, or `None` where the checkpoint has none.
    pub fn tensor(&self, name: &str) -> Option<TensorView<'_>> {
        self.files[*self.file_of_tensor.get(name)?].tensor(name)
    }

    /// The names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.file_of_tensor.keys().map(String::as_str)
    }

    /// The format of its files.
    pub fn format(&self) -> FileFormat {
        self.files.first().map_or(FileFormat::Safetensors, WeightFile::format)
    }

    /// The folder that the checkpoint lies in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The path of `tokenizer.json`, or `None` where there is no such file. [`Checkpoint::tokenizer`]
    /// is what a model was trained with: a GGUF file may have a vocabulary of its own.
    pub fn tokenizer_path(&self) -> Option<&Path> {
        self.tokenizer_path.as_deref()
    }

    /// The tokenizer that the model was trained with, or `None` where the checkpoint has none.
    ///
    /// # Errors
    ///
    /// When the checkpoint's tokenizer cannot be read, and in a build without the feature
    /// `tokenizers`.
    pub fn tokenizer(&self) -> Result<Option<Tokenizer>, String> {
        if let [WeightFile::Gguf(file)] = self.files.as_slice()
            && let Some(vocabulary) = file.vocabulary().map_err(|error| error.to_string())?
        {
            let wrong = |problem| format!("cannot read {}: its tokenizer: {problem}", file.path().display());
            return Tokenizer::from_vocabulary(&vocabulary).map(Some).map_err(wrong);
        }
        self.tokenizer_path().map(Tokenizer::open).transpose()
    }

    /// The file that the tensor called `name` is in, for messages.
    pub fn file_of(&self, name: &str) -> Option<&Path> {
        Some(self.files[*self.file_of_tensor.get(name)?].path())
    }
}

/// Whether anything has this path, a link to nowhere included: opening that one gives an error
/// that says so, which is better than going on as if the file were not part of the checkpoint.
fn is_present(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Files, and for each tensor the number of its file.
type Files = (Vec<WeightFile>, BTreeMap<String, usize>);

fn only_file(file: WeightFile) -> Files {
    let file_of_tensor = file.names().map(|name| (name.to_string(), 0)).collect();
    (vec![file], file_of_tensor)
}

/// Opens the weights of a folder: the single safetensors file where there is one, else the shards,
/// else the only file of another format.
fn open_weights_in(folder: &Path) -> Result<Files, WeightError> {
    let single = folder.join(WEIGHTS);
    let index = folder.join(INDEX);
    if is_present(&single) {
        SafetensorsFile::open(&single).map(WeightFile::Safetensors).map(only_file)
    } else if is_present(&index) {
        open_shards(folder, &index)
    } else if let [file] = other_formats_in(folder).as_slice() {
        WeightFile::open(file).map(only_file)
    } else {
        Err(no_weights_in(folder))
    }
}

fn open_shards(folder: &Path, index_path: &Path) -> Result<Files, WeightError> {
    let index = ShardIndex::open(index_path)?;
    let mut files = Vec::new();
    let mut number_of_shard = BTreeMap::new();
    for shard in index.shards() {
        let path = folder.join(shard);
        if !is_present(&path) {
            let problem = format!("it names the file {}, which is not there", quoted(shard));
            return Err(WeightError::reading(index_path, problem)
                .with_help("the checkpoint is incomplete: download the missing file"));
        }
        number_of_shard.insert(shard, files.len());
        files.push(WeightFile::Safetensors(SafetensorsFile::open(&path)?));
    }
    let mut file_of_tensor = BTreeMap::new();
    for (tensor, shard) in &index.shard_of_tensor {
        let number = number_of_shard[shard.as_str()];
        if files[number].tensor(tensor).is_none() {
            let problem = format!("it puts tensor {} into {}, which has no such tensor", quoted(tensor), quoted(shard));
            return Err(WeightError::reading(index_path, problem).with_help(DOWNLOAD_AGAIN));
        }
        file_of_tensor.insert(tensor.clone(), number);
    }
    Ok((files, file_of_tensor))
}

/// The paths of what a folder has, sorted.
fn paths_in(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default();
    paths.sort();
    paths
}

fn has_ending(path: &Path, wanted: &str) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case(wanted))
}

/// The GGUF and .npz files of a folder.
fn other_formats_in(folder: &Path) -> Vec<PathBuf> {
    let mut paths = paths_in(folder);
    paths.retain(|path| ["gguf", "npz"].iter().any(|ending| has_ending(path, ending)));
    paths
}

/// The error for a folder without weights, with a hint from what it has instead.
fn no_weights_in(folder: &Path) -> WeightError {
    let paths = paths_in(folder);
    let with_ending = |wanted: &str| paths.iter().find(|path| has_ending(path, wanted));
    let others = other_formats_in(folder);
    let mut problem = format!("the folder has neither {WEIGHTS} nor {INDEX}");
    let help = if let Some(file) = with_ending("safetensors") {
        format!("give the file itself: {}", file.display())
    } else if let [first, _, ..] = others.as_slice() {
        problem = format!("the folder has {} files of weights, and one model has one", others.len());
        format!("give the one that is meant: {}", first.display())
    } else if ["bin", "pt", "pth", "ckpt", "h5", "onnx"].iter().any(|ending| with_ending(ending).is_some()) {
        "seqwright reads safetensors, GGUF and .npz: get the model in one of these".to_string()
    } else {
        "give a model folder as it is published, or a .safetensors, .gguf or .npz file".to_string()
    };
    WeightError::reading(folder, problem).with_help(help)
}

fn read_config(path: &Path) -> Result<Option<Value>, WeightError> {
    if !is_present(path) {
        return Ok(None);
    }
    let config = read_json::<Value>(path)?;
    if !config.is_object() {
        return Err(WeightError::reading(path, "expected a JSON object").with_help(DOWNLOAD_AGAIN));
    }
    Ok(Some(config))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::weights::testing::{cached_model, file_bytes};

    /// A safetensors file with one U8 tensor of one element.
    fn one_tensor(name: &str, value: u8) -> Vec<u8> {
        let entry = r#"{"dtype":"U8","shape":[1],"data_offsets":[0,1]}"#;
        file_bytes(&format!(r#"{{"{name}":{entry}}}"#), &[value])
    }

    fn folder_with(files: &[(&str, &[u8])]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        folder
    }

    fn value_of(checkpoint: &Checkpoint, name: &str) -> f32 {
        checkpoint.tensor(name).unwrap().elements().unwrap().get(0)
    }

    #[test]
    fn opens_a_folder_and_a_file_in_it() {
        let folder = folder_with(&[
            ("config.json", br#"{"hidden_size": 4}"#),
            ("model.safetensors", &one_tensor("w", 7)),
            ("tokenizer.json", b"{}"),
        ]);
        let file = folder.path().join("model.safetensors");
        for path in [folder.path(), &file] {
            let checkpoint = Checkpoint::open(path).unwrap();
            assert_eq!(checkpoint.config().unwrap()["hidden_size"], 4);
            assert_eq!(checkpoint.names().collect::<Vec<_>>(), ["w"]);
            assert_eq!(value_of(&checkpoint, "w"), 7.0);
            assert_eq!(checkpoint.folder(), folder.path());
            assert_eq!(checkpoint.tokenizer_path(), Some(&*folder.path().join("tokenizer.json")));
            assert_eq!(checkpoint.file_of("w"), Some(&*file));
            assert!(checkpoint.tensor("v").is_none() && checkpoint.file_of("v").is_none());
        }
    }

    #[test]
    fn configuration_and_tokenizer_are_optional() {
        let folder = folder_with(&[("other.safetensors", &one_tensor("w", 7))]);
        let checkpoint = Checkpoint::open(&folder.path().join("other.safetensors")).unwrap();
        assert!(checkpoint.config().is_none() && checkpoint.tokenizer_path().is_none());
    }

    #[test]
    fn opens_shards_and_only_the_tensors_of_the_index() {
        let two = r#"{"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},
                      "extra":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#;
        let folder = folder_with(&[
            ("model-1.safetensors", &one_tensor("a", 1)),
            ("model-2.safetensors", &file_bytes(two, &[2, 3])),
            (INDEX, br#"{"weight_map":{"b":"model-2.safetensors","a":"model-1.safetensors"}}"#),
        ]);
        let checkpoint = Checkpoint::open(folder.path()).unwrap();
        assert_eq!(checkpoint.names().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((value_of(&checkpoint, "a"), value_of(&checkpoint, "b")), (1.0, 2.0));
        assert!(checkpoint.file_of("b").unwrap().ends_with("model-2.safetensors"));
    }

    #[test]
    fn an_index_that_does_not_fit_its_shards_is_an_error() {
        for (index, expected) in [
            (r#"{"weight_map":{"a":"x.safetensors"}}"#, "file `x.safetensors`, which is not there"),
            (r#"{"weight_map":{"z":"one.safetensors"}}"#, "`z` into `one.safetensors`, which has"),
            (r#"{"weight_map":{"a":"../one.safetensors"}}"#, "not the name of a file"),
        ] {
            let folder = folder_with(&[("one.safetensors", &one_tensor("a", 1)), (INDEX, index.as_bytes())]);
            let error = Checkpoint::open(folder.path()).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert!(error.help().is_some() && error.file().ends_with(INDEX));
        }
    }

    #[test]
    fn a_broken_configuration_is_an_error_with_its_place() {
        for (text, expected) in [
            ("{\n  \"hidden_size\": 4,\n}", "trailing comma at line 3 column 1"),
            ("", "line 1 column 0"),
            ("[1]", "expected a JSON object"),
        ] {
            let weights = one_tensor("w", 7);
            let folder = folder_with(&[("config.json", text.as_bytes()), ("model.safetensors", &weights)]);
            let error = Checkpoint::open(folder.path()).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert!(error.file().ends_with("config.json"));
        }
    }

    #[test]
    fn a_folder_without_weights_gets_a_fitting_hint() {
        for (name, expected) in [
            ("adapter.safetensors", "give the file itself: "),
            ("pytorch_model.bin", "safetensors, GGUF and .npz"),
            ("README.md", "give a model folder"),
        ] {
            let folder = folder_with(&[(name, b"")]);
            let error = Checkpoint::open(folder.path()).unwrap_err();
            assert!(error.to_string().contains("has neither model.safetensors nor "), "{error}");
            assert!(error.help().unwrap().contains(expected), "{error:?}");
        }
        let error = Checkpoint::open(Path::new("no/such/folder")).unwrap_err();
        assert!(error.to_string().ends_with("there is no such file or folder"));
    }

    #[test]
    fn opens_the_published_minilm() {
        let Some(folder) = cached_model("minilm") else {
            return;
        };
        let checkpoint = Checkpoint::open(&folder).unwrap();
        assert_eq!(checkpoint.config().unwrap()["hidden_size"], 384);
        assert!(checkpoint.tokenizer_path().is_some());
        let words = checkpoint.tensor("embeddings.word_embeddings.weight").unwrap();
        assert_eq!(words.shape(), [30522, 384]);
        // Real files are aligned, so that no weights are copied.
        let elements = words.elements().unwrap();
        let slice = elements.as_slice().unwrap();
        assert_eq!(slice.as_ptr().cast::<u8>(), words.bytes().as_ptr());
    }
}
