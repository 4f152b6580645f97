#!/usr/bin/env bash
# Fetches ANNalog, which writes molecules like a given one, and prints its folder as the last line.
#
# Out: CACHE/annalog with, made by convert_annalog.py, model.safetensors (the published numbers bit for bit),
#      tokenizer.json, target_tokenizer.json and generation_config.json; 16 MB. The package's pickles are read without being
#      loaded. How, and where the cache is: cached_package.sh.
#
# The weights are licensed under the MIT License (Wei Dai).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/cached_package.sh"

name=annalog
package=annalog
version=1.0.6
wheel_sha256=49cf13abf67b5cfed1b8b9071bfebe357964583ea1e22d6ed17a1310deaf54d8
files='
49d5afe11fe932bea4c7c97fee3b6354b15dd10b689bdc82b938bb134d84686a  generation_config.json
65b0859f9a4d84bf3b868f250a6c835d2cb3d7a3836baaa25a246b56bbfafe90  model.safetensors
f1ac49a85f387216bb039b3b3ef65c737c10bf36de7787ba95bc8dc79ad74725  target_tokenizer.json
249d72f771db0a36e4315a000289f976ff70aea2e200b3c2c0f96d9efe0cb250  tokenizer.json'

lay_out() { python3 -B "$scripts/convert_annalog.py" "$1/annalog" "$2"; }

cached_package
