#!/usr/bin/env bash
# Prints the figures of docs/reliability.md: what the fuzz targets, the damaged files and the random models of one run of the tests
# tried. A failure of theirs is one of this script's.
#
# In:  nothing; BOLERO_RANDOM_TEST_TIME_MS and SEQWRIGHT_RANDOM as in scripts/fuzz.sh.
# Out: a line for each target and each format, and how often each kind of step and of kernel was in a random model.
set -euo pipefail
cd "$(dirname "$0")/.."

output=$(mktemp)
trap 'rm -f "$output"' EXIT
{ cargo test -p seqwright-fuzz --test targets --test damaged_files -- --nocapture &&
    cargo test -p seqwright-tests --test suite -- --nocapture random_models::; } >"$output" 2>&1 || { cat "$output"; exit 1; }
echo "fuzz targets:"
grep -E '^[A-Za-z]+: [0-9]+ inputs tried' "$output" | sort
echo "damaged files:"
grep -E '^[A-Za-z]+: [0-9]+ cuts and' "$output" | sort
echo "random models:"
grep -E '^[0-9]+ random models' "$output"
grep -E '^[A-Za-z, :]+: [0-9]+$' "$output" | sort -u
