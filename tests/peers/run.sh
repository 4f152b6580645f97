#!/usr/bin/env bash
# Times Seqwright beside what users would pick instead, with the same weights and inputs, and prints one table.
#
#   tests/peers/run.sh                     all rows, one and two threads
#   tests/peers/run.sh --rows lstm,gru     rows whose names have one of these parts; --list shows all
#   tests/peers/run.sh --slow              peers too that take minutes to be prepared
#   tests/peers/run.sh --markdown FILE     writes the table too
#
# The peers go into a virtual environment in the user's cache folder (SEQWRIGHT_PEERS names another). Some gigabytes
# are downloaded the first time. Each requirements-*.txt is of a peer that the table can do without: where it does not
# install, its numbers are missing. So it is with candle, a program in Rust that is built with cargo (CANDLE_PEER names
# one that is). Rows of published weights need scripts/fetch-models.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."

environment=${SEQWRIGHT_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/seqwright/peers}
# llama.cpp is built with all instructions of this processor, and so is candle.
export CMAKE_ARGS="${CMAKE_ARGS:--DGGML_NATIVE=ON}" CMAKE_BUILD_PARALLEL_LEVEL="${CMAKE_BUILD_PARALLEL_LEVEL:-2}"

# Installs what a file asks for, unless it is there.
install() {
  cmp -s "tests/peers/$1" "$environment/$1" && return
  "$environment/bin/pip" install --quiet -r "tests/peers/$1" && cp "tests/peers/$1" "$environment/$1"
}

[ -x "$environment/bin/python" ] || python3 -m venv "$environment"
install requirements.txt
for optional in tests/peers/requirements-*.txt; do
  name=$(basename "$optional")
  if ! install "$name" >"$environment/$name.log" 2>&1; then
    echo "$name does not install, so its numbers are missing: see $environment/$name.log" >&2
  fi
done
if [ -z "${CANDLE_PEER:-}" ]; then
  if RUSTFLAGS="${RUSTFLAGS:-} -C target-cpu=native" cargo build --release --locked \
    --manifest-path tests/peers/candle/Cargo.toml --target-dir "$environment/candle" >"$environment/candle.log" 2>&1; then
    CANDLE_PEER=$environment/candle/release/candle-peer
  else
    echo "candle does not build, so its numbers are missing: see $environment/candle.log" >&2
  fi
fi
if [ -z "${SEQC:-}" ]; then
  cargo build --release -p seqwright --bin seqc
  SEQC=${CARGO_TARGET_DIR:-target}/release/seqc
fi
export SEQC CANDLE_PEER
exec "$environment/bin/python" tests/peers/compare.py "$@"
