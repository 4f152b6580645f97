#!/usr/bin/env bash
# Fetches hama's model from phonemes to letters and prints its folder as the last line.
#
# Out: CACHE/hama with, made by convert_hama.py, model.safetensors (the published numbers bit for bit), tokenizer.json and
#      generation_config.json; 15 MB. How, and where the cache is: cached_package.sh.
#
# The weights are licensed under the Apache License 2.0 (Seongmin Park).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/cached_package.sh"

name=hama
package=hama
version=1.7.0
wheel_sha256=be48d6379d288fc588ff9a5f609462b2fb81287dd84afaa2dfb1d283cb280c4d
files='
8c0d5396bd28ae9d92dd3730c4fed8a83b4adc953542b550014195b21a13bccc  generation_config.json
e97ba6d06db324992ebec1781a891647c705f116733c47aa4a3736f5dc1c10b3  model.safetensors
5e2e606c8c2bc346647f58451649e97dcdf2d771d9509b286c7f99971cac2783  tokenizer.json'

lay_out() { python3 -B "$scripts/convert_hama.py" "$1/hama/assets" "$2"; }

cached_package
