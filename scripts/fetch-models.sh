#!/usr/bin/env bash
# Fetches every published model that the tests can be run on, and prints their folders, a line each.
#
# Out: what each fetch-*.sh beside this file puts into the cache (cached_package.sh says where that is). One that fails
#      keeps no other from being fetched; the exit status is 1 then.
set -uo pipefail

failed=()
for script in "$(dirname "${BASH_SOURCE[0]}")"/fetch-*.sh; do
  [[ $script == */fetch-models.sh ]] || "$script" || failed+=("$(basename "$script")")
done
if ((${#failed[@]})); then
  printf 'fetch-models: not fetched: %s\n' "${failed[*]}" >&2
  exit 1
fi
