//! Instructions as bytes, and as text: of vectors by the prefix of AVX-512 (EVEX), others as they come.
//!
//! The encoding is that of Intel's Software Developer's Manual, volume 2. Only the registers that strips use are known: vectors of
//! 512 bits, r8 for what a strip is called with, rax and rcx for a run and how far it is gone.

use std::fmt::Write;

/// Machine code, and the same to be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Code {
    /// What is run; constants stand behind the instructions.
    pub bytes: Vec<u8>,
    /// An instruction a line.
    pub text: String,
}

/// A vector register.
pub(super) type Vector = u8;

/// The last operand of an instruction.
#[derive(Clone, Copy)]
pub(super) enum Operand {
    Vector(Vector),
    /// `[rax + rcx + n]`.
    Run(i32),
    /// `[r8 + n]`, one number for all lanes.
    Given(i32),
    /// A constant, one number for all lanes.
    Pool(usize),
}

/// An instruction of vectors: its map of opcodes, the implied prefix, the opcode.
#[derive(Clone, Copy)]
pub(super) struct Instruction {
    name: &'static str,
    map: u8,
    prefix: u8,
    opcode: u8,
}

const fn instruction(name: &'static str, map: u8, prefix: u8, opcode: u8) -> Instruction {
    Instruction { name, map, prefix, opcode }
}

pub(super) const LOAD: Instruction = instruction("vmovups", 1, 0, 0x10);
pub(super) const STORE: Instruction = instruction("vmovups", 1, 0, 0x11);
pub(super) const BROADCAST: Instruction = instruction("vbroadcastss", 2, 1, 0x18);
pub(super) const ADD: Instruction = instruction("vaddps", 1, 0, 0x58);
pub(super) const MULTIPLY: Instruction = instruction("vmulps", 1, 0, 0x59);
pub(super) const SUBTRACT: Instruction = instruction("vsubps", 1, 0, 0x5c);
pub(super) const LESSER: Instruction = instruction("vminps", 1, 0, 0x5d);
pub(super) const DIVIDE: Instruction = instruction("vdivps", 1, 0, 0x5e);
pub(super) const GREATER: Instruction = instruction("vmaxps", 1, 0, 0x5f);
pub(super) const ROOT: Instruction = instruction("vsqrtps", 1, 0, 0x51);
pub(super) const AND: Instruction = instruction("vandps", 1, 0, 0x54);
pub(super) const EXCLUSIVE_OR: Instruction = instruction("vxorps", 1, 0, 0x57);
pub(super) const ROUND: Instruction = instruction("vrndscaleps", 3, 1, 0x08);
pub(super) const COPY: Instruction = instruction("vmovaps", 1, 0, 0x28);
pub(super) const MULTIPLY_ADD: Instruction = instruction("vfmadd213ps", 2, 1, 0xa8);
pub(super) const CLASSIFY: Instruction = instruction("vfpclassps", 3, 1, 0x66);
pub(super) const SUBTRACT_PRODUCT: Instruction = instruction("vfnmadd231ps", 2, 1, 0xbc);
pub(super) const COMPARE: Instruction = instruction("vcmpps", 1, 0, 0xc2);
pub(super) const BLEND: Instruction = instruction("vblendmps", 2, 1, 0x65);

/// What goes with an instruction besides its operands.
#[derive(Clone, Copy, Default)]
pub(super) struct With {
    /// A mask, k1 to k7; 0 for none.
    pub mask: u8,
    /// Whether lanes that the mask leaves out become zeros.
    pub zeros: bool,
    /// A number in the instruction.
    pub number: Option<u8>,
}

/// Machine code in the making.
#[derive(Default)]
pub(super) struct Assembler {
    code: Code,
    /// Constants, as bits.
    pool: Vec<u32>,
    /// Where an instruction names a constant by its distance, where the instruction ends, and which it is.
    patches: Vec<(usize, usize, usize)>,
}

impl Assembler {
    /// How many bytes there are.
    pub fn length(&self) -> usize {
        self.code.bytes.len()
    }

    /// One more constant.
    pub fn constant(&mut self, bits: u32) -> Operand {
        self.pool.push(bits);
        Operand::Pool(self.pool.len() - 1)
    }

