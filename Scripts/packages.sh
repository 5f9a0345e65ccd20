#!/usr/bin/env bash
# Installs the system packages that are missing:  packages.sh build | packages.sh test
# Does nothing, and needs no rights, when all are there. On systems without apt it names what to install.
set -eu
packages="libopenblas-dev zlib1g-dev pkg-config git"
if [ "${1:-build}" = test ]; then packages="$packages python3 python3-venv"; fi

present() { # by what the package is for, so that other sources of the same thing count too
  case $1 in
    libopenblas-dev) pkg-config --exists openblas 2>/dev/null ;;
    zlib1g-dev) pkg-config --exists zlib 2>/dev/null ;;
    pkg-config | python3 | git) command -v "$1" >/dev/null 2>&1 ;;
    python3-venv) python3 -c 'import ensurepip, venv' >/dev/null 2>&1 ;;
  esac
}

missing=
for package in $packages; do present "$package" || missing="$missing $package"; done
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null 2>&1; then
  echo "please install what these Debian packages hold:$missing" >&2
  exit 1
fi
as_root=
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null 2>&1; then
    echo "please install, as root: apt-get install$missing" >&2
    exit 1
  fi
  as_root=sudo
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() { "$@" >>"$log" 2>&1 || { cat "$log" >&2; exit 1; }; }
quietly $as_root apt-get update -q
quietly $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
for package in $packages; do
  present "$package" || { echo "$package is still missing after apt-get install" >&2; exit 1; }
done
