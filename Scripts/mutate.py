#!/usr/bin/env python3
"""Plants errors in a copy of the sources, one at a time, and expects the tests to turn red.

    mutate.py [--list] [NAME…]

Every mutant is one exact replacement in one file and the tests that should notice it (a filter of `swift test`).
The copy lies in .build-mutants, so that the working tree is never touched, and keeps its build between runs.
A mutant whose text is no longer in the file exactly once is an error: fit it to the code that has moved.
Exits 0 when the clean copy is green and every mutant is red.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass

from mutants import MUTANTS

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
COPY = os.path.join(ROOT, ".build-mutants", "tree")
PARTS = ("Package.swift", "Sources", "Tests", "Examples")
SWIFT = ["--package-path", COPY, "-c", "release"]


@dataclass
class Outcome:
    word: str  # caught, survived, invalid
    detail: str = ""


def refresh():
    """Brings the copy up to date; files that did not change keep their dates, so that builds stay incremental."""
    os.makedirs(COPY, exist_ok=True)
    wanted = set()
    for part in PARTS:
        source = os.path.join(ROOT, part)
        if os.path.isfile(source):
            wanted.add(part)
        for folder, _, names in os.walk(source):
            wanted |= {os.path.relpath(os.path.join(folder, name), ROOT) for name in names}
    for path in wanted:
        restore(path)
    for part in PARTS:
        for folder, _, names in os.walk(os.path.join(COPY, part)):
            for name in names:
                if os.path.relpath(os.path.join(folder, name), COPY) not in wanted:
                    os.remove(os.path.join(folder, name))


def restore(path):
    source, target = os.path.join(ROOT, path), os.path.join(COPY, path)
    with open(source, "rb") as file:
        content = file.read()
    if os.path.isfile(target):
        with open(target, "rb") as file:
            if file.read() == content:
                return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copyfile(source, target)


def plant(mutant):
    """Writes the mutant into the copy; a message when its text is not there exactly once."""
    path = os.path.join(COPY, mutant.file)
    if not os.path.isfile(path):
        return f"{mutant.file} does not exist"
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if text.count(mutant.text) != 1:
        return f"{mutant.file} holds {text.count(mutant.text)} times: {mutant.text}"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(mutant.text, mutant.error))
    return None


def build():
    return subprocess.run(["swift", "build", "--build-tests", *SWIFT], capture_output=True, text=True)


def test(pattern):
    """None when the tests pass, else their output. A hang counts as red; no test at all does not."""
    command = ["swift", "test", "--skip-build", *SWIFT, "--filter", pattern]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    except subprocess.TimeoutExpired:
        return "the tests ran past 600 s"
    output = done.stdout + done.stderr
    if not re.search(r"Test run with [1-9]", output) and done.returncode == 0:
        sys.exit(f"the filter {pattern} selects no test")
    return None if done.returncode == 0 else output


def outcome(mutant):
    if fault := plant(mutant):
        return Outcome("invalid", fault)
    try:
        built = build()
        if built.returncode != 0:
            return Outcome("invalid", "does not compile:\n" + (built.stdout + built.stderr)[-2000:])
        output = test(mutant.tests)
        if output is None:
            return Outcome("survived", f"no test of {mutant.tests} noticed")
        failures = [line.strip() for line in output.splitlines() if "recorded an issue" in line]
        return Outcome("caught", failures[0] if failures else "the tests stopped")
    finally:
        restore(mutant.file)


def chosen(names):
    known = {mutant.name: mutant for mutant in MUTANTS}
    for name in names:
        if name not in known:
            sys.exit(f"unknown mutant {name}; known: {', '.join(known)}")
    return [known[name] for name in names] if names else MUTANTS


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--list", action="store_true", help="name the mutants and check that their texts are there")
    options = parser.parse_args()
    mutants = chosen(options.names)
    refresh()
    if options.list:
        stale = 0
        for mutant in mutants:
            fault = plant(mutant)
            stale += fault is not None
            if fault is None:
                restore(mutant.file)
            print(f"{mutant.name:42}{fault or mutant.file}")
        sys.exit(1 if stale else 0)
    sys.exit(hunt(mutants))


def hunt(mutants):
    begun = time.monotonic()
    built = build()
    if built.returncode != 0:
        sys.exit(f"the clean copy does not build:\n{(built.stdout + built.stderr)[-2000:]}")
    for pattern in sorted({mutant.tests for mutant in mutants}):
        if test(pattern) is not None:
            sys.exit(f"the clean copy is red under {pattern}")
    print(f"the clean copy is green ({time.monotonic() - begun:.0f} s)", flush=True)
    words = []
    for mutant in mutants:
        begun = time.monotonic()
        result = outcome(mutant)
        words.append(result.word)
        print(f"{result.word:9}{mutant.name:42}{time.monotonic() - begun:5.0f} s  {result.detail}", flush=True)
    print(f"{words.count('caught')} caught, {len(words) - words.count('caught')} not caught")
    return 0 if set(words) <= {"caught"} else 1


if __name__ == "__main__":
    main()
