import Fenchel
import Testing

@Suite struct DelimitedReaderTests {
  @Test func quotesDelimitersAndLineEndsInsideQuotes() throws {
    let table = try parsed("a,\"b, c\",d\n\"1\",\"x \"\"y\"\", z\",\"two\nlines\"\n2,,\"\"\"\"\n")
    #expect(table.names == ["a", "b, c", "d"])
    #expect(table.numbers("a") == [1, 2])
    #expect(table.texts("b, c") == ["x \"y\", z", nil])
    #expect(table.texts("d") == ["two\nlines", "\""])
  }

  @Test(arguments: [
    "a,b\n1,2\n3,4", "a,b\r\n1,2\r\n3,4\r\n", "a,b\r1,2\r3,4\r", "\u{FEFF}a,b\n\n1, 2\n\r\n 3 ,4\n\n\n",
  ])
  func lineEndsMarksBlanksAndEmptyLines(text: String) throws {
    let table = try parsed(text)
    #expect(table.names == ["a", "b"])
    #expect(table.numbers("a") == [1, 3])
    #expect(table.numbers("b") == [2, 4])
  }

  @Test func tabsAndSemicolons() throws {
    #expect(try parsed("a\tb,c\n1\t2\n", .tsv).names == ["a", "b,c"])
    #expect(try parsed("a;b\n1;2.5\n").numbers("b") == [2.5])
    #expect(try parsed("\"a,b\";c\n1;2\n").names == ["a,b", "c"])
  }

  @Test func missingEntries() throws {
    let table = try parsed("a,b\n,1\nNA,1\nnan,1\nNaN,1\n?,1\n\"\",1\n7,1\n")
    #expect(table.numbers("a")?.map(\.isNaN) == [true, true, true, true, true, true, false])
    let texts = try parsed("a,b\n,1\nNA,1\nx,1\n")
    #expect(texts.texts("a") == [nil, nil, "x"])
  }

  @Test func textColumnsKeepTheirSpelling() throws {
    let table = try parsed("zip,n\n01,1\n1,2\n") { $0.textColumns = ["zip"] }
    #expect(table.texts("zip") == ["01", "1"])
    #expect(try parsed("zip,n\n01,1\n1,2\n").numbers("zip") == [1, 1])
  }

  @Test func aColumnBecomesTextInItsMiddle() throws {
    let table = try parsed("a,b\n1,2\n\"x\",3\n4,5\n")
    #expect(table.texts("a") == ["1", "x", "4"])
    #expect(table.numbers("b") == [2, 3, 5])
  }

  @Test func withoutHeader() throws {
    let table = try parsed("1,2\n3,4\n") { $0.hasHeader = false }
    #expect(table.names == ["x0", "x1"] && !table.hasNames)
    #expect(table.numbers("x1") == [2, 4])
  }

  @Test func unicodeAndSourceHash() throws {
    let table = try parsed("größe,y\nä,1\n")
    #expect(table.names[0] == "größe")
    #expect(table.texts("größe") == ["ä"])
    #expect(table.sha256 == SHA256.hexDigest([UInt8]("größe,y\nä,1\n")))
  }

  @Test(arguments: [
    ("", ["f: the file is empty"]),
    ("\n\n", ["f: the file is empty"]),
    ("a,b\n", ["f: a header but no rows"]),
    ("a,b\n1,2\n1,2,3\n", ["f:3: 3 fields, but the header has 2"]),
    ("a,b\n1,2\n1\n", ["f:3: 1 field, but the header has 2"]),
    ("a,b,c,d,e,f\n1", ["f:2: 1 field, but the header has 6"]),
    ("a,b\n\"x\ny\",2\n1\n", ["f:4: 1 field"]),
    ("a,\"b\n1,2\n", ["f:1:3: a quoted field begins here and never ends"]),
    ("a,b\n1,\"x\"y\n", ["f:2:6: text follows a closing quote"]),
    ("a,a\n1,2\n", ["f:1:3: columns 1 and 2 are both named \"a\""]),
    (",a\n1,2\n", ["f:1:1: column 1 of the header has no name", "index=False"]),
    ("a,\n1,2\n", ["f:1:3: column 2 of the header has no name"]),
    ("1,2\n3,4\n", ["f:1: the first line holds numbers only"]),
    ("a,b\nx\0,1\n", ["f:2:1: a NUL byte"]),
  ])
  func badFiles(text: String, parts: [String]) {
    expectError(parts) { try parsed(text) }
  }

  @Test func badEncodings() {
    expectError(["f:2:1: this field is not valid UTF-8"]) {
      try Table.parse([UInt8]("a,b\n") + [0xE4, 0x2C, 0x31, 0x0A], source: "f", format: .csv)
    }
    expectError(["f:1:1: the file is UTF-16"]) {
      try Table.parse([0xFF, 0xFE, 0x61, 0x00], source: "f", format: .csv)
    }
  }

  @Test(arguments: [
    ("a,y\n1,1\n1;5,2\n", ["f:3:1: column \"a\": \"1;5\" is not a number", "--categorical a"]),
    ("a,y\n1,1\n1e400,2\n", ["f:3:1: column \"a\": \"1e400\" is too large"]),
    ("a,y\n1,1\n-inf,2\n", ["f:3:1: column \"a\": \"-inf\" is infinite"]),
    ("a,y\n1,1\n0x1p3,2\n", ["f:3:1: column \"a\": \"0x1p3\" is not a number"]),
    ("a,y\n\"1,000\",1\n1,2\n", ["f:2:1: column \"a\": \"1,000\" is not a number"]),
    ("a,y\n1,1\n\u{1B}[31mred\u{07},2\n", ["\\u{1B}[31mred\\u{07}"]),
  ])
  func badTokens(text: String, parts: [String]) {
    expectError(parts) {
      var options = SchemaOptions()
      options.task = .regression
      return try Schema(inferredFrom: parsed(text), options: options)
    }
  }

  @Test func theMemoryLimitIsChecked() {
    expectError(["f: reading", "the limit is 9 KiB"]) {
      try parsed("a,b\n" + String(repeating: "1,2\n", count: 1000)) { $0.memoryLimit = 10_000 }
    }
  }

  @Test func oneVeryLongLine() throws {
    let width = 20_000
    let header = (0..<width).map { "c\($0)" }.joined(separator: ",")
    let table = try parsed(header + "\n" + [String](repeating: "1", count: width).joined(separator: ","))
    #expect(table.columns.count == width && table.rows == 1)
  }

  @Test func rowsKnowTheirLines() throws {
    let table = try parsed("a,y\n1,2\n\n\"3\n\",4\n5,\n")
    #expect((0..<3).map { table.location(ofRow: $0).line } == [2, 4, 6])
    let chosen = table.selectingRows([2, 0])
    #expect((0..<2).map { chosen.location(ofRow: $0).line } == [6, 2])
  }
}
