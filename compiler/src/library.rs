//! The library: `.seq` files that come with the compiler, and are read like a user's own.

/// The file whose functions every file sees.
pub const PRELUDE: &str = "functions";

/// Every file: name and text.
const FILES: [(&str, &str); 8] = [
    ("attention", include_str!("../library/attention.seq")),
    ("blocks", include_str!("../library/blocks.seq")),
    ("cells", include_str!("../library/cells.seq")),
    ("convolutions", include_str!("../library/convolutions.seq")),
    ("functions", include_str!("../library/functions.seq")),
    ("linear_attention", include_str!("../library/linear_attention.seq")),
    ("norms", include_str!("../library/norms.seq")),
    ("state_spaces", include_str!("../library/state_spaces.seq")),
];

/// The text of a library file.
pub fn file(name: &str) -> Option<&'static str> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The names of the library's files.
pub fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}

/// The prelude's text.
pub fn prelude() -> &'static str {
    FILES.iter().find(|(name, _)| *name == PRELUDE).map_or("", |(_, text)| *text)
}

/// The library file that defines a name, for hints.
pub fn file_with(name: &str) -> Option<&'static str> {
    const KINDS: [&str; 6] = ["cell", "attention", "norm", "block", "model", "function"];
    FILES.iter().find_map(|(file, text)| {
        let defines = |line: &str| {
            KINDS.iter().any(|kind| {
                line.strip_prefix(kind)
                    .and_then(|rest| rest.trim_start().strip_prefix(name))
                    .is_some_and(|rest| rest.starts_with('('))
            })
        };
        text.lines().any(defines).then_some(*file)
    })
}