    /// An instruction of vectors, by its prefix: inverted register bits above the third, the map; `vvvv`, the implied prefix; zeros,
    /// 512 bits, one number for all lanes, the mask.
    pub fn vector(&mut self, instruction: Instruction, reg: u8, second: Option<Vector>, operand: Operand, with: With) {
        let Instruction { name, map, prefix, opcode } = instruction;
        // `index` and `base` are what of the operand goes into the prefix: for a register its fourth and third bit.
        let (index_bit, base_bit) = match operand {
            Operand::Vector(vector) => (vector >> 4 & 1, vector >> 3 & 1),
            Operand::Run(_) | Operand::Pool(_) => (0, 0),
            Operand::Given(_) => (0, 1),
        };
        let bit = |set: u8, place: u8| (set ^ 1) << place;
        let first = bit(reg >> 3 & 1, 7) | bit(index_bit, 6) | bit(base_bit, 5) | bit(reg >> 4 & 1, 4) | map;
        let second_register = second.unwrap_or(0);
        let middle = (!second_register & 15) << 3 | 1 << 2 | prefix;
        let last = u8::from(with.zeros) << 7 | 2 << 5 | bit(second_register >> 4 & 1, 3) | with.mask;
        self.code.bytes.extend([0x62, first, middle, last, opcode]);
        let field = (reg & 7) << 3;
        let shown = match operand {
            Operand::Vector(vector) => {
                self.code.bytes.push(0xc0 | field | vector & 7);
                format!("zmm{vector}")
            }
            Operand::Run(offset) => {
                self.code.bytes.extend([0x80 | field | 4, 0x08]);
                self.code.bytes.extend(offset.to_le_bytes());
                format!("[rax + rcx + {offset}]")
            }
            Operand::Given(offset) => {
                self.code.bytes.push(0x80 | field);
                self.code.bytes.extend(offset.to_le_bytes());
                format!("[r8 + {offset}]")
            }
            Operand::Pool(number) => {
                self.code.bytes.push(field | 5);
                let place = self.code.bytes.len();
                self.patches.push((place, place + 4, number));
                self.code.bytes.extend([0; 4]);
                format!("{}", f32::from_bits(self.pool[number]))
            }
        };
        self.code.bytes.extend(with.number);
        let masked = match (with.mask, with.zeros) {
            (0, _) => String::new(),
            (mask, false) => format!(" {{k{mask}}}"),
            (mask, true) => format!(" {{k{mask}}}{{z}}"),
        };
        let is_mask = [COMPARE.opcode, CLASSIFY.opcode].contains(&opcode);
        let result = if is_mask { format!("k{reg}") } else { format!("zmm{reg}") };
        let second = second.map_or(String::new(), |second| format!("zmm{second}, "));
        let number = with.number.map_or(String::new(), |number| format!(", {number}"));
        let _ = match instruction.opcode == STORE.opcode {
            true => writeln!(self.code.text, "  {name} {shown}{masked}, {result}"),
            false => writeln!(self.code.text, "  {name} {result}{masked}, {second}{shown}{number}"),
        };
    }

    /// An instruction by its bytes.
    pub fn plain(&mut self, bytes: &[u8], text: &str) {
        self.code.bytes.extend(bytes);
        let _ = writeln!(self.code.text, "  {text}");
    }

    /// A jump to what is not known yet. Gives where its distance stands.
    pub fn jump(&mut self, opcode: [u8; 2], text: &str) -> usize {
        self.plain(&opcode, text);
        self.code.bytes.extend([0; 4]);
        self.code.bytes.len() - 4
    }

    /// A place that jumps come to.
    pub fn label(&mut self, name: &str) {
        let _ = writeln!(self.code.text, "{name}:");
    }

    /// Has a jump come here.
    pub fn land(&mut self, jump: usize, name: &str) {
        self.patch(jump, self.code.bytes.len());
        self.label(name);
    }

    /// Has a jump come to a place.
    pub fn patch(&mut self, jump: usize, to: usize) {
        let distance = to as i32 - (jump as i32 + 4);
        self.code.bytes[jump..jump + 4].copy_from_slice(&distance.to_le_bytes());
    }

    /// All of it, with the constants behind the instructions.
    pub fn finished(mut self) -> Code {
        let start = self.code.bytes.len().next_multiple_of(4);
        self.code.bytes.resize(start, 0);
        self.pool.iter().for_each(|bits| self.code.bytes.extend(bits.to_le_bytes()));
        for (place, end, number) in std::mem::take(&mut self.patches) {
            let distance = (start + 4 * number) as i32 - end as i32;
            self.code.bytes[place..place + 4].copy_from_slice(&distance.to_le_bytes());
        }
        self.code
    }
}
