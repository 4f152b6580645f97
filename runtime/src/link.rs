//! Links kernels: Cranelift IR to machine code in memory that is executable and not writable, with the tiles' addresses.

use crate::tiles::Tiles;
use crate::tiles::emitted::EmittedTiles;
use crate::tiles::weights::ProductTile;
use cranelift_codegen::Context;
use cranelift_codegen::ir::{AbiParam, Function, UserExternalName, UserExternalNameRef};
use cranelift_codegen::isa::{OwnedTargetIsa, TargetIsa};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module, default_libcall_names};
use seqwright_compiler::clif::{self, Emitted, STRIPS, Target};
use seqwright_compiler::kernel::Program;
use seqwright_compiler::strip::avx512::Code;
use seqwright_compiler::tile::Tile;
use std::collections::HashMap;

/// Where functions begin: a multiple of so many bytes.
const CODE_ALIGNMENT: u64 = 64;

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

// SAFETY: threads share the addresses of code that nobody writes any more; what made it is asked nothing until it is dropped,
// which one thread does.
unsafe impl Sync for Linked {}

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
            signature.params.resize(tile.arguments(), AbiParam::new(pointer));
            let id =
                module.declare_function(tile.name(), Linkage::Import, &signature).map_err(|why| why.to_string())?;
            debug_assert_eq!(id.as_u32(), tile as u32);
        }
        let mut ids: Vec<FuncId> = Vec::new();
        let mut context = Context::new();
        let target = Target { call_conv: frontend.default_call_conv, pointer, wide: tiles.has_strips() };
        let mut known: HashMap<Vec<u8>, FuncId> = HashMap::new();
        for kernel in 0..program.kernels.len() {
            let Emitted { function, strips } = clif::emit(program, kernel, target);
            context.func = function;
            let strips = strips.into_iter().map(|(_, code)| strip(&mut module, &mut known, code));
            let strips = strips.collect::<Result<Vec<FuncId>, String>>()?;
            name_strips(&mut context.func, &strips);
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

/// The function of a strip, which is there once.
fn strip(module: &mut JITModule, known: &mut HashMap<Vec<u8>, FuncId>, code: Code) -> Result<FuncId, String> {
    if let Some(id) = known.get(&code.bytes) {
        return Ok(*id);
    }
    let mut signature = module.make_signature();
    signature.params.resize(2, AbiParam::new(module.target_config().pointer_type()));
    let name = format!("strip_{}", known.len());
    let id = module.declare_function(&name, Linkage::Local, &signature).map_err(|why| why.to_string())?;
    module.define_function_bytes(id, CODE_ALIGNMENT, &code.bytes, &[]).map_err(|why| why.to_string())?;
    known.insert(code.bytes, id);
    Ok(id)
}

/// Gives the strips that a kernel calls the numbers that they have in a module.
fn name_strips(function: &mut Function, strips: &[FuncId]) {
    let names: Vec<(UserExternalNameRef, UserExternalName)> =
        function.params.user_named_funcs().iter().map(|(place, name)| (place, name.clone())).collect();
    for (place, name) in names.into_iter().filter(|(_, name)| name.namespace == STRIPS) {
        let index = strips[name.index as usize].as_u32();
        function.params.reset_user_func_name(place, UserExternalName { namespace: 0, index });
    }
}

/// Machine code of a program for this processor as text, kernel by kernel.
///
/// # Errors
/// As [`Linked::compile`].
pub fn assembly(program: &Program) -> Result<String, String> {
    let isa = this_processor(true)?;
    let wide = Tiles::best().has_strips();
    let kernels = (0..program.kernels.len()).map(|kernel| assembly_of(program, kernel, &*isa, wide));
    Ok(kernels.collect::<Result<Vec<_>, _>>()?.join("\n"))
}

/// Machine code of one kernel for a processor, with strips where it is said to have wider vectors.
///
/// # Errors
/// What Cranelift refuses.
pub fn assembly_of(program: &Program, kernel: usize, isa: &dyn TargetIsa, wide: bool) -> Result<String, String> {
    let target = Target { call_conv: isa.default_call_conv(), pointer: isa.pointer_type(), wide };
    let Emitted { function, strips } = clif::emit(program, kernel, target);
    let mut context = Context::for_function(function);
    context.set_disasm(true);
    let code = context
        .compile(isa, &mut cranelift_codegen::control::ControlPlane::default())
        .map_err(|why| format!("kernel {kernel}: {:?}", why.inner))?;
    let name = &program.kernels[kernel].name;
    let mut text = format!("kernel {kernel} {name}\n{}", code.vcode.as_deref().unwrap_or(""));
    for (number, (_, code)) in strips.iter().enumerate() {
        text.push_str(&format!("\nstrip u{STRIPS}:{number}\n{}", code.text));
    }
    Ok(text)
}

/// Cranelift IR of a program as text, kernel by kernel.
///
/// # Errors
/// A processor that Cranelift does not know.
pub fn intermediate(program: &Program) -> Result<String, String> {
    let isa = this_processor(true)?;
    let target =
        Target { call_conv: isa.default_call_conv(), pointer: isa.pointer_type(), wide: Tiles::best().has_strips() };
    Ok(intermediate_for(program, target))
}

/// The same for some target, whatever this processor is.
pub fn intermediate_for(program: &Program, target: Target) -> String {
    let mut text = String::from("; Kernels call tiles by number:\n");
    for tile in Tile::ALL {
        text.push_str(&format!(";   u0:{} {}\n", tile as u32, tile.name()));
    }
    for kernel in 0..program.kernels.len() {
        let Emitted { function, strips } = clif::emit(program, kernel, target);
        text.push_str(&format!("\n; kernel {kernel} {}\n{}", program.kernels[kernel].name, function.display()));
        for (number, (strip, _)) in strips.iter().enumerate() {
            text.push_str(&format!("\n; strip u{STRIPS}:{number}, number by number\n{}", strip.print()));
        }
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
