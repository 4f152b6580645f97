//! What `seqc --version` says.

use crate::tiles::Instructions;
use std::sync::LazyLock;

/// The version, and what this build runs models with on this processor.
pub(super) fn version() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let instructions: Vec<&str> = Instructions::available().into_iter().map(Instructions::name).collect();
        let tokenizers = if cfg!(feature = "tokenizers") { "yes" } else { "no" };
        format!(
            "{}\nbackends: cpu, {}interpreter\ninstructions: {}\nmachine code: Cranelift {}\ntokenizers: {tokenizers}",
            env!("CARGO_PKG_VERSION"),
            if cfg!(feature = "gpu") { "gpu, " } else { "" },
            instructions.join(", "),
            cranelift_codegen::VERSION
        )
    });
    &TEXT
}
