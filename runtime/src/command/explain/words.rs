//! What an explanation says, in words.

use seqwright_compiler::explain::{
    Equation, Explanation, Fate, Formula, Kept, Line, Polynomial, Recurrence, What, with_commas,
};
use seqwright_compiler::stream::{Field, Part, Window};
use seqwright_compiler::term::TimeId;

/// The most columns that a list of kernels has.
const MOST_KERNELS: usize = 9;

/// An equation's name in its group.
pub fn name(line: &Line) -> String {
    if line.equation.is_state { format!("state {}", line.name) } else { line.name.to_string() }
}

/// The numbers of an equation's kernels.
pub fn kernels(equation: &Equation) -> String {
    let all: Vec<String> = equation.kernels.iter().map(usize::to_string).collect();
    let text = all.join(", ");
    if text.len() <= MOST_KERNELS { text } else { format!("{}, …", all[..2].join(", ")) }
}

/// How many numbers the weights of an equation have.
pub fn weights(equation: &Equation) -> String {
    match equation.weights.iter().map(|weight| weight.numbers).sum::<usize>() {
        0 => String::new(),
        numbers => with_commas(numbers as u128),
    }
}

/// Positions that something reaches: `here`, `-3..0`, `..0` from the first on, `all`.
pub fn field(field: Field) -> String {
    let signed = |end: i64| if end > 0 { format!("+{end}") } else { end.to_string() };
    match field {
        Field::Nothing => String::new(),
        Field::Around(Window { low: None, high: None }) | Field::All => "all".to_string(),
        Field::Around(Window { low: Some(0), high: Some(0) }) => "here".to_string(),
        Field::Around(Window { low: Some(low), high: Some(high) }) if low == high => signed(low),
        Field::Around(Window { low, high }) => {
            let ends = [low, high].map(|end| end.map_or(String::new(), signed));
            format!("{}..{}", ends[0], ends[1])
        }
        Field::Last(0) => "last".to_string(),
        Field::Last(back) => format!("last {}", back + 1),
    }
}

/// Along each axis; named where a model has several.
pub fn fields(all: &[(TimeId, Field)], times: &[String]) -> String {
    let named = |(time, seen): &(TimeId, Field)| match times.len() {
        1 => field(*seen),
        _ => format!("{} {}", times[time.0 as usize], field(*seen)),
    };
    all.iter().map(named).collect::<Vec<_>>().join(", ")
}

/// Paths in a sentence, without what is common to all equations around it.
pub fn paths(all: &[String], inside: &str) -> String {
    let short = |path: &String| format!("`{}`", relative(path, inside));
    match all {
        [] => String::new(),
        [only] => short(only),
        [others @ .., last] => {
            format!("{} and {}", others.iter().map(short).collect::<Vec<_>>().join(", "), short(last))
        }
    }
}

/// A path as seen from inside an iteration of a repeat.
fn relative<'a>(path: &'a str, inside: &str) -> &'a str {
    match path.strip_prefix(inside).and_then(|rest| rest.strip_prefix('.')) {
        Some(rest) if !inside.is_empty() => rest,
        Some(_) | None => path,
    }
}

/// The heading of layers that are alike.
pub fn layers(path: &str, count: usize) -> String {
    match (path.rsplit_once('.'), count) {
        (_, 1) | (None, _) => path.to_string(),
        (Some((stem, number)), count) => {
            let last = number.parse::<usize>().map_or(0, |number| number + count - 1);
            format!("{path} … {stem}.{last}, {count} alike")
        }
    }
}

/// What became of an equation, where it is more than a loop of its kernel.
pub fn notes(equation: &Equation, inside: &str) -> Vec<String> {
    let path = |path: &str| format!("`{}`", relative(path, inside));
    let mut notes = products(equation, inside);
    let hoisted_product =
        |kernel: usize| matches!(&fate_in(equation, kernel), Some(Fate::Product { hoisted: true, .. }));
    for fate in &equation.fates {
        match fate {
            // What is added to a hoisted product goes with it.
            Fate::Loop { kernel, hoisted: true } if !hoisted_product(*kernel) => {
                notes.push(format!(
                    "what is free of the state is hoisted out of the time loop{}",
                    at(equation, *kernel)
                ));
            }
            Fate::Loop { .. } | Fate::Product { .. } => {}
            Fate::Attention { over, .. } => notes.push(match over.as_slice() {
                [] => "attention in one pass that never stores its scores".to_string(),
                over => format!("attention in one pass that never stores {}", paths(over, inside)),
            }),
            Fate::Inside { attention } if equation.kernels.is_empty() => {
                notes.push(format!("never stored: computed inside the attention {}", path(attention)));
            }
            Fate::Inside { attention } => {
                notes.push(format!("inside the attention {} as well", path(attention)));
            }
            Fate::TakenApart => {
                notes.push("softmax as a largest score, exponentials, their sum and a quotient".to_string());
            }
            Fate::PutInto { .. } if equation.fates.iter().any(|other| matches!(other, Fate::Inside { .. })) => {}
            Fate::PutInto { readers } => notes.push(format!("put into {}", paths(readers, inside))),
            Fate::SameAs { other, whole: true } => {
                notes.push(format!("the same as {}, which is computed once", path(other)))
            }
            Fate::SameAs { other, whole: false } => {
                notes.push(format!("a part is one of {} too, and computed once", path(other)))
            }
            Fate::Renamed { to } => notes.push(format!("another name of {}", path(to))),
            Fate::Dropped => notes.push("nothing that is asked for needs it".to_string()),
        }
    }
    if equation.lag > 0 {
        notes.push(format!("comes {} later in a stream", positions(equation.lag)));
    }
    if !equation.outputs.is_empty() {
        notes.push("asked for".to_string());
    }
    notes
}

