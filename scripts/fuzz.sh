#!/usr/bin/env bash
# Runs the fuzz targets and random models for hours, and says what was tried.
#
# In:  scripts/fuzz.sh HOURS [TARGET]: how long altogether, a fraction too; one target of fuzz/tests/targets.rs alone.
# Out: a line for each target, with its inputs; a failure prints its input, and the seed that shows it again:
#      BOLERO_RANDOM_SEED=… cargo test -p seqwright-fuzz --test targets TARGET
#      SEQWRIGHT_RANDOM=SEED..SEED+1 cargo test -p seqwright-tests --test suite random_models::
set -euo pipefail
cd "$(dirname "$0")/.."

hours=${1:?usage: scripts/fuzz.sh HOURS [TARGET]}
target=${2:-}

count=$(grep -c '^#\[test\]' fuzz/tests/targets.rs)
[ -n "$target" ] && count=1
cores=$(nproc)
# Half of the time for the targets, which run beside each other, as many as there are cores; the other half for models.
milliseconds=$(awk -v hours="$hours" -v count="$count" -v cores="$cores" \
    'BEGIN { turns = int((count + cores - 1) / cores); printf "%d", hours * 3600000 / 2 / turns }')

echo "each of $count targets for $((milliseconds / 1000)) s"
BOLERO_RANDOM_TEST_TIME_MS=$milliseconds cargo test -p seqwright-fuzz --test targets -- --nocapture $target

[ -n "$target" ] && exit
end=$(($(date +%s) + $(awk -v hours="$hours" 'BEGIN { printf "%d", hours * 1800 }')))
# Beyond the seeds that every run of the tests tries.
from=100000
while [ "$(date +%s)" -lt "$end" ]; do
    SEQWRIGHT_RANDOM=$from..$((from + 2000)) cargo test -p seqwright-tests --test suite -- random_models_mean_the_same_to_machine_code
    from=$((from + 2000))
done
echo "random models: seeds 100000 to $from"
