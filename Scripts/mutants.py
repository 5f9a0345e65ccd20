"""The errors that mutate.py plants: each is one that a person could make, and that some test must notice."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    name: str
    file: str
    text: str  # must be in the file exactly once
    error: str
    tests: str  # filter of `swift test`


MUTANTS = []
