//! Calls of strips: a body along a run of neighbours, by vectors wider than Cranelift has ([`crate::strip`]).
//!
//! Before the call the run's addresses and what is the same throughout are put where the strip looks for them.

use super::kernel::{STRIPS, Spelling};
use super::loops::{Stretch, runs};
use super::numbers::At;
use crate::kernel::{Access, Comparison, Scalar};
use crate::strip::avx512::{Code, Convention, encode};
use crate::strip::{Step, StepId, Strip};
use cranelift_codegen::ir::{
    AbiParam, ExtFuncData, ExternalName, InstBuilder, Signature, StackSlotData, StackSlotKind, UserExternalName, Value,
};
use cranelift_codegen::isa::CallConv;

/// Shorter runs are not worth a call: two vectors. In debug builds all are, so that every small model of the tests has strips.
const SHORTEST: usize = if cfg!(debug_assertions) { 1 } else { 32 };

/// What is computed along a run, and where it goes.
pub(super) struct Along<'s> {
    pub body: &'s Scalar,
    /// Where it is 0 elsewhere.
    pub domain: &'s [Comparison],
    pub to: To<'s>,
}

/// Where the numbers of a run go.
#[derive(Clone, Copy)]
pub(super) enum To<'s> {
    /// Memory of a buffer or short-lived array.
    Access(&'s Access),
    /// Memory on the stack, for this run alone.
    Stack(Value),
}

/// Where a run lies that is read.
#[derive(PartialEq)]
enum Source<'s> {
    Access(&'s Access),
    /// On the stack.
    Held(Value),
}

/// A strip in the making.
struct Making<'s> {
    strip: Strip,
    sources: Vec<Source<'s>>,
    sames: Vec<&'s Scalar>,
    index: usize,
    held: &'s [(Scalar, Value)],
    /// What is written, if that may be read too.
    written: Option<&'s Access>,
}

impl<'s> Making<'s> {
    /// The step that computes a number; none where strips can't.
    fn number(&mut self, scalar: &'s Scalar) -> Option<StepId> {
        if let Some((_, slot)) = self.held.iter().find(|(held, _)| held == scalar) {
            return Some(self.read(Source::Held(*slot)));
        }
        if let Scalar::Number(number) = scalar {
            return Some(self.strip.step(Step::Constant(*number)));
        }
        if !scalar.varies_with(self.index) && self.is_computed_before(scalar) {
            let number = self.sames.iter().position(|known| *known == scalar).unwrap_or_else(|| {
                self.sames.push(scalar);
                self.sames.len() - 1
            });
            self.strip.sames = self.sames.len();
            return Some(self.strip.step(Step::Same(number)));
        }
        let step = match scalar {
            Scalar::Number(_) | Scalar::Index(_) | Scalar::Position | Scalar::Length(_) | Scalar::Dot => return None,
            Scalar::Read(access) => {
                let neighbours = access.is_linear_in(self.index) && access.offset.times(self.index) == 1;
                let other = self.written.is_some_and(|written| written.place == access.place && *written != **access);
                if !neighbours || other {
                    return None;
                }
                return Some(self.read(Source::Access(access)));
            }
            Scalar::Unary(operation, value) => Step::Unary(*operation, self.number(value)?),
            Scalar::Binary(operation, left, right) => Step::Binary(*operation, self.number(left)?, self.number(right)?),
            Scalar::Select(conditions, left, right) => self.choose(conditions, left, right)?,
        };
        Some(self.strip.step(step))
    }

    fn choose(&mut self, conditions: &'s [Comparison], left: &'s Scalar, right: &'s Scalar) -> Option<Step> {
        let (left, right) = (self.number(left)?, self.number(right)?);
        Some(Step::Choose(self.compared(conditions)?, left, right))
    }

