//! The emitted tiles compiled and linked for this processor: what [`super::Tiles`] has no address for where the choice is
//! [`super::Instructions::Emitted`].
//!
//! They are compiled without optimisation. For the product that was measured a third to a half faster than with it, on a
//! Zen 3; for the others it makes no difference.

use cranelift_codegen::Context;
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Linkage, Module, ModuleError, default_libcall_names};
use seqwright_compiler::clif;
use seqwright_compiler::tile::Tile;

/// The machine code of the emitted tiles. Dropping it frees the code.
pub struct EmittedTiles {
    /// There until it is dropped.
    module: Option<JITModule>,
    addresses: Vec<(Tile, *const u8)>,
}

impl EmittedTiles {
    /// Compiles all of [`clif::tiles::EMITTED`] for this processor.
    pub fn compile() -> Result<EmittedTiles, Box<ModuleError>> {
        let mut module = JITModule::new(JITBuilder::with_isa(this_processor()?, default_libcall_names()));
        let mut context = Context::new();
        let mut functions = Vec::new();
        for tile in clif::tiles::EMITTED {
            let frontend = module.target_config();
            context.func = clif::tiles::emit(tile, frontend.default_call_conv, frontend.pointer_type());
            let function = module.declare_function(tile.name(), Linkage::Local, &context.func.signature)?;
            module.define_function(function, &mut context)?;
            context.clear();
            functions.push((tile, function));
        }
        module.finalize_definitions()?;
        let addresses =
            functions.iter().map(|&(tile, function)| (tile, module.get_finalized_function(function))).collect();
        Ok(EmittedTiles { module: Some(module), addresses })
    }

    /// Where the tile's machine code stands, for as long as `self` is there; `None` where no version of it is emitted.
    pub fn address(&self, tile: Tile) -> Option<*const u8> {
        self.addresses.iter().find(|(emitted, _)| *emitted == tile).map(|&(_, address)| address)
    }
}

impl Drop for EmittedTiles {
    fn drop(&mut self) {
        if let Some(module) = self.module.take() {
            // SAFETY: `address` promises the addresses only for as long as `self` is there.
            unsafe { module.free_memory() }
        }
    }
}

fn this_processor() -> Result<OwnedTargetIsa, Box<ModuleError>> {
    let mut flags = settings::builder();
    for (name, value) in [
        ("opt_level", "none"),
        ("is_pic", "false"),
        // Where a processor has no fused multiply-add, the C library's is called, which may stand far away.
        ("use_colocated_libcalls", "false"),
    ] {
        flags.set(name, value).expect("a setting of Cranelift");
    }
    let builder =
        cranelift_native::builder().map_err(|reason| ModuleError::Backend(std::io::Error::other(reason).into()))?;
    Ok(builder.finish(settings::Flags::new(flags)).map_err(ModuleError::from)?)
}
