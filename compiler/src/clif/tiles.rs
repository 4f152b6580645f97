//! The emitted versions of tiles: Cranelift IR with vectors of four `f32`, for every processor that Cranelift knows.
//!
//! In comes a [`Tile`] of [`EMITTED`]; out comes its function, still to be compiled. `product` and `functions` spell
//! them with the `Emitter`, which wraps Cranelift's cursor in the control flow they need.
//!
//! They are best compiled at `opt_level=none`: see `product`.

mod functions;
mod product;
mod soften;

use cranelift_codegen::cursor::FuncCursor;
use cranelift_codegen::ir::{AbiParam, Function, InstBuilder, Signature, Type, UserFuncName};
use cranelift_codegen::isa::CallConv;

use super::emitter::Emitter;
use crate::tile::Tile;

/// Columns in a panel of the emitted product's packed matrices: two vectors.
pub const PANEL_WIDTH: usize = 8;

/// The tiles that have an emitted version. The others are plain Rust everywhere.
pub const EMITTED: [Tile; 6] = [Tile::Product, Tile::Soften, Tile::Exp, Tile::Tanh, Tile::Sigmoid, Tile::Erf];

/// The emitted version of a tile of [`EMITTED`], for a target with this calling convention and type of pointers.
///
/// # Panics
///
/// For a tile that has none.
pub fn emit(tile: Tile, isa_call_conv: CallConv, pointer_type: Type) -> Function {
    let mut signature = Signature::new(isa_call_conv);
    signature.params.resize(tile.arguments(), AbiParam::new(pointer_type));
    let mut function = Function::with_name_signature(UserFuncName::user(0, tile as u32), signature);
    let mut emitter = Emitter { cursor: FuncCursor::new(&mut function), pointer: pointer_type };
    let entry = emitter.block(&vec![pointer_type; tile.arguments()]);
    emitter.enter(entry);
    let arguments = emitter.parameters(entry);
    match tile {
        Tile::Product => product::emit(&mut emitter, &arguments),
        Tile::Soften => soften::emit(&mut emitter, &arguments),
        Tile::Exp => functions::emit(&mut emitter, &arguments, functions::exp),
        Tile::Tanh => functions::emit(&mut emitter, &arguments, functions::tanh),
        Tile::Sigmoid => functions::emit(&mut emitter, &arguments, functions::sigmoid),
        Tile::Erf => functions::emit(&mut emitter, &arguments, functions::erf),
        Tile::Weights | Tile::Barrier | Tile::Fetch | Tile::Pack => panic!("{} is not emitted", tile.name()),
        Tile::Log | Tile::Sin | Tile::Cos | Tile::Power => panic!("{} is not emitted", tile.name()),
    }
    emitter.ins().return_(&[]);
    function
}
