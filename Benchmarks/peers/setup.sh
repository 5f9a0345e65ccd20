#!/usr/bin/env bash
# Creates the peers' virtual environments from PyPI:  setup.sh [FOLDER]   (default Benchmarks/.venvs)
#     peers/   cvxpy with Clarabel, SCS and ECOS, SciPy, scikit-learn, safetensors
#     scnn/    pyscnn 0.0.10 with the older NumPy and CVXPY that it needs
# scnn imports torch but computes with NumPy on the CPU. PyPI's torch brings CUDA along (over 1 GB), so Debian's
# python3-torch is linked in where it can be had for the same Python; FENCHEL_PEERS_TORCH=pypi forces the wheel.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-$here/../.venvs}
python=/usr/bin/python3
[ -x "$python" ] || python=python3
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

if [ ! -e "$folder/peers/ready" ]; then
  "$python" -m venv "$folder/peers"
  "$folder/peers/bin/pip" install -q numpy scipy cvxpy clarabel scs ecos scikit-learn threadpoolctl safetensors
  touch "$folder/peers/ready"
fi

link_debian_torch() {
  [ "${FENCHEL_PEERS_TORCH:-debian}" = debian ] && command -v apt-get >/dev/null 2>&1 || return 1
  [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null 2>&1 || return 1
  local root=
  [ "$(id -u)" -eq 0 ] || root=sudo
  if ! [ -d /usr/lib/python3/dist-packages/torch ]; then
    $root apt-get update -q &&
      $root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends python3-torch python3-typing-extensions || return 1
  fi >/dev/null
  local site
  site=$("$folder/scnn/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  local part
  for part in torch torchgen functorch; do
    if [ -d "/usr/lib/python3/dist-packages/$part" ]; then
      ln -sfn "/usr/lib/python3/dist-packages/$part" "$site/$part"
    fi
  done
  "$folder/scnn/bin/python" -c 'import torch' 2>/dev/null
}

if [ ! -e "$folder/scnn/ready" ]; then
  "$python" -m venv "$folder/scnn"
  "$folder/scnn/bin/pip" install -q --no-deps pyscnn==0.0.10 linalg-backends
  "$folder/scnn/bin/pip" install -q 'numpy<2' 'cvxpy<1.6' scikit-learn opt_einsum scipy tqdm typing_extensions
  if ! link_debian_torch; then
    site=$("$folder/scnn/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    for part in torch torchgen functorch; do if [ -L "$site/$part" ]; then rm "$site/$part"; fi; done
    "$folder/scnn/bin/pip" install -q torch
  fi
  "$folder/scnn/bin/python" -W ignore -c 'import scnn.optimize' 2>/dev/null
  touch "$folder/scnn/ready"
fi
echo "peers are ready in $folder"
