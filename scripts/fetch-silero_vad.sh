#!/usr/bin/env bash
# Fetches Silero VAD, which tells speech from other sound, and prints its folder as the last line.
#
# Out: CACHE/silero_vad with model.safetensors, which convert_silero_vad.py takes out of the published ONNX file bit for
#      bit; 1.2 MB. How, and where the cache is: cached_package.sh.
#
# The weights are licensed under the MIT License (Silero Team).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/cached_package.sh"

name=silero_vad
package=silero-vad
version=6.2.3
wheel_sha256=7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8
files='
715d2e3ccd72fca13360805b350413c553c732b64e5b2a810f0569e315be2250  model.safetensors'

lay_out() {
  python3 -B "$scripts/convert_silero_vad.py" "$1/silero_vad/data/silero_vad_16k_op15.onnx" "$2/model.safetensors"
}

cached_package
