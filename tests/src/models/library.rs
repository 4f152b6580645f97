//! Definitions of the library, each with random sizes: attention and its relatives, state spaces, convolutions, blocks.

use super::{Axis, Builder, Estimate, Kind, POSITIONS, Value, list, words};

/// The library's files, and those of their names that random models use.
const FILES: [(&str, &[&str]); 7] = [
    ("cells", &["RNN", "LSTM", "GRU", "MinGRU", "MinLSTM", "SLSTM", "MLSTM"]),
    ("norms", &["LayerNorm", "RMSNorm"]),
    (
        "attention",
        &[
            "SelfAttention",
            "CausalAttention",
            "AlibiAttention",
            "WindowAttention",
            "GroupedAttention",
            "CrossAttention",
            "RotaryAttention",
            "InterleavedRotaryAttention",
        ],
    ),
    ("linear_attention", &["Retention", "GatedLinearAttention"]),
    ("state_spaces", &["SelectiveStateSpace", "Mamba"]),
    ("convolutions", &["ShortConvolution", "CausalConvolution"]),
    ("blocks", &["MLP", "GatedMLP", "EncoderBlock", "DecoderBlock"]),
];

/// The line that brings in what a text uses of the library; empty where it uses nothing.
pub(super) fn uses(text: &str) -> String {
    let named: Vec<String> = words(text).collect();
    let used = FILES.iter().filter(|(_, names)| names.iter().any(|name| named.iter().any(|word| word == name)));
    let files: Vec<&str> = used.map(|(file, _)| *file).collect();
    if files.is_empty() { String::new() } else { format!("use {}\n\n", files.join(", ")) }
}

impl Builder {
    /// A block of the library.
    pub(super) fn library_block(&mut self) -> Option<()> {
        let x = self.pick(|value| value.time.is_some() && value.features.len() == 1 && value.estimate.size <= 1.5)?;
        let (axis, size) = (x.features[0], self.sizes[x.features[0]]);
        let heads = (1..=4).filter(|heads| size.is_multiple_of(*heads)).nth(self.random.below(3)).unwrap_or(1);
        let same = vec![axis];
        let (call, features): (String, Vec<Axis>) = match self.random.below(17) {
            0 => (format!("SelfAttention({}; heads = {heads})", x.name), same),
            1 => (format!("CausalAttention({}; heads = {heads})", x.name), same),
            2 => (format!("AlibiAttention({}; heads = {heads})", x.name), same),
            3 => {
                let window = 1 + self.random.below(6);
                (format!("WindowAttention({}; heads = {heads}, window = {window})", x.name), same)
            }
            4 => (format!("GroupedAttention({}; kv = 1, group = {heads})", x.name), same),
            5 => {
                let memory =
                    self.pick(|value| value.time.is_some() && value.time != x.time && value.features.len() == 1)?;
                if memory.estimate.error > x.estimate.error + 4.0 || memory.estimate.size > 1.5 {
                    return None;
                }
                (format!("CrossAttention({}, {}; heads = {heads})", x.name, memory.name), same)
            }
            6 => (format!("RotaryAttention({}; kv = {heads}, group = 2, half = 2, base = 100)", x.name), same),
            7 => {
                (format!("InterleavedRotaryAttention({}; kv = 1, group = {heads}, half = 3, base = 50)", x.name), same)
            }
            8 => (format!("Retention({}; heads = {heads})", x.name), same),
            9 => (format!("GatedLinearAttention({}; heads = {heads}, rank = 3)", x.name), same),
            10 => (format!("SelectiveStateSpace({}; states = 3, rank = 2)", x.name), same),
            11 => (format!("Mamba({}; inner = {}, states = 2, rank = 1, width = 3)", x.name, 2 * size), same),
            12 => (format!("ShortConvolution({}; width = {})", x.name, 1 + self.random.below(5)), same),
            13 => {
                let out = self.axis();
                let dilation = 1 + self.random.below(3);
                (format!("CausalConvolution({}; size = {}, dilation = {dilation})", x.name, list(&[out])), vec![out])
            }
            14 => (format!("{}({}; hidden = 5)", ["MLP", "GatedMLP"][self.random.below(2)], x.name), same),
            15 => {
                let block = ["EncoderBlock", "DecoderBlock"][self.random.below(2)];
                (format!("{block}({}; heads = {heads}, hidden = 7, epsilon = 0.1)", x.name), same)
            }
            _ => {
                let (width, out) = (2 * heads, self.new_axis(2 * heads));
                if width > 8 {
                    return None;
                }
                (format!("MLSTM({}; heads = {heads}, size = {})", x.name, list(&[out])), vec![out])
            }
        };
        let name = self.name();
        // A product of products of a few dozen parts, twice; squashed, as some of them sum over all positions.
        let inside = self.weighed(x.estimate, size);
        let averaged = inside.averaged(POSITIONS);
        let estimate = Estimate { size: 1.0, error: 3.0 * averaged.error + 6.0 };
        let (raw, left) = (self.name(), self.left(&name, x.time));
        let text = format!("{raw} = {call}\n{left} = tanh(0.2 * {raw})");
        self.add(&[Kind::Library], text, vec![Value { name, time: x.time, features, estimate }])
    }
}
