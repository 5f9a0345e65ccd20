#!/usr/bin/env bash
# Succeeds when a Swift toolchain of version 6.2 or later is on the path; says how to get one otherwise.
advice='Fenchel needs Swift 6.2 or later (made with 6.3). To install it on Linux:
    curl -O https://download.swift.org/swiftly/linux/swiftly-$(uname -m).tar.gz
    tar zxf swiftly-$(uname -m).tar.gz && ./swiftly init
or unpack a toolchain from https://www.swift.org/install/linux/ and put its usr/bin on PATH.'
if ! command -v swift >/dev/null 2>&1; then
  printf 'no Swift toolchain: `swift` is not on PATH.\n%s\n' "$advice" >&2
  exit 1
fi
version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1)
if ! printf '6.2\n%s\n' "${version:-0}" | sort -V -C; then
  printf 'the Swift toolchain on PATH has version %s.\n%s\n' "${version:-unknown}" "$advice" >&2
  exit 1
fi
