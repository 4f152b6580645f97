#!/usr/bin/env bash
# Times Seqwright beside what users would pick instead, with the same weights and inputs, and prints one table.
#
#   tests/peers/run.sh                     all rows, one and two threads
#   tests/peers/run.sh --rows lstm,gru     rows whose names have one of these parts
#   tests/peers/run.sh --markdown FILE     writes the table too
#
# The peers go into a virtual environment in the user's cache folder (SEQWRIGHT_PEERS names another). Some gigabytes are
# downloaded the first time. Rows of published weights need scripts/fetch-models.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."

environment=${SEQWRIGHT_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/seqwright/peers}
if ! cmp -s tests/peers/requirements.txt "$environment/requirements.txt"; then
  python3 -m venv "$environment"
  "$environment/bin/pip" install --quiet -r tests/peers/requirements.txt
  cp tests/peers/requirements.txt "$environment/requirements.txt"
fi
if [ -z "${SEQC:-}" ]; then
  cargo build --release -p seqwright --bin seqc
  SEQC=${CARGO_TARGET_DIR:-target}/release/seqc
fi
export SEQC
exec "$environment/bin/python" tests/peers/compare.py "$@"
