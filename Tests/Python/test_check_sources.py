"""Scripts/check_sources.py: it sees what it should, and nothing in comments and texts that it should not."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "Scripts"))

import check_sources  # noqa: E402


def faults(text, path="Sources/Fenchel/X.swift"):
    return [what.split(":")[0].split(" of ")[0] for _, what in check_sources.faults(path, text)]


class CheckSources(unittest.TestCase):
    def test_forbidden_words(self):
        self.assertEqual(faults("func f() { fatal" + 'Error("x") }\n'), ["fatalError"])
        self.assertEqual(faults("let a = try" + "! f()\n"), ["try!"])
        self.assertEqual(faults("// TO" + "DO later\n"), ["a marker for unfinished work"])
        self.assertEqual(faults('let p = "/ho' + 'me/me/file"\n'), ["a path"])

    def test_comments_and_texts_are_not_code(self):
        self.assertEqual(faults('// fatalError\n/* try! /* nested */ try! */\nlet s = "try! \\(a("try!")) try!"\n'), [])
        self.assertEqual(faults('let s = #"a " try! "#\nlet t = """\n  try!\n  """\n'), [])

    def test_imports(self):
        self.assertEqual(faults("import Foundation\n"), ["import"])
        self.assertEqual(faults("import FoundationEssentials\n"), [])
        self.assertEqual(faults("import FoundationEssentials\n", "Sources/LinearAlgebra/X.swift"), ["import"])
        self.assertEqual(faults("public import Fenchel\n", "Sources/ConvexOptimization/X.swift"), ["import"])

    def test_sizes(self):
        self.assertEqual(faults("\n" * 500), [])
        self.assertEqual(faults("\n" * 501), ["501 lines; at most 500"])
        long = "func f<T>(\n  a: T\n) throws -> Int\n{\n" + "  g()\n" * 75 + "}\n"
        self.assertEqual(faults(long), [])
        self.assertEqual(faults(long.replace("  g()\n", "  g()\n  g()\n", 1)), ["a function"])

    def test_comments_fit_a_line(self):
        self.assertEqual(faults("  // " + "λ" * 125 + "\n"), [])
        self.assertEqual(faults("  // " + "λ" * 126 + "\n"), ["a comment"])
        self.assertEqual(faults('let s = "' + "λ" * 130 + '"\n'), [])

    def test_requirements_have_no_body(self):
        body = "  func a() -> Int\n  var b: Int { get }\n  init(x: Int)\n"
        self.assertEqual(faults("protocol P {\n" + body + "}\n" + "struct S {\n" + "  let x = 1\n" * 90 + "}\n"), [])

    def test_braces_in_texts_do_not_count(self):
        self.assertEqual(faults('func f() {\n  g("{")\n}\n' + "let a = 1\n" * 100), [])


if __name__ == "__main__":
    unittest.main()
