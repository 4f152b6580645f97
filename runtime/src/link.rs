//! Links kernels: Cranelift IR to machine code in memory that is executable and not writable, with the tiles' addresses.

use crate::tiles::Tiles;
use crate::tiles::emitted::EmittedTiles;
use crate::tiles::weights::ProductTile;
use cranelift_codegen::Context;
use cranelift_codegen::ir::Type;
use cranelift_codegen::isa::{CallConv, OwnedTargetIsa, TargetIsa};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module, default_libcall_names};
use seqwright_compiler::clif;
use seqwright_compiler::kernel::Program;
use seqwright_compiler::tile::Tile;

/// `kernel(context, arguments, begin, end)`: see [`clif::context`].
pub type KernelFunction = unsafe extern "C" fn(*const usize, *const *mut f32, usize, usize);

/// The machine code of a program's kernels. Dropping it frees the code.
pub struct Linked {
    module: Option<JITModule>,
    functions: Vec<KernelFunction>,
    product: ProductTile,
    /// Kept while kernels may call them.
    _emitted: Option<EmittedTiles>,
}

impl Linked {
    /// Compiles and links every kernel of a program.
    ///
    /// # Errors
    /// What Cranelift refuses, which is a mistake in this project, or a processor it does not know.
    pub fn compile(program: &Program, tiles: &Tiles) -> Result<Linked, String> {
        let emitted = match Tile::ALL.iter().all(|tile| tiles.address(*tile).is_some()) {
            true => None,
            false => Some(EmittedTiles::compile().map_err(|why| why.to_string())?),
        };
        let mut builder = JITBuilder::with_isa(this_processor(true)?, default_libcall_names());
        for tile in Tile::ALL {
            let address = tiles.address(tile).or_else(|| emitted.as_ref().and_then(|emitted| emitted.address(tile)));
            let address = address.ok_or_else(|| format!("there is no {} for this processor", tile.name()))?;
            builder.symbol(tile.name(), address);
        }
        let mut module = JITModule::new(builder);
        let frontend = module.target_config();
        let pointer = frontend.pointer_type();
        // Kernels call tiles by their numbers: declared first, and in order, they get the same numbers here.
        for tile in Tile::ALL {
            let mut signature = module.make_signature();
            signature.params.resize(tile.arguments(), cranelift_codegen::ir::AbiParam::new(pointer));
            let id =
                module.declare_function(tile.name(), Linkage::Import, &signature).map_err(|why| why.to_string())?;
            debug_assert_eq!(id.as_u32(), tile as u32);
        }
        let mut ids: Vec<FuncId> = Vec::new();
        let mut context = Context::new();
        for kernel in 0..program.kernels.len() {
            context.func = clif::emit(program, kernel, frontend.default_call_conv, pointer);
            let name = format!("kernel_{kernel}");
            let id = module
                .declare_function(&name, Linkage::Local, &context.func.signature)
                .map_err(|why| why.to_string())?;
            module.define_function(id, &mut context).map_err(|why| format!("kernel {kernel}: {why:?}"))?;
            context.clear();
            ids.push(id);
        }
        module.finalize_definitions().map_err(|why| why.to_string())?;
        let functions = ids
            .into_iter()
            .map(|id| {
                let address = module.get_finalized_function(id);
                // SAFETY: `clif::emit` gives every kernel this signature and the target's default calling convention,
                // which is the C one.
                unsafe { std::mem::transmute::<*const u8, KernelFunction>(address) }
            })
            .collect();
        let product = tiles.address(Tile::Product).or_else(|| emitted.as_ref()?.address(Tile::Product));
        let product = product.ok_or_else(|| format!("there is no {} for this processor", Tile::Product.name()))?;
        // SAFETY: every version of the tile has this signature, and lives as long as `emitted`.
        let product = unsafe { std::mem::transmute::<*const u8, ProductTile>(product) };
        Ok(Linked { module: Some(module), functions, product, _emitted: emitted })
    }

    /// The product tile, for as long as `self` is there.
    pub fn product(&self) -> ProductTile {
        self.product
    }

    /// The function of a kernel, for as long as `self` is there.
    pub fn function(&self, kernel: usize) -> KernelFunction {
        self.functions[kernel]
    }
}

impl Drop for Linked {
    fn drop(&mut self) {
        if let Some(module) = self.module.take() {
            // SAFETY: the functions are called only through `self`, which is gone after this.
            unsafe { module.free_memory() }
        }
    }
}

/// Machine code of a program for this processor as text, kernel by kernel.
///
/// # Errors
/// As [`Linked::compile`].
pub fn assembly(program: &Program) -> Result<String, String> {
    let isa = this_processor(true)?;
    let kernels = (0..program.kernels.len()).map(|kernel| assembly_of(program, kernel, &*isa));
    Ok(kernels.collect::<Result<Vec<_>, _>>()?.join("\n"))
}

/// Machine code of one kernel for a processor.
///
/// # Errors
/// What Cranelift refuses.
pub fn assembly_of(program: &Program, kernel: usize, isa: &dyn TargetIsa) -> Result<String, String> {
    let function = clif::emit(program, kernel, isa.default_call_conv(), isa.pointer_type());
    let mut context = Context::for_function(function);
    context.set_disasm(true);
    let code = context
        .compile(isa, &mut cranelift_codegen::control::ControlPlane::default())
        .map_err(|why| format!("kernel {kernel}: {:?}", why.inner))?;
    let name = &program.kernels[kernel].name;
    Ok(format!("kernel {kernel} {name}\n{}", code.vcode.as_deref().unwrap_or("")))
}

/// Cranelift IR of a program as text, kernel by kernel.
///
/// # Errors
/// A processor that Cranelift does not know.
pub fn intermediate(program: &Program) -> Result<String, String> {
    let isa = this_processor(true)?;
    Ok(intermediate_for(program, isa.default_call_conv(), isa.pointer_type()))
}

/// The same for a calling convention and an address's type, whatever this processor is.
pub fn intermediate_for(program: &Program, convention: CallConv, pointer: Type) -> String {
    let mut text = String::from("; Kernels call tiles by number:\n");
    for tile in Tile::ALL {
        text.push_str(&format!(";   u0:{} {}\n", tile as u32, tile.name()));
    }
    for kernel in 0..program.kernels.len() {
        let function = clif::emit(program, kernel, convention, pointer);
        text.push_str(&format!("\n; kernel {kernel} {}\n{}", program.kernels[kernel].name, function.display()));
    }
    text
}

/// This processor, for kernels.
fn this_processor(optimise: bool) -> Result<OwnedTargetIsa, String> {
    let mut flags = settings::builder();
    for (name, value) in [
        ("opt_level", if optimise { "speed" } else { "none" }),
        ("is_pic", "false"),
        ("use_colocated_libcalls", "false"),
        ("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }),
    ] {
        flags.set(name, value).map_err(|why| why.to_string())?;
    }
    let builder = cranelift_native::builder().map_err(str::to_string)?;
    builder.finish(settings::Flags::new(flags)).map_err(|why| why.to_string())
}
