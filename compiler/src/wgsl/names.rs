//! Names of values as names in WGSL: letters, digits and lines, none of them taken.

use std::collections::BTreeSet;

/// Words that WGSL has or keeps for itself, and those that shaders use.
const TAKEN: &str = "alias break case const const_assert continue continuing default diagnostic discard else enable false \
    fn for if let loop override requires return struct switch true var while \
    NULL Self abstract active alignas alignof as asm asm_fragment async attribute auto await become cast catch class \
    co_await co_return co_yield coherent column_major common compile compile_fragment concept const_cast consteval \
    constexpr constinit crate debugger decltype delete demote demote_to_helper do dynamic_cast enum explicit export \
    extends extern external fallthrough filter final finally friend from fxgroup get goto groupshared highp impl \
    implements import inline instanceof interface layout lowp macro macro_rules match mediump meta mod module move mut \
    mutable namespace new nil noexcept noinline nointerpolation non_coherent noncoherent noperspective null nullptr of \
    operator package packoffset partition pass patch pixelfragment precise precision premerge priv protected pub public \
    readonly ref regardless register reinterpret_cast require resource restrict self set shared sizeof smooth snorm \
    static static_assert static_cast std subroutine super target template this thread_local throw trait try type typedef \
    typeid typename typeof union unless unorm unsafe unsized use using varying virtual volatile wgsl where with writeonly \
    yield read write read_write uniform workgroup storage private function compute workgroup_size builtin workgroup_id \
    local_invocation_index binding \
    array atomic bool f16 f32 i32 u32 vec2f vec3f vec4f vec3u ptr sampler texture bitcast select abs clamp exp floor fma \
    max min round sqrt workgroupBarrier storageBarrier subgroupAdd subgroupMax subgroupMin \
    run Run tables first_row first_column group local invocation lane row sequence position slot step place element \
    count total product column flat block key value highest seen score dot scale now own weight query mix number entry \
    inside look_up left right sums sum l r c k own_row own_column own_depth end first share all \
    product_0 product_1 product_2 product_3 leader column_of parameters depth part partial matrix_row finish LANES Lanes exp32 tanh32 sigmoid erf log32 \
    sin32 cos32 power expm1 exp_core two_to sum_of_all highest_of_all lowest_of_all lane_numbers \
    element_of_product multiply_add store_element store Matrix own_element \
    subgroup subgroups is_first other own_subgroup all_subgroups own_place \
    beside is_own start carried Affine affines one_affine all_so_far";

/// The names of a shader.
#[derive(Debug)]
pub(super) struct Names {
    taken: BTreeSet<String>,
}

impl Names {
    pub fn new() -> Names {
        Names { taken: TAKEN.split_whitespace().map(str::to_string).collect() }
    }

    /// A name like a value's that nothing else has.
    pub fn take(&mut self, like: &str) -> String {
        let name = self.free(like, &[]);
        self.taken.insert(name.clone());
        name
    }

    /// A name that neither the whole shader nor those beside it have; others may take it again.
    pub fn free(&self, like: &str, beside: &[String]) -> String {
        let mut plain: String =
            like.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect();
        while plain.contains("__") {
            plain = plain.replace("__", "_");
        }
        if !plain.chars().next().is_some_and(|letter| letter.is_ascii_alphabetic()) {
            plain.insert_str(0, "value_");
        }
        let is_free = |name: &String| !self.taken.contains(name) && !beside.contains(name);
        let plain_end = plain.trim_end_matches('_').to_string();
        let mut tries = [plain, format!("{plain_end}_")].into_iter().chain((2..).map(|n| format!("{plain_end}_{n}")));
        tries.find(is_free).expect("there are endlessly many numbers")
    }
}
