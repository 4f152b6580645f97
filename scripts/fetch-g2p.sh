#!/usr/bin/env bash
# Fetches g2p-en's network, which tells the sounds of English words, and prints its folder as the last line.
#
# Out: CACHE/g2p with checkpoint20.npz as published and, written by convert_g2p.py, tokenizer.json,
#      target_tokenizer.json and generation_config.json; 3.4 MB. How, and where the cache is: cached_package.sh.
#
# The weights are licensed under the Apache License 2.0 (Kyubyong Park and Jongseok Kim).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/cached_package.sh"

name=g2p
package=g2p-en
version=2.1.0
wheel_sha256=2a7aabf1fc7f270fcc3349881407988c9245173c2413debbe5432f4a4f31319f
files='
b8af35e4596d8dd5836dfd3fe9b2ba4f97b9c311efe8879544cbcfcbd566d8c6  checkpoint20.npz
b67fea0f8406f50d62b83844654da0b3b877c0b86df2bd50bd203ed2ed9ddb93  generation_config.json
f7eb567b42e47045fdb43aa98ba7e24aa069ba8009c0cc1d52d433fe3d2f11a6  target_tokenizer.json
8b29bb8090df152465f8a68140050ca29649d6525afc87c847133db0b7a4a59d  tokenizer.json'

lay_out() { mv "$1/g2p_en/checkpoint20.npz" "$2/" && python3 -B "$scripts/convert_g2p.py" "$2"; }

cached_package