/// A kernel's number, where an equation has several.
fn at(equation: &Equation, kernel: usize) -> String {
    if equation.kernels.len() > 1 { format!(" (kernel {kernel})") } else { String::new() }
}

fn fate_in(equation: &Equation, wanted: usize) -> Option<&Fate> {
    equation.fates.iter().find(|fate| matches!(fate, Fate::Product { kernel, .. } if *kernel == wanted))
}

/// An equation's products, those that are one with the same others in one sentence.
fn products(equation: &Equation, inside: &str) -> Vec<String> {
    let mut told: Vec<(&[String], Vec<String>)> = Vec::new();
    for fate in &equation.fates {
        let Fate::Product { kernel, operand, with, hoisted } = fate else { continue };
        if with.is_empty() && !hoisted {
            continue;
        }
        let outside = if *hoisted { " hoisted out of the time loop" } else { "" };
        let product = format!("with `{}`{outside}{}", relative(operand, inside), at(equation, *kernel));
        match told.iter_mut().find(|(others, _)| *others == with.as_slice()) {
            Some((_, products)) => products.push(product),
            None => told.push((with, vec![product])),
        }
    }
    let sentence = |(with, products): (&[String], Vec<String>)| {
        let (noun, each) = if products.len() > 1 { ("products", "each one") } else { ("product", "one") };
        let with = match with {
            [] => String::new(),
            with => format!(", {each} with {}", theirs(with, inside)),
        };
        format!("{noun} {}{with}", products.join(" and "))
    };
    told.into_iter().map(sentence).collect()
}

fn theirs(with: &[String], inside: &str) -> String {
    match with {
        [_] => format!("that of {}", paths(with, inside)),
        _ => format!("those of {}", paths(with, inside)),
    }
}

/// `1 position`, `3 positions`.
pub fn positions(count: usize) -> String {
    counted(count, "position")
}

/// `1 kernel`, `3 kernels`.
pub fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// A formula in so many columns: as it came, or multiplied out where that is too long.
pub fn formula(formula: &Formula, times: &[String], columns: usize) -> String {
    if formula.is_zero() {
        return String::new();
    }
    let bound = if formula.at_most { "at most " } else { "" };
    let whole = format!("{bound}{}", formula.print(times));
    if whole.chars().count() <= columns { whole } else { multiplied(formula, times) }
}

/// A formula multiplied out.
pub fn multiplied(formula: &Formula, times: &[String]) -> String {
    let bound = if formula.at_most { "at most " } else { "" };
    format!("{bound}{}", formula.polynomial().print(times))
}

/// From which lengths on a polynomial holds, if not from all.
pub fn holds_from(polynomial: &Polynomial, times: &[String]) -> String {
    let ends = polynomial.from.iter().filter(|(_, least)| **least > 1);
    let ends: Vec<String> = ends.map(|(time, least)| format!("{} >= {least}", times[time.0 as usize])).collect();
    if ends.is_empty() { String::new() } else { format!(", if {}", ends.join(" and ")) }
}

/// What a kept value is.
pub fn kept(kept: &Kept) -> String {
    match kept.what {
        What::Recurrent(1) => "recurrent value".to_string(),
        What::Recurrent(count) => format!("recurrent value, the last {}", positions(count)),
        What::Grows => "cache of every position so far".to_string(),
        What::Ring { positions: count, seen } if seen == count => format!("ring of the last {}", positions(count)),
        What::Ring { positions: count, seen } => {
            format!("ring of the last {seen}, and {} to fill a vector", count - seen)
        }
        What::Last(1) => "the last position".to_string(),
        What::Last(count) => format!("the last {}", positions(count)),
        What::Once => "computed once".to_string(),
        What::Given => "given once".to_string(),
    }
}

/// A kept value of one layer or of several.
pub struct Alike<'a> {
    /// The first layer's.
    pub kept: &'a Kept,
    /// Its path, with `*` for the layer where there are several.
    pub path: String,
    /// How many there are.
    pub count: usize,
}

