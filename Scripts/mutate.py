#!/usr/bin/env python3
"""Plants errors in a copy of the sources, one at a time, and expects the tests to turn red.

    mutate.py [--list] [NAME…]

Every mutant is one exact replacement in one file and the tests that should notice it (a filter of `swift test`).
The copies lie in .build-mutants, so that the working tree is never touched, one for each target of tests; what that
target does not need is left out of its manifest. They keep their builds between runs.
A mutant whose text is no longer in the file exactly once is an error: fit it to the code that has moved.
Exits 0 when the clean copy is green and every mutant is red.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass

from mutants import MUTANTS

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
MANIFEST = "Package.swift"
PARTS = (MANIFEST, "Sources", "Tests")
TARGETS = sorted({mutant.tests.split(".")[0] for mutant in MUTANTS})
# What a copy's manifest ends with. Targets stand after those that they need.
NARROWING = """
var kept: Set = ["%s"]
for target in package.targets.reversed() where kept.contains(target.name) {
  for case .byNameItem(let name, _) in target.dependencies { kept.insert(name) }
}
package.targets.removeAll { !kept.contains($0.name) }
package.products = []
"""


@dataclass
class Outcome:
    word: str  # caught, survived, invalid
    detail: str = ""


class Copy:
    """The package as far as one target of tests needs it."""

    def __init__(self, target):
        self.target = target
        self.folder = os.path.join(ROOT, ".build-mutants", target)
        self.swift = ["--package-path", self.folder, "-c", "release"]

    def refresh(self):
        """Brings the copy up to date; files that did not change keep their dates, so that builds stay incremental."""
        os.makedirs(self.folder, exist_ok=True)
        wanted = set()
        for part in PARTS:
            source = os.path.join(ROOT, part)
            if os.path.isfile(source):
                wanted.add(part)
            for folder, _, names in os.walk(source):
                wanted |= {os.path.relpath(os.path.join(folder, name), ROOT) for name in names}
        for path in wanted:
            self.restore(path)
        for part in PARTS:
            for folder, _, names in os.walk(os.path.join(self.folder, part)):
                for name in names:
                    if os.path.relpath(os.path.join(folder, name), self.folder) not in wanted:
                        os.remove(os.path.join(folder, name))

    def restore(self, path):
        target = os.path.join(self.folder, path)
        with open(os.path.join(ROOT, path), "rb") as file:
            content = file.read()
        if path == MANIFEST:
            content += (NARROWING % self.target).encode()
        if os.path.isfile(target):
            with open(target, "rb") as file:
                if file.read() == content:
                    return
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as file:
            file.write(content)

    def plant(self, mutant):
        """Writes the mutant into the copy."""
        path = os.path.join(self.folder, mutant.file)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(mutant.text, mutant.error))

    def build(self):
        """None when the copy compiles, else what the compiler said."""
        done = subprocess.run(["swift", "build", "--build-tests", *self.swift], capture_output=True, text=True)
        return None if done.returncode == 0 else (done.stdout + done.stderr)[-2000:]

    def test(self, pattern):
        """None when the tests pass, else their output. A hang counts as red; no test at all does not."""
        command = ["swift", "test", "--skip-build", *self.swift, "--filter", pattern]
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=600)
        except subprocess.TimeoutExpired:
            return "the tests ran past 600 s"
        output = done.stdout + done.stderr
        if not re.search(r"Test run with [1-9]", output) and done.returncode == 0:
            sys.exit(f"the filter {pattern} selects no test")
        return None if done.returncode == 0 else output

    def outcome(self, mutant):
        if fault := staleness(mutant):
            return Outcome("invalid", fault)
        self.plant(mutant)
        try:
            if fault := self.build():
                return Outcome("invalid", "does not compile:\n" + fault)
            output = self.test(mutant.tests)
            if output is None:
                return Outcome("survived", f"no test of {mutant.tests} noticed")
            failures = [line.strip() for line in output.splitlines() if "recorded an issue" in line]
            return Outcome("caught", failures[0][:200] if failures else "the tests stopped")
        finally:
            self.restore(mutant.file)


def staleness(mutant):
    """A message when the mutant's text is not in its file exactly once."""
    path = os.path.join(ROOT, mutant.file)
    if not os.path.isfile(path):
        return f"{mutant.file} does not exist"
    with open(path, encoding="utf-8") as file:
        count = file.read().count(mutant.text)
    return None if count == 1 else f"{mutant.file} holds {count} times: {mutant.text}"


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
    if options.list:
        faults = [staleness(mutant) for mutant in mutants]
        for mutant, fault in zip(mutants, faults):
            print(f"{mutant.name:42}{fault or mutant.file}")
        sys.exit(1 if any(faults) else 0)
    outcomes = [outcome for target in TARGETS for outcome in hunt(target, mutants)]
    caught = sum(outcome.word == "caught" for outcome in outcomes)
    print(f"{caught} caught, {len(mutants) - caught} not caught")
    sys.exit(0 if caught == len(mutants) else 1)


def hunt(target, mutants):
    mutants = [mutant for mutant in mutants if mutant.tests.split(".")[0] == target]
    if not mutants:
        return []
    begun = time.monotonic()
    copy = Copy(target)
    copy.refresh()
    if fault := copy.build():
        sys.exit(f"the clean copy does not build:\n{fault}")
    for pattern in sorted({mutant.tests for mutant in mutants}):
        if copy.test(pattern) is not None:
            sys.exit(f"the clean copy is red under {pattern}")
    print(f"{target}: the clean copy is green ({time.monotonic() - begun:.0f} s)", flush=True)
    outcomes = []
    for mutant in mutants:
        begun = time.monotonic()
        outcomes.append(copy.outcome(mutant))
        word, detail = outcomes[-1].word, outcomes[-1].detail
        print(f"{word:9}{mutant.name:42}{time.monotonic() - begun:5.0f} s  {detail}", flush=True)
    return outcomes


if __name__ == "__main__":
    main()