    fn compared(
        &mut self,
        conditions: &'s [Comparison],
    ) -> Option<Vec<(crate::syntax::tree::Comparator, StepId, StepId)>> {
        let one = |condition: &'s Comparison| {
            Some((condition.comparator, self.number(&condition.left)?, self.number(&condition.right)?))
        };
        conditions.iter().map(one).collect()
    }

    fn read(&mut self, source: Source<'s>) -> StepId {
        let number = self.sources.iter().position(|known| *known == source).unwrap_or_else(|| {
            self.sources.push(source);
            self.sources.len() - 1
        });
        self.strip.reads = self.sources.len();
        self.strip.step(Step::Read(number))
    }

    /// Whether a number that is the same throughout can be computed before the run: it needs no function of runs, nor reads
    /// what is written.
    fn is_computed_before(&self, scalar: &Scalar) -> bool {
        let mut functions = Vec::new();
        runs(scalar, &mut functions);
        let mut reads_written = false;
        scalar.walk(&mut |inner| {
            if let (Scalar::Read(access), Some(written)) = (inner, self.written) {
                reads_written |= access.place == written.place;
            }
        });
        functions.is_empty() && !reads_written
    }
}

impl Spelling<'_, '_> {
    /// Has a strip compute a body along a part of the next index. Whether it can; else nothing is spelt.
    pub fn by_strip(&mut self, at: &At, stretch: &Stretch, held: &[(Scalar, Value)], along: &Along) -> bool {
        let index = at.indices.len();
        let short = stretch.entries.is_some_and(|entries| entries < SHORTEST);
        if !self.wide || short || !stretch.has_index || stretch.lanes != Some(index) {
            return false;
        }
        let written = match along.to {
            To::Access(access) => Some(access),
            To::Stack(_) => None,
        };
        let mut making =
            Making { strip: Strip::default(), sources: Vec::new(), sames: Vec::new(), index, held, written };
        let Some(code) = self.encoded(&mut making, along) else { return false };
        let Making { strip, sources, sames, .. } = making;
        let mut first = at.clone();
        first.indices.push(stretch.from);
        let slot = StackSlotData::new(StackSlotKind::ExplicitSlot, strip.bytes() as u32, 3);
        let slot = self.emitter.cursor.func.create_sized_stack_slot(slot);
        let pointer = self.emitter.pointer;
        let given = self.emitter.ins().stack_addr(pointer, slot, 0);
        let to = match along.to {
            To::Access(access) => self.address(access, &first),
            To::Stack(slot) => slot,
        };
        self.emitter.store(to, given, 0);
        for (number, source) in sources.iter().enumerate() {
            let from = match source {
                Source::Access(access) => self.address(access, &first),
                Source::Held(slot) => *slot,
            };
            self.emitter.store(from, given, Strip::place_of_read(number));
        }
        for (number, same) in sames.iter().enumerate() {
            let value = self.number(same, &first);
            self.emitter.store(value, given, strip.place_of_same(number));
        }
        let length = self.emitter.ins().isub(stretch.to, stretch.from);
        let zero = self.emitter.size(0);
        let length = self.emitter.ins().smax(length, zero);
        self.call_strip(strip, code, &[given, length]);
        true
    }

    /// The strip of a body, if there is one.
    fn encoded<'s>(&self, making: &mut Making<'s>, along: &Along<'s>) -> Option<Code> {
        let value = making.number(along.body)?;
        let last = match along.domain {
            [] => value,
            domain => {
                let compared = making.compared(domain)?;
                let zero = making.strip.step(Step::Constant(0.0));
                making.strip.step(Step::Choose(compared, value, zero))
            }
        };
        // The last step is what is written.
        if last + 1 != making.strip.steps.len() {
            return None;
        }
        let convention = match self.call_conv {
            CallConv::WindowsFastcall => Convention::Windows,
            CallConv::SystemV => Convention::SystemV,
            // No processor that has strips is called in another way.
            _ => return None,
        };
        encode(&making.strip, convention)
    }

    /// Calls a strip, one that is there already if it is the same.
    fn call_strip(&mut self, strip: Strip, code: Code, arguments: &[Value]) {
        let number = self.strips.iter().position(|(known, _)| *known == strip).unwrap_or_else(|| {
            self.strips.push((strip, code));
            self.strips.len() - 1
        });
        let mut signature = Signature::new(self.call_conv);
        signature.params.resize(arguments.len(), AbiParam::new(self.emitter.pointer));
        let func = &mut self.emitter.cursor.func;
        let signature = func.import_signature(signature);
        let name = func.declare_imported_user_function(UserExternalName { namespace: STRIPS, index: number as u32 });
        let function = func.import_function(ExtFuncData {
            name: ExternalName::user(name),
            signature,
            colocated: false,
            patchable: false,
        });
        self.emitter.ins().call(function, arguments);
    }
}
