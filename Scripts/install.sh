#!/usr/bin/env bash
# Copies a built fenchel with its resources:  install.sh BUILD_FOLDER PREFIX
# The program and its data lie together in PREFIX/lib/fenchel; PREFIX/bin/fenchel is a link to it.
set -eu
build=$1 prefix=$2
install -d "$prefix/lib/fenchel" "$prefix/bin"
install -m 755 "$build/fenchel" "$prefix/lib/fenchel/fenchel"
for bundle in "$build"/*.resources; do
  if [ -d "$bundle" ]; then cp -R "$bundle" "$prefix/lib/fenchel/"; fi
done
ln -sf ../lib/fenchel/fenchel "$prefix/bin/fenchel"
echo "installed $("$prefix/bin/fenchel" --version 2>/dev/null || echo fenchel) in $prefix/bin"
