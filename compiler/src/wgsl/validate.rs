//! Whether a shader is valid WGSL: naga's own parser and validator, without any GPU.

use super::Target;
use naga::front::wgsl;
use naga::valid::{Capabilities, ShaderStages, SubgroupOperationSet, ValidationFlags, Validator};

/// Parses and validates a shader.
///
/// # Errors
/// What is wrong, and where: a mistake of this project.
pub fn validate(text: &str, target: &Target) -> Result<(), String> {
    let module = wgsl::parse_str(text).map_err(|error| error.emit_to_string(text))?;
    let mut capabilities = Capabilities::empty();
    capabilities.set(Capabilities::SUBGROUP, target.subgroups);
    capabilities.set(Capabilities::SHADER_FLOAT16, target.f16 || target.cooperative.is_some_and(|own| own.half));
    capabilities.set(Capabilities::COOPERATIVE_MATRIX, target.cooperative.is_some_and(|own| !own.spelt_out));
    let mut validator = Validator::new(ValidationFlags::all(), capabilities);
    if target.subgroups {
        validator.subgroup_stages(ShaderStages::COMPUTE).subgroup_operations(SubgroupOperationSet::all());
    }
    validator.validate(&module).map(|_| ()).map_err(|error| error.emit_to_string(text))
}
