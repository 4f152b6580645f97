//! Kernels as bars, as long as they take, with what they compute.

use super::colours::Scale;
use super::svg::{escaped, hex, length, short, width};

/// The most kernels that are drawn.
pub const MOST: usize = 24;
/// The longest bar, in pixels.
const LONGEST: f32 = 300.0;
/// The height of a kernel's line.
const LINE: f32 = 24.0;
/// The width of the picture.
const WIDE: f32 = 1000.0;

/// A kernel and its time.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// Its number.
    pub number: usize,
    /// How it runs.
    pub kind: String,
    /// How often it is called in a run.
    pub calls: usize,
    /// What it computes.
    pub equations: Vec<String>,
    /// The time of all its calls, in seconds.
    pub seconds: f64,
}

/// The scale of times.
pub fn scale(kernels: &[Kernel]) -> Scale {
    let most = kernels.iter().map(|kernel| kernel.seconds * 1e3).fold(0.0, f64::max);
    Scale::Sequential { low: 0.0, high: most as f32 }
}

/// The picture, in the order in which the kernels are given.
pub fn svg(kernels: &[Kernel]) -> String {
    let scale = scale(kernels);
    let all: f64 = kernels.iter().map(|kernel| kernel.seconds).sum();
    let longest = kernels.iter().map(|kernel| kernel.seconds).fold(0.0, f64::max);
    let shown = &kernels[..kernels.len().min(MOST)];
    let names: Vec<String> = shown
        .iter()
        .map(|kernel| match kernel.calls {
            1 => format!("{} {}", kernel.number, kernel.kind),
            calls => format!("{} {}, {calls} times", kernel.number, kernel.kind),
        })
        .collect();
    let left = names.iter().map(|name| width(name)).fold(0.0, f32::max) + 8.0;
    let high = LINE * shown.len() as f32;
    let mut text = format!(
        "<svg role=\"img\" aria-label=\"kernels\" width=\"{WIDE}\" height=\"{h}\" viewBox=\"0 0 {WIDE} {h}\">\n",
        h = length(high)
    );
    for (place, (kernel, name)) in shown.iter().zip(&names).enumerate() {
        let y = LINE * place as f32;
        let part = if longest > 0.0 { (kernel.seconds / longest) as f32 } else { 0.0 };
        let share = if all > 0.0 { 100.0 * kernel.seconds / all } else { 0.0 };
        let said = format!("{:.3} ms, {share:.0} %", kernel.seconds * 1e3);
        let long = (part * LONGEST).max(1.0);
        let colour = hex(scale.colour(part));
        let equations = kernel.equations.join(", ");
        let behind = left + long + 6.0 + width(&said) + 12.0;
        let room = ((WIDE - behind) / width("m")).max(8.0) as usize;
        text.push_str(&format!(
            "<g><title>{}</title><text x=\"{}\" y=\"{base}\" text-anchor=\"end\">{}</text>\
             <rect class=\"bar\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"2\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"{base}\" class=\"strong\">{said}</text>\
             <text x=\"{}\" y=\"{base}\" class=\"quiet\">{}</text></g>\n",
            escaped(&equations),
            length(left - 8.0),
            escaped(name),
            length(left),
            length(y + 4.0),
            length(long),
            length(LINE - 8.0),
            length(left + long + 6.0),
            length(behind),
            escaped(&short(&equations, room)),
            base = length(y + LINE / 2.0 + 4.0),
        ));
    }
    text.push_str("</svg>\n");
    text
}
