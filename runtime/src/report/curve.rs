//! Curves over 1, 2, 4, … positions: what is left, on logarithmic axes.

use super::svg::{SIZE, escaped, length, short, width};

/// The least that is drawn.
const LEAST: f64 = 1e-4;
/// The most curves.
const MOST: usize = 8;
/// The colours of Okabe and Ito (2008), which people see apart who see fewer colours; the two that are hard to see on light or
/// dark paper are replaced by greys.
const COLOURS: [&str; MOST] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#a0522d"];
/// The area of curves: left, upper side, width, height.
const AREA: (f32, f32, f32, f32) = (52.0, 12.0, 620.0, 300.0);

/// A curve: what is left after 0, 1, 2, … positions.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Its name.
    pub name: String,
    /// Its points.
    pub points: Vec<f64>,
}

/// What is not drawn, in a sentence.
pub fn left_out(curves: &[Curve]) -> Option<String> {
    (curves.len() > MOST)
        .then(|| format!("The first {MOST} of {} states are drawn; name others with `--state`.", curves.len()))
}

/// The picture.
pub fn svg(curves: &[Curve]) -> String {
    let drawn = &curves[..curves.len().min(MOST)];
    let (left, upper, wide, high) = AREA;
    let longest = drawn.iter().map(|curve| curve.points.len().saturating_sub(1)).max().unwrap_or(1).max(2);
    let most = drawn
        .iter()
        .flat_map(|curve| curve.points.iter().skip(1))
        .copied()
        .filter(|point| point.is_finite())
        .fold(1.0, f64::max);
    // Up to the next power of ten where something grows.
    let top = if most > 1.05 { most.log10().ceil() } else { 0.0 };
    let bottom = LEAST.log10();
    let x = |step: usize| left + wide * ((step.max(1) as f64).log2() / (longest as f64).log2()) as f32;
    let y = |part: f64| {
        let part = if part.is_nan() { LEAST } else { part.clamp(LEAST, 10f64.powf(top)) };
        upper + high * ((top - part.log10()) / (top - bottom)) as f32
    };
    let names = drawn.iter().map(|curve| width(&short(&curve.name, 40))).fold(0.0, f32::max);
    let all = (left + wide + 34.0 + names, upper + high + 40.0);
    let mut text = format!(
        "<svg role=\"img\" aria-label=\"curves\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\">\n",
        w = length(all.0),
        h = length(all.1)
    );
    for power in bottom as i32..=top as i32 {
        let at = y(10f64.powi(power));
        let said = if power >= -2 { format!("{}", 10f64.powi(power)) } else { format!("1e{power}") };
        text.push_str(&format!(
            "<path class=\"grid\" d=\"M{left} {at} H{}\"/><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{said}</text>\n",
            left + wide,
            left - 8.0,
            at + SIZE * 0.35
        ));
    }
    let half = y(0.5);
    text.push_str(&format!(
        "<path class=\"grid back\" d=\"M{left} {half} H{}\"/><text class=\"quiet\" x=\"{}\" y=\"{}\" text-anchor=\"end\">half</text>\n",
        left + wide,
        left - 8.0,
        half + SIZE * 0.35
    ));
    for step in (0..usize::BITS).map(|power| 1usize << power).take_while(|step| *step <= longest) {
        text.push_str(&format!(
            "<path class=\"grid\" d=\"M{at} {upper} V{}\"/><text x=\"{at}\" y=\"{}\" text-anchor=\"middle\">{step}</text>\n",
            upper + high,
            upper + high + 16.0,
            at = length(x(step)),
        ));
    }
    text.push_str(&format!(
        "<text class=\"axis\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">positions later</text>\n",
        left + wide / 2.0,
        upper + high + 34.0
    ));
    for ((place, curve), colour) in drawn.iter().enumerate().zip(COLOURS) {
        // What is less than the least ends there.
        let end = curve.points.iter().position(|point| *point < LEAST).unwrap_or(curve.points.len().saturating_sub(1));
        let points: Vec<String> = (1..=end)
            .filter_map(|step| Some(format!("{} {}", length(x(step)), length(y(*curve.points.get(step)?)))))
            .collect();
        text.push_str(&format!("<path class=\"curve\" stroke=\"{colour}\" d=\"M{}\"/>\n", points.join(" L")));
        for step in (0..usize::BITS).map(|power| 1usize << power).take_while(|step| *step <= end) {
            let Some(point) = curve.points.get(step) else { continue };
            text.push_str(&format!(
                "<circle class=\"point\" cx=\"{}\" cy=\"{}\" r=\"4\" fill=\"{colour}\"><title>{}, {step} later: {point:.3e}</title></circle>\n",
                length(x(step)),
                length(y(*point)),
                escaped(&curve.name)
            ));
        }
        let line = upper + 14.0 + 18.0 * place as f32;
        text.push_str(&format!(
            "<circle cx=\"{}\" cy=\"{}\" r=\"5\" fill=\"{colour}\"/><text x=\"{}\" y=\"{}\">{}</text>\n",
            left + wide + 16.0,
            line - 4.0,
            left + wide + 26.0,
            line,
            escaped(&short(&curve.name, 40))
        ));
    }
    text.push_str("</svg>\n");
    text
}
