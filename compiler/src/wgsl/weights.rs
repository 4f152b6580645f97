//! How weights lie on a device: as 16-bit numbers where that is asked for, and in several buffers where one would be larger
//! than a shader can bind.
//!
//! ```text
//! weights[i]        →   f32(weights[i])     stored as f16, computed with as f32
//! weights[i]        →   weights_at(i)       which looks into weights_1, weights_2, …
//! ```
//!
//! Matrices of products are stored as f16 whatever their size, other weights where they are tables: what is small (gains and
//! biases) costs little memory and is added to everything. A matrix is cut between its rows, a table between two numbers.
//! What a run gives back stays f32.

use super::kernel::Spelling;
use super::shader::Target;
use super::text::{Expression, Text};
use crate::kernel::{Program, Role, Space};

/// Numbers of a weight at most that is copied to lie beside others; one of more is a table.
pub(super) const PARAMETERS: usize = 1 << 16;

/// How a buffer that does not change lies on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Whether its numbers are stored as f16.
    pub half: bool,
    /// Numbers in each of its buffers but the last, which has the rest.
    pub part: usize,
    /// How many buffers there are.
    pub parts: usize,
}

impl Layout {
    const WHOLE: Layout = Layout { half: false, part: usize::MAX, parts: 1 };

    /// Bytes of a number.
    pub fn bytes(&self) -> usize {
        if self.half { 2 } else { 4 }
    }
}

/// The layout of each of a program's buffers. Those that one argument of a kernel stands for have the same.
pub fn layouts(program: &Program, target: &Target) -> Vec<Layout> {
    let half = halves(program, target);
    let layout = |(buffer, half): (&crate::kernel::Buffer, bool)| {
        let fixed = match &buffer.role {
            Role::Weight(_) | Role::Packed(_) | Role::Constant(_) => true,
            Role::Input(_) | Role::Computed { .. } | Role::Kept => false,
        };
        let layout = Layout { half, ..Layout::WHOLE };
        let most = target.largest_binding / layout.bytes();
        if !fixed || buffer.row <= most {
            return layout;
        }
        let row = match &buffer.role {
            Role::Packed(parts) => parts.iter().map(|part| part.columns).sum(),
            Role::Weight(_) | Role::Constant(_) | Role::Input(_) | Role::Computed { .. } | Role::Kept => 1,
        };
        // A row that is longer than a buffer can be is cut as well.
        let part = if row > most { most.max(1) } else { most / row * row };
        Layout { part, parts: buffer.row.div_ceil(part), ..layout }
    };
    program.buffers.iter().zip(half).map(layout).collect()
}

/// Which buffers are stored as f16.
fn halves(program: &Program, target: &Target) -> Vec<bool> {
    let is_half = |buffer: &crate::kernel::Buffer| match &buffer.role {
        Role::Packed(_) => true,
        Role::Weight(_) => buffer.row > PARAMETERS,
        Role::Constant(_) | Role::Input(_) | Role::Computed { .. } | Role::Kept => false,
    };
    if !target.f16 {
        return vec![false; program.buffers.len()];
    }
    let mut half: Vec<bool> = program.buffers.iter().map(is_half).collect();
    for output in &program.outputs {
        half[output.buffer.0 as usize] = false;
    }
    // A kernel that is called with one that is and one that is not reads both as f32.
    let mut changed = true;
    while changed {
        changed = false;
        for (number, kernel) in program.kernels.iter().enumerate() {
            let calls = || program.calls.iter().filter(|call| call.kernel == number);
            for place in 0..kernel.arguments.len() {
                let all = calls().all(|call| half[call.arguments[place].0 as usize]);
                for call in calls().filter(|_| !all) {
                    changed |= std::mem::take(&mut half[call.arguments[place].0 as usize]);
                }
            }
        }
    }
    half
}

/// The layouts of a kernel's arguments.
pub(super) fn of_arguments(program: &Program, kernel: usize, target: &Target) -> Vec<Layout> {
    let own = &program.kernels[kernel];
    let Some(call) = program.calls.iter().find(|call| call.kernel == kernel) else {
        return vec![Layout::WHOLE; own.arguments.len()];
    };
    let layouts = layouts(program, target);
    let of = |(argument, id): (&crate::kernel::Argument, &crate::kernel::BufferId)| match argument.space {
        Space::Global => layouts[id.0 as usize],
        Space::Tracks(_) => Layout::WHOLE,
    };
    own.arguments.iter().zip(&call.arguments).map(of).collect()
}

impl Spelling<'_> {
    /// An element of an argument's array, or of the parameters where it lies among those.
    pub fn argument_element(&self, number: usize, place: &Expression) -> Expression {
        let name = &self.arguments[number];
        if self.parameters.contains(&number) {
            let place = Expression::atom(format!("{}_AT", name.to_uppercase())).plus(place);
            return Expression::atom(format!("parameters[{}]", place.text));
        }
        let layout = self.layouts[number];
        match &self.parts[number] {
            Some((function, _)) => Expression::atom(format!("{function}({})", place.text)),
            None => element(layout, name, place),
        }
    }

    /// The names of an argument's bindings.
    pub fn binding_names(&self, number: usize) -> Vec<String> {
        match &self.parts[number] {
            Some((_, names)) => names.clone(),
            None => vec![self.arguments[number].clone()],
        }
    }

    /// The functions that look into the right one of several buffers.
    pub fn part_functions(&self, text: &mut Text) {
        for (layout, parts) in self.layouts.iter().zip(&self.parts) {
            let Some((function, names)) = parts else { continue };
            text.line("\n// more than one binding can hold");
            text.block(format!("fn {function}(place: i32) -> f32"), |text| {
                for (number, name) in names.iter().enumerate() {
                    let place = Expression::atom("place").minus(&Expression::whole((number * layout.part) as i64));
                    let found = element(*layout, name, &place);
                    match number + 1 < names.len() {
                        true => text.block(format!("if place < {}", (number + 1) * layout.part), |text| {
                            text.line(format!("return {};", found.text));
                        }),
                        false => text.line(format!("return {};", found.text)),
                    }
                }
            });
        }
    }
}

fn element(layout: Layout, name: &str, place: &Expression) -> Expression {
    let element = format!("{name}[{}]", place.text);
    Expression::atom(if layout.half { format!("f32({element})") } else { element })
}
