#!/usr/bin/env python3
"""Checks what the formatter does not: sizes of files, functions and comments, forbidden words and imports, stale mutants.

    check_sources.py [FOLDER]        default: the repository's root
Prints one line a fault, `file:line: what`, and exits 1 when there is any.
"""

import os
import re
import runpy
import subprocess
import sys

FILE_LINES = 500
FUNCTION_LINES = 80
COMMENT_COLUMNS = 130
FORBIDDEN = [
    (r"\bfatalError\b", "fatalError: throw a typed error, or state a broken invariant with precondition"),
    (r"\btry!", "try!: handle or rethrow the error"),
    (r"@testable\b", "@testable: tests use the public or package interface"),
    (r"\bunsafeFlags\b", "unsafeFlags: packages that use it cannot be depended on"),
]
FORBIDDEN_ANYWHERE = [  # comments and texts too
    (r"\b(TODO|FIXME|XXX|HACK)\b", "a marker for unfinished work"),
    (r"(?<![\w.~}])/(home|root|Users|work)/\w", "a path of one machine"),
]
IMPORTS = {  # module folder: imports that it must not have
    "Sources/LinearAlgebra": r"Foundation\w*|Fenchel|ConvexOptimization|Logging",
    "Sources/ConvexOptimization": r"Foundation\w*|Fenchel|Logging",
    "Sources/Fenchel": r"Foundation|FoundationNetworking|ArgumentParser|Yams",
}
DECLARATION = re.compile(r"(?<![.\w`@])(func|init|deinit|subscript|var)\b(?!`)")


def blanked(text):
    """The source with comments and string contents turned to blanks, line by line as before."""
    out, i, n = [], 0, len(text)

    def blank(piece):
        out.append(re.sub(r"[^\n]", " ", piece))

    while i < n:
        if text.startswith("//", i):
            end = text.find("\n", i)
            end = n if end < 0 else end
        elif text.startswith("/*", i):
            depth, end = 1, i + 2
            while end < n and depth:
                if text.startswith("/*", end):
                    depth, end = depth + 1, end + 2
                elif text.startswith("*/", end):
                    depth, end = depth - 1, end + 2
                else:
                    end += 1
        elif match := re.compile(r'(#*)("""|")').match(text, i):
            end = closing_quote(text, match)
        else:
            out.append(text[i])
            i += 1
            continue
        blank(text[i:end])
        i = end
    return "".join(out)


def closing_quote(text, opening):
    """The index behind the string literal that starts at `opening`, interpolations and all."""
    hashes, quote = opening[1], opening[2]
    i, n = opening.end(), len(text)
    while i < n:
        if text.startswith(quote + hashes, i):
            return i + len(quote) + len(hashes)
        if text.startswith("\\" + hashes + "(", i):
            i = closing_parenthesis(text, i + 2 + len(hashes))
        elif text.startswith("\\", i) and not hashes:
            i += 2
        elif quote == '"' and text[i] == "\n":
            return i
        else:
            i += 1
    return n


def closing_parenthesis(text, i):
    depth = 1
    while i < len(text) and depth:
        if match := re.compile(r'(#*)("""|")').match(text, i):
            i = closing_quote(text, match)
            continue
        depth += {"(": 1, ")": -1}.get(text[i], 0)
        i += 1
    return i


def body(code, start, keyword):
    """The range of the braces that belong to the declaration at `start`, or None when it has none."""
    depth, i = 0, start + len(keyword)
    while i < len(code):
        c = code[i]
        if c in "([":
            depth += 1
        elif c in ")]":
            depth -= 1
            if depth < 0:
                return None
        elif c == "{" and depth == 0:
            return i, closing_brace(code, i)
        elif depth == 0 and (c in "};" or c == "\n" and ends(code, i, keyword)):
            return None
        i += 1
    return None


def ends(code, newline, keyword):
    """Whether a declaration without a body so far ends at this line break."""
    following = code[newline:].lstrip()
    if keyword == "var":
        return not following.startswith("{")
    return not re.match(r"(\{|->|throws\b|async\b|rethrows\b|where\b|\)|:|&|,|\w+\s*[:=]{1,2}[^=]*\{)", following)


def closing_brace(code, i):
    depth = 0
    while i < len(code):
        depth += {"{": 1, "}": -1}.get(code[i], 0)
        if depth == 0:
            return i
        i += 1
    return len(code) - 1


def line_of(text, index):
    return text.count("\n", 0, index) + 1


def faults_of_swift(path, text):
    code = blanked(text)
    lines = text.count("\n")
    if lines > FILE_LINES:
        yield 1, f"{lines} lines; at most {FILE_LINES}"
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > COMMENT_COLUMNS and line.lstrip().startswith("//"):
            yield number, f"a comment of {len(line)} columns; at most {COMMENT_COLUMNS}"
    for match in DECLARATION.finditer(code):
        found = body(code, match.start(), match[1])
        if found:
            length = line_of(code, found[1]) - line_of(code, match.start()) + 1
            if length > FUNCTION_LINES:
                yield line_of(code, match.start()), f"a function of {length} lines; at most {FUNCTION_LINES}"
    for pattern, reason in FORBIDDEN:
        for match in re.finditer(pattern, code):
            yield line_of(code, match.start()), reason
    for folder, modules in IMPORTS.items():
        if path.startswith(folder + "/"):
            for match in re.finditer(rf"^\s*(?:\w+\s+)*import\s+(?:\w+\s+)?({modules})\s*$", code, re.M):
                yield line_of(code, match.start()), f"import of {match[1]}, which {folder} does without"


def faults(path, text):
    if path.endswith(".swift"):
        yield from faults_of_swift(path, text)
    if path != "Scripts/check_sources.py":
        for pattern, reason in FORBIDDEN_ANYWHERE:
            for match in re.finditer(pattern, text):
                yield line_of(text, match.start()), reason


def tracked(root):
    """Files that git tracks or would track; every file where there is no git."""
    listing = subprocess.run(
        ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True
    )
    if listing.returncode == 0:
        return sorted({name for name in listing.stdout.decode().split("\0") if name})
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [os.path.relpath(os.path.join(folder, name), root) for name in names]
    return sorted(found)


def stale_mutants(root):
    """Mutants whose text is not in its file exactly once, so that `make mutants` could not plant them."""
    path = "Scripts/mutants.py"
    if not os.path.isfile(os.path.join(root, path)):
        return
    for mutant in runpy.run_path(os.path.join(root, path))["MUTANTS"]:
        with open(os.path.join(root, mutant.file), encoding="utf-8") as file:
            count = file.read().count(mutant.text)
        if count != 1:
            yield f"{path}: the text of “{mutant.name}” is {count} times in {mutant.file}; once is right"


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..")
    count = checked = 0
    for path in tracked(root):
        full = os.path.join(root, path)
        if not re.search(r"(\.(swift|py|sh|md|c|h|yaml|yml|cff)|Makefile|run)$", path) or not os.path.isfile(full):
            continue
        checked += 1
        with open(full, encoding="utf-8") as file:
            for line, what in faults(path, file.read()):
                print(f"{path}:{line}: {what}")
                count += 1
    for what in stale_mutants(root):
        print(what)
        count += 1
    print(f"{checked} files checked, {count} faults")
    sys.exit(1 if count else 0)


if __name__ == "__main__":
    main()
