//! The file formats that a table may be for.

/// A format of checkpoint files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileFormat {
    /// Hugging Face's safetensors.
    Safetensors,
    /// GGUF, llama.cpp's.
    Gguf,
    /// NumPy's archives.
    Npz,
}

impl FileFormat {
    /// All of them.
    pub const ALL: [FileFormat; 3] = [FileFormat::Safetensors, FileFormat::Gguf, FileFormat::Npz];

    /// What a table calls it, and what the names of its files end with.
    pub fn word(self) -> &'static str {
        match self {
            FileFormat::Safetensors => "safetensors",
            FileFormat::Gguf => "gguf",
            FileFormat::Npz => "npz",
        }
    }
}
