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
    let capabilities = if target.subgroups { Capabilities::SUBGROUP } else { Capabilities::empty() };
    let mut validator = Validator::new(ValidationFlags::all(), capabilities);
    if target.subgroups {
        validator.subgroup_stages(ShaderStages::COMPUTE).subgroup_operations(SubgroupOperationSet::all());
    }
    validator.validate(&module).map(|_| ()).map_err(|error| error.emit_to_string(text))
}
