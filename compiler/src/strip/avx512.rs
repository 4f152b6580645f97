//! Strips as machine code with AVX-512 (F, DQ) and BMI2: sixteen numbers a vector.
//!
//! `strip(called_with, count)`: `called_with` is what [`Strip::place_of_read`] describes. The run is gone along two vectors at
//! a time, then one, then with a mask that holds what is left: a masked load reads nothing beyond the run. What is the same
//! throughout stays in registers.
//!
//! A division by what is the same throughout takes six times as long as what it is made of here: a product with the
//! reciprocal, whose remainder then corrects it (Markstein, "Computation of elementary functions on the IBM RISC System/6000
//! processor", 1990). The quotient is the one that rounding gives, but for some that are nearly 0. That holds for divisors that are
//! neither large nor small; a strip begins with a look at them, and divides where one of them is.
//!
//! Only the upper sixteen vector registers are used, which no calling convention keeps and which cost what comes after nothing,
//! and the general ones that both conventions of x86-64 leave to a function.

pub use super::encoding::Code;
use super::encoding::*;
use super::{Step, StepId, Strip};
use crate::syntax::tree::Comparator;
use crate::term::{Binary, Unary};
use std::collections::HashMap;

/// In which registers a function is given its two arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convention {
    /// System V: rdi, rsi.
    SystemV,
    /// Windows: rcx, rdx.
    Windows,
}

/// The machine code of a strip; none where it needs more registers than there are.
pub fn encode(strip: &Strip, convention: Convention) -> Option<Code> {
    let mut making = Making {
        strip,
        code: Assembler::default(),
        same: HashMap::new(),
        reciprocals: HashMap::new(),
        by_reciprocals: false,
    };
    making.whole(convention)?;
    Some(making.code.finished())
}

/// The registers of steps.
const FIRST: Vector = 16;
const LAST: Vector = 30;
/// What a quotient leaves.
const REMAINDER: Vector = 31;

/// Divisors whose reciprocals are products' factors: from 2^-64 to 2^64, by their bits.
const DIVISORS: [u32; 2] = [(127 - 64) << 23, (127 + 64) << 23];

/// Bytes of a vector.
const BYTES: i32 = 64;

/// What a body is computed for.
#[derive(Clone, Copy)]
struct Turn {
    /// Vectors.
    vectors: usize,
    /// Whether only the lanes of k1.
    masked: bool,
}

/// Rounding down, without saying that it was inexact.
const DOWN: u8 = 0x09;
/// The comparison that holds where either is no number.
const UNORDERED: u8 = 0x03;
/// The classes of what is no number or infinite.
const NOT_FINITE: u8 = 0x99;

struct Making<'s> {
    strip: &'s Strip,
    code: Assembler,
    /// The registers of what is the same throughout.
    same: HashMap<Same, Vector>,
    /// Those of its reciprocals.
    reciprocals: HashMap<Same, Vector>,
    /// Whether quotients are products.
    by_reciprocals: bool,
}

/// What is the same throughout.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Same {
    Given(usize),
    Constant(u32),
}

/// The bits of a sign, and all others.
const SIGN: Same = Same::Constant(0x8000_0000);
const NO_SIGN: Same = Same::Constant(0x7fff_ffff);

