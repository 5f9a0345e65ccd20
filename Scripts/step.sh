#!/usr/bin/env bash
# Runs one step of the Makefile quietly and prints one line for it:
#     step.sh TITLE [--show REGEX] COMMAND ARGUMENT…
# On success: the title, the seconds, and the lines of its output that match REGEX. On failure: the whole output.
set -u
title=$1
shift
show=
if [ "${1:-}" = --show ]; then
  show=$2
  shift 2
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
begun=$SECONDS
printf '%-34s' "$title"
if "$@" >"$log" 2>&1 </dev/null; then
  printf 'ok  %4d s\n' $((SECONDS - begun))
  if [ -n "$show" ]; then grep -E "$show" "$log" | sed 's/^/    /'; fi
else
  status=$?
  printf 'FAILED after %d s: %s\n' $((SECONDS - begun)) "$*"
  cat "$log"
  exit "$status"
fi