impl Alike<'_> {
    /// Bytes of all of them.
    pub fn bytes(&self) -> Formula {
        let mut all = self.kept.bytes.clone();
        for product in all.products.iter_mut().filter(|_| self.count > 1) {
            product.factors.insert(0, product.times);
            product.times = self.count as u64;
        }
        all
    }

    /// Who reads them at earlier positions.
    pub fn readers(&self) -> Vec<String> {
        if self.count > 1 { generic(&self.kept.readers) } else { self.kept.readers.clone() }
    }
}

/// Kept values that are the same in several layers as one.
pub fn alike(kept: &[Kept]) -> Vec<Alike<'_>> {
    let mut all: Vec<Alike> = Vec::new();
    for own in kept {
        let path = with_stars(&own.path);
        let same = |known: &&mut Alike| {
            let other = known.kept;
            known.path == path && (other.what, other.numbers, &other.bytes) == (own.what, own.numbers, &own.bytes)
        };
        match all.iter_mut().find(same) {
            Some(known) => known.count += 1,
            None => all.push(Alike { kept: own, path, count: 1 }),
        }
    }
    for own in &mut all {
        let (path, equation) = (&own.kept.path, &own.kept.equation);
        let name = if own.count == 1 { equation.clone() } else { with_stars(equation) };
        own.path = if path == equation { name } else { format!("{name}, a part") };
    }
    all
}

/// A path with `*` for the number of each iteration.
fn with_stars(path: &str) -> String {
    let digit = |segment: &str| segment.starts_with(|letter: char| letter.is_ascii_digit());
    let star = |segment| if digit(segment) { "*" } else { segment };
    path.split('.').map(star).collect::<Vec<_>>().join(".")
}

/// Paths of several layers, each once.
pub fn generic(paths: &[String]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for path in paths.iter().map(|path| with_stars(path)) {
        if !all.contains(&path) {
            all.push(path);
        }
    }
    all
}

/// Equations that are computed at some time, those of several layers once; layers all of whose equations are, as one.
pub fn computed(all: &[Equation], part: Part) -> Vec<String> {
    let whole = |stem: &str| {
        let inside = |equation: &&Equation| stem_of(&with_stars(&equation.path)) == Some(stem);
        all.iter().filter(inside).all(|equation| equation.part.is_none_or(|own| own == part))
    };
    let mut told: Vec<String> = Vec::new();
    for equation in all.iter().filter(|equation| equation.part == Some(part)) {
        let path = with_stars(&equation.path);
        let name = match stem_of(&path) {
            Some(stem) if told.iter().any(|known| known == stem) || whole(stem) => stem.to_string(),
            Some(_) | None => path,
        };
        if !told.contains(&name) {
            told.push(name);
        }
    }
    told
}

/// The part of a path up to its last iteration: `encoder.*` of `encoder.*.attention.q`.
fn stem_of(path: &str) -> Option<&str> {
    path.rfind('*').map(|place| &path[..=place])
}

/// Recurrences that are the same in several layers as one, with the number of layers; each as its lines say it.
pub fn recurrences(all: &[Recurrence]) -> Vec<(Recurrence, usize)> {
    let mut told: Vec<(Recurrence, &Recurrence, usize)> = Vec::new();
    for own in all {
        let starred = with_stars_in(own);
        match told.iter_mut().find(|(known, ..)| *known == starred) {
            Some((.., count)) => *count += 1,
            None => told.push((starred, own, 1)),
        }
    }
    let chosen = |(starred, own, count): (Recurrence, &Recurrence, usize)| match count {
        1 => (own.clone(), count),
        _ => (starred, count),
    };
    told.into_iter().map(chosen).collect()
}

fn with_stars_in(own: &Recurrence) -> Recurrence {
    Recurrence {
        states: generic(&own.states),
        others: generic(&own.others),
        reads: own.reads.iter().map(|(read, readers)| (with_stars(read), generic(readers))).collect(),
        cause: own.cause.as_ref().map(|(equation, span, text)| (with_stars(equation), *span, text_with_stars(text))),
        ..own.clone()
    }
}

/// A sentence with `*` for the iterations in the paths that it names.
fn text_with_stars(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts
        .map(|(place, part)| if place % 2 == 1 { with_stars(part) } else { part.to_string() })
        .collect::<Vec<_>>()
        .join("`")
}

/// `y, h_n from x[T, input = 12]`.
pub fn signature(explained: &Explanation) -> String {
    let inputs: Vec<String> = explained.inputs.iter().map(|(name, axes)| format!("{name}{axes}")).collect();
    let inputs = if inputs.is_empty() { "nothing".to_string() } else { inputs.join(", ") };
    format!("{} from {inputs}", explained.outputs.join(", "))
}
