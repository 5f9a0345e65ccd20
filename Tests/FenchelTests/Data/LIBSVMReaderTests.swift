import Fenchel
import Testing

@Suite struct LIBSVMReaderTests {
  @Test func absentEntriesAreZero() throws {
    let table = try parsed("+1 1:0.5 3:2\n-1\n\n# note\n1 2:1e1 # end\r\n", .libsvm)
    #expect(table.columns.map(\.numbers) == [[0.5, 0, 0], [0, 0, 10], [2, 0, 0], [1, -1, 1]])
    #expect(table.defaultTargets == [3] && !table.hasNames)
    #expect(table.location(ofRow: 2).line == 5)
  }

  @Test(arguments: [
    ("", ["f: the file is empty"]),
    ("1\n-1\n", ["f: no line has an index:value pair"]),
    ("1 2:1 1:1\n", ["f:1:7: index 1 comes after index 2"]),
    ("1 2:1 2:1\n", ["f:1:7: index 2 appears twice"]),
    ("1 0:1\n", ["f:1:3: index 0: indices count from 1"]),
    ("1 -3:1\n", ["f:1:3: index \"-3\" is not a positive integer"]),
    ("1 1:1\n1 2147483648:1\n", ["f:2:3: index \"2147483648\" is too large"]),
    ("1 :1\n", ["f:1:3: there is no index before the colon"]),
    ("1 5\n", ["f:1:3: \"5\" is not of the form index:value"]),
    ("1 1:\n", ["f:1:5: the value \"\" is not a number"]),
    ("1 1:x\n", ["f:1:5: the value \"x\" is not a number"]),
    ("1 1:1e999\n", ["f:1:5: the value \"1e999\" is too large"]),
    ("one 1:1\n", ["f:1:1: the label \"one\" is not a number"]),
    ("1 qid:3 1:1\n", ["f:1:3: qid groups"]),
  ])
  func badFiles(text: String, parts: [String]) {
    expectError(parts) { try parsed(text, .libsvm) }
  }

  @Test func aHugeIndexIsRefusedBeforeItIsMadeDense() {
    expectError(["f: a dense table of 2 rows and 2147483646 columns needs 32.", "GiB"]) {
      try parsed("1 2147483646:1\n1 1:1\n", .libsvm) { $0.memoryLimit = 1 << 30 }
    }
  }
}