impl Making<'_> {
    fn whole(&mut self, convention: Convention) -> Option<()> {
        match convention {
            Convention::SystemV => {
                self.code.plain(&[0x49, 0x89, 0xf8], "mov r8, rdi");
                self.code.plain(&[0x49, 0x89, 0xf1], "mov r9, rsi");
            }
            Convention::Windows => {
                self.code.plain(&[0x49, 0x89, 0xc8], "mov r8, rcx");
                self.code.plain(&[0x49, 0x89, 0xd1], "mov r9, rdx");
            }
        }
        self.code.plain(&[0x49, 0xc1, 0xe1, 0x02], "shl r9, 2");
        self.code.plain(&[0x31, 0xc9], "xor ecx, ecx");
        let divisors = self.divisors();
        self.load_same(&divisors)?;
        if divisors.is_empty() {
            self.run("")?;
        } else {
            let odd = self.look_at(&divisors);
            self.by_reciprocals = true;
            self.run("")?;
            odd.into_iter().for_each(|jump| self.code.patch(jump, self.code.length()));
            self.code.label("odd");
            self.by_reciprocals = false;
            self.run("odd_")?;
        }
        Some(())
    }

    /// What is divided by that is the same throughout, and may have a reciprocal.
    fn divisors(&self) -> Vec<Same> {
        let mut found = Vec::new();
        for step in &self.strip.steps {
            let Step::Binary(Binary::Divide, _, by) = step else { continue };
            let same = self.same_of(*by).filter(|same| match same {
                Same::Given(_) => true,
                Same::Constant(bits) => (DIVISORS[0]..=DIVISORS[1]).contains(&(bits & 0x7fff_ffff)),
            });
            found.extend(same.filter(|same| !found.contains(same)));
        }
        found
    }

    /// Jumps away where a divisor is too large or too small, or no number.
    fn look_at(&mut self, divisors: &[Same]) -> Vec<usize> {
        let given = divisors.iter().filter_map(|same| match same {
            Same::Given(number) => Some(self.strip.place_of_same(*number)),
            Same::Constant(_) => None,
        });
        let mut jumps = Vec::new();
        for place in given.collect::<Vec<usize>>() {
            let with = |opcode: &[u8], number: u32| [opcode, &number.to_le_bytes()].concat();
            self.code.plain(&with(&[0x41, 0x8b, 0x80], place as u32), &format!("mov eax, [r8 + {place}]"));
            self.code.plain(&with(&[0x25], 0x7fff_ffff), "and eax, 0x7fffffff");
            self.code.plain(&with(&[0x2d], DIVISORS[0]), &format!("sub eax, {:#x}", DIVISORS[0]));
            let range = DIVISORS[1] - DIVISORS[0];
            self.code.plain(&with(&[0x3d], range), &format!("cmp eax, {range:#x}"));
            jumps.push(self.code.jump([0x0f, 0x87], "ja odd"));
        }
        jumps
    }

    /// The whole run, from the first vector to the rest.
    fn run(&mut self, label: &str) -> Option<()> {
        // With two vectors at once there may be too few registers.
        if self.registers(2).is_some() {
            self.turns(2, label)?;
        }
        self.turns(1, label)?;
        self.code.plain(&[0x4c, 0x39, 0xc9], "cmp rcx, r9");
        let end = self.code.jump([0x0f, 0x83], &format!("jae {label}end"));
        self.code.plain(&[0x4d, 0x89, 0xca], "mov r10, r9");
        self.code.plain(&[0x49, 0x29, 0xca], "sub r10, rcx");
        self.code.plain(&[0x49, 0xc1, 0xea, 0x02], "shr r10, 2");
        self.code.plain(&[0xb8, 0xff, 0xff, 0xff, 0xff], "mov eax, -1");
        self.code.plain(&[0xc4, 0xe2, 0x28, 0xf5, 0xc0], "bzhi eax, eax, r10d");
        self.code.plain(&[0xc5, 0xf8, 0x92, 0xc8], "kmovw k1, eax");
        self.body(Turn { vectors: 1, masked: true })?;
        self.code.land(end, &format!("{label}end"));
        self.code.plain(&[0xc3], "ret");
        Some(())
    }

    /// The loop over whole turns of so many vectors.
    fn turns(&mut self, vectors: usize, label: &str) -> Option<()> {
        let bytes = BYTES * vectors as i32;
        self.code.plain(&[0x4d, 0x89, 0xca], "mov r10, r9");
        self.code.plain(&[0x49, 0x83, 0xe2, (-bytes) as u8], &format!("and r10, -{bytes}"));
        self.code.plain(&[0x4c, 0x39, 0xd1], "cmp rcx, r10");
        let after = self.code.jump([0x0f, 0x83], &format!("jae {label}after{vectors}"));
        let start = self.code.length();
        self.code.label(&format!("{label}turn{vectors}"));
        self.body(Turn { vectors, masked: false })?;
        let [low, high, ..] = bytes.to_le_bytes();
        self.code.plain(&[0x48, 0x81, 0xc1, low, high, 0, 0], &format!("add rcx, {bytes}"));
        self.code.plain(&[0x4c, 0x39, 0xd1], "cmp rcx, r10");
        let back = self.code.jump([0x0f, 0x82], &format!("jb {label}turn{vectors}"));
        self.code.patch(back, start);
        self.code.land(after, &format!("{label}after{vectors}"));
        Some(())
    }

    /// What is the same throughout, into registers.
    fn load_same(&mut self, divisors: &[Same]) -> Option<()> {
        let mut all: Vec<Same> = Vec::new();
        for step in &self.strip.steps {
            all.extend(match step {
                Step::Same(number) => Some(Same::Given(*number)),
                Step::Constant(number) => Some(Same::Constant(number.to_bits())),
                Step::Unary(Unary::Negate, _) => Some(SIGN),
                Step::Unary(Unary::Abs, _) => Some(NO_SIGN),
                Step::Read(_) | Step::Unary(..) | Step::Binary(..) | Step::Choose(..) => None,
            });
        }
        for same in all {
            if self.same.contains_key(&same) {
                continue;
            }
            let register = FIRST + self.same.len() as u8;
            if register > LAST {
                return None;
            }
            let from = match same {
                Same::Given(number) => Operand::Given(self.strip.place_of_same(number) as i32),
                Same::Constant(bits) => self.code.constant(bits),
            };
            self.code.vector(BROADCAST, register, None, from, With::default());
            self.same.insert(same, register);
        }
        if !divisors.is_empty() {
            let one = self.code.constant(1f32.to_bits());
            self.code.vector(BROADCAST, REMAINDER, None, one, With::default());
        }
        for divisor in divisors {
            let register = FIRST + (self.same.len() + self.reciprocals.len()) as u8;
            if register > LAST {
                return None;
            }
            let by = Operand::Vector(self.same[divisor]);
            self.code.vector(DIVIDE, register, Some(REMAINDER), by, With::default());
            self.reciprocals.insert(*divisor, register);
        }
        Some(())
    }

    /// What a step has, if it is the same throughout.
    fn same_of(&self, of: StepId) -> Option<Same> {
        match &self.strip.steps[of] {
            Step::Same(number) => Some(Same::Given(*number)),
            Step::Constant(number) => Some(Same::Constant(number.to_bits())),
            Step::Read(_) | Step::Unary(..) | Step::Binary(..) | Step::Choose(..) => None,
        }
    }

    /// For each step the first of the registers of a turn's vectors, side by side: none where they do not suffice.
    fn registers(&self, vectors: usize) -> Option<Vec<Vector>> {
        let steps = &self.strip.steps;
        let mut last: Vec<usize> = (0..steps.len()).collect();
        for (place, step) in steps.iter().enumerate() {
            operands(step).into_iter().for_each(|of| last[of] = place);
        }
        if let Some(written) = last.last_mut() {
            *written = steps.len();
        }
        let taken = (self.same.len() + self.reciprocals.len()) as u8;
        let mut free: Vec<Vector> = (FIRST + taken..=LAST).rev().collect();
        let mut chosen = vec![FIRST; steps.len()];
        for (place, step) in steps.iter().enumerate() {
            chosen[place] = match self.same_of(place) {
                Some(same) => self.same[&same],
                None => {
                    // The result has registers of its own: some steps write it before they have read everything.
                    let first = *free
                        .iter()
                        .rev()
                        .find(|first| (0..vectors as u8).all(|vector| free.contains(&(**first + vector))))?;
                    free.retain(|register| !(first..first + vectors as u8).contains(register));
                    first
                }
            };
            let mut done: Vec<StepId> = operands(step).into_iter().filter(|of| last[*of] == place).collect();
            done.sort_unstable();
            done.dedup();
            for of in done.into_iter().filter(|of| self.same_of(*of).is_none()) {
                free.extend(chosen[of]..chosen[of] + vectors as u8);
            }
            free.sort_unstable_by(|one, other| other.cmp(one));
        }
        Some(chosen)
    }

    /// The steps, for one turn.
    fn body(&mut self, turn: Turn) -> Option<()> {
        let registers = self.registers(turn.vectors)?;
        let strip = self.strip;
        let apart = |making: &Self, of: StepId, vector: u8| registers[of] + making.same_of(of).map_or(vector, |_| 0);
        let mask = With { mask: u8::from(turn.masked), zeros: turn.masked, number: None };
        for (place, step) in strip.steps.iter().enumerate() {
            if let Step::Read(number) = step {
                self.address(Strip::place_of_read(*number));
            }
            for vector in 0..turn.vectors as u8 {
                let of = |making: &Self, of: StepId| apart(making, of, vector);
                let to = of(self, place);
                match step {
                    Step::Same(_) | Step::Constant(_) => {}
                    Step::Read(_) => self.code.vector(LOAD, to, None, Operand::Run(BYTES * i32::from(vector)), mask),
                    Step::Unary(operation, operand) => self.unary(*operation, to, of(self, *operand))?,
                    Step::Binary(operation, left, right) => {
                        let reciprocal = self.same_of(*right).and_then(|same| self.reciprocals.get(&same).copied());
                        let (left, right) = (of(self, *left), of(self, *right));
                        match (operation, reciprocal) {
                            (Binary::Divide, Some(reciprocal)) if self.by_reciprocals => {
                                self.quotient(to, left, right, reciprocal);
                            }
                            _ => self.binary(*operation, to, left, right)?,
                        }
                    }
                    Step::Choose(comparisons, left, right) => {
                        for (number, (comparator, one, other)) in comparisons.iter().enumerate() {
                            // The first into k2, the others into k3 and both together into k2.
                            let into = if number == 0 { 2 } else { 3 };
                            self.compare(into, of(self, *one), of(self, *other), code_of(*comparator));
                            if number > 0 {
                                self.code.plain(&[0xc5, 0xec, 0x41, 0xd3], "kandw k2, k2, k3");
                            }
                        }
                        let (left, right) = (of(self, *left), of(self, *right));
                        self.blend(to, if comparisons.is_empty() { left } else { right }, left);
                    }
                }
            }
        }
        self.address(0);
        let last = strip.steps.len().checked_sub(1)?;
        for vector in 0..turn.vectors as u8 {
            let from = apart(self, last, vector);
            let with = With { mask: u8::from(turn.masked), ..With::default() };
            self.code.vector(STORE, from, None, Operand::Run(BYTES * i32::from(vector)), with);
        }
        Some(())
    }

    fn unary(&mut self, operation: Unary, to: Vector, of: Vector) -> Option<()> {
        let with = |number| With { number, ..With::default() };
        match operation {
            Unary::Negate => {
                self.code.vector(EXCLUSIVE_OR, to, Some(of), Operand::Vector(self.same[&SIGN]), with(None))
            }
            Unary::Abs => self.code.vector(AND, to, Some(of), Operand::Vector(self.same[&NO_SIGN]), with(None)),
            Unary::Sqrt => self.code.vector(ROOT, to, None, Operand::Vector(of), with(None)),
            Unary::Floor => self.code.vector(ROUND, to, None, Operand::Vector(of), with(Some(DOWN))),
            Unary::Exp | Unary::Log | Unary::Tanh | Unary::Sigmoid | Unary::Erf | Unary::Sin | Unary::Cos => {
                return None;
            }
        }
        Some(())
    }

    /// A quotient by its divisor's reciprocal. What it leaves is exact, and not finite where the quotient is not: that stays as it is.
    fn quotient(&mut self, to: Vector, left: Vector, right: Vector, reciprocal: Vector) {
        self.code.vector(MULTIPLY, to, Some(left), Operand::Vector(reciprocal), With::default());
        self.code.vector(COPY, REMAINDER, None, Operand::Vector(left), With::default());
        self.code.vector(SUBTRACT_PRODUCT, REMAINDER, Some(to), Operand::Vector(right), With::default());
        let classes = With { number: Some(NOT_FINITE), ..With::default() };
        self.code.vector(CLASSIFY, 2, None, Operand::Vector(REMAINDER), classes);
        self.code.vector(MULTIPLY_ADD, REMAINDER, Some(reciprocal), Operand::Vector(to), With::default());
        self.blend(to, REMAINDER, to);
    }

    fn binary(&mut self, operation: Binary, to: Vector, left: Vector, right: Vector) -> Option<()> {
        let mut plain =
            |instruction| self.code.vector(instruction, to, Some(left), Operand::Vector(right), With::default());
        match operation {
            Binary::Add => plain(ADD),
            Binary::Subtract => plain(SUBTRACT),
            Binary::Multiply => plain(MULTIPLY),
            Binary::Divide => plain(DIVIDE),
            Binary::Minimum | Binary::Maximum => {
                // It gives the right one where either is no number: the left one where that is none.
                plain(if operation == Binary::Minimum { LESSER } else { GREATER });
                self.compare(2, left, left, UNORDERED);
                self.blend(to, to, left);
            }
            Binary::Remainder => {
                plain(DIVIDE);
                let down = With { number: Some(DOWN), ..With::default() };
                self.code.vector(ROUND, to, None, Operand::Vector(to), down);
                self.code.vector(MULTIPLY, to, Some(right), Operand::Vector(to), With::default());
                self.code.vector(SUBTRACT, to, Some(left), Operand::Vector(to), With::default());
            }
            Binary::Power => return None,
        }
        Some(())
    }

    fn compare(&mut self, mask: u8, left: Vector, right: Vector, code: u8) {
        let with = With { number: Some(code), ..With::default() };
        self.code.vector(COMPARE, mask, Some(left), Operand::Vector(right), with);
    }

    /// The second where k2 has ones, else the first.
    fn blend(&mut self, to: Vector, first: Vector, second: Vector) {
        self.code.vector(BLEND, to, Some(first), Operand::Vector(second), With { mask: 2, ..With::default() });
    }

    /// An address that the strip is called with, into rax.
    fn address(&mut self, place: usize) {
        let mut bytes = vec![0x49, 0x8b, 0x80];
        bytes.extend((place as i32).to_le_bytes());
        self.code.plain(&bytes, &format!("mov rax, [r8 + {place}]"));
    }
}

/// The steps that a step is computed from.
fn operands(step: &Step) -> Vec<StepId> {
    match step {
        Step::Read(_) | Step::Same(_) | Step::Constant(_) => Vec::new(),
        Step::Unary(_, of) => vec![*of],
        Step::Binary(_, left, right) => vec![*left, *right],
        Step::Choose(comparisons, left, right) => {
            comparisons.iter().flat_map(|(_, one, other)| [*one, *other]).chain([*left, *right]).collect()
        }
    }
}

/// The number that an instruction has for a comparison: none holds of what is no number, but that it is not equal.
fn code_of(comparator: Comparator) -> u8 {
    match comparator {
        Comparator::Less => 0x11,
        Comparator::LessEqual => 0x12,
        Comparator::Greater => 0x1e,
        Comparator::GreaterEqual => 0x1d,
        Comparator::Equal => 0x00,
        Comparator::NotEqual => 0x04,
    }
}
