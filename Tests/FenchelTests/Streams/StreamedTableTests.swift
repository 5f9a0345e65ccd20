import Fenchel
import FoundationEssentials
import LinearAlgebra
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// Rows that stay in their file are those of the table in memory, in pieces of any size.
@Suite struct StreamedTableTests {
  static let texts = [
    "a,b,y\n1,2,3\n4,5,6\n7,8,9\n", "\u{FEFF}a,b\r\n1,2\r\n3,4", "a;b\n1;2\n\n\n3;4\n", "a,b\r1,2\r\r3,4\r",
    "a,b\n1,x\n2,y\n3,x\n,\n5,NA\n", "a,b\n1,2\n2,3\n3,late\n4,5\n",
    "name,b\n\"one, two\",1\n\"a\nb\",2\n\"q\"\"q\",3\n",
    "a,b\n 1 , 2 \n\"3\",\"4\"\n", "é,ü\nß,1\nñ,2\n\u{1F600},3\n",
    "a,b\n1e5,-0\n+3,0.1\n12345678901234567890,1e-300\n",
    "a,b,c,d\n1,x,2,y\n1,\"x\",2,\"y\n\"\n3,,4,?\n", "x\n1\n2\n\"3\n\n4\"\n",
  ]

  @Test(arguments: texts)
  func textInPieces(text: String) throws {
    try withFolder { folder in
      try write([UInt8](text), folder + "/t.csv")
      for size in [1, 2, 3, 5, 8, 13, 40, 1 << 20] {
        for hasHeader in [true, false] {
          var options = ReadOptions()
          (options.pieceBytes, options.hasHeader) = (size, hasHeader)
          let whole = try Table.read(folder + "/t.csv", options: options)
          let streamed = try StreamedTable.open(folder + "/t.csv", options: options)
          try expectSame(streamed, whole, "pieces of \(size)")
        }
      }
    }
  }

  private func expectSame(_ streamed: StreamedTable, _ whole: Table, _ comment: String) throws {
    #expect(streamed.rows == whole.rows && streamed.sha256 == whole.sha256, "\(comment)")
    let rows = [Array(0..<whole.rows), Array((0..<whole.rows).reversed()), [whole.rows / 2], [0, 0]]
    var tables = try rows.map { (try streamed.table(of: $0), whole.selectingRows($0)) }
    tables.append((try streamed.table(of: 0..<whole.rows), whole))
    for (found, expected) in tables {
      #expect(found.names == expected.names && found.rows == expected.rows, "\(comment)")
      #expect(found.hasNames == expected.hasNames && found.defaultTargets == expected.defaultTargets)
      for (a, b) in zip(found.columns, expected.columns) {
        #expect(a.isText == b.isText, "\(comment)")
        let same = zip(a.numbers ?? [], b.numbers ?? []).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) }
        #expect(same && a.numbers?.count == b.numbers?.count, "\(comment)")
        if case .text(let a) = a, case .text(let b) = b {
          #expect((0..<found.rows).map { a[$0] } == (0..<found.rows).map { b[$0] }, "\(comment)")
        }
      }
    }
  }

  /// What is wrong with a file is wrong with it in the same words, wherever pieces cut it.
  @Test(arguments: [
    "", "\n\n", "a,b\n", "a,b\n1,2\n3\n", "a,b\n1,2\n3,4,5\n", "a,b\n1,\"2\n3,4\n", "a,\n1,2\n", "a,a\n1,2\n",
    "1,2\n3,4\n",
    "a,b\n\"1\"x,2\n",
  ])
  func malformedText(text: String) throws {
    try withFolder { folder in
      try write([UInt8](text), folder + "/t.csv")
      for size in [1, 3, 7, 1 << 20] {
        var options = ReadOptions()
        options.pieceBytes = size
        let expected = message { try Table.read(folder + "/t.csv", options: options) }
        #expect(
          message { try StreamedTable.open(folder + "/t.csv", options: options) } == expected, "\(size)")
      }
    }
  }

  @Test(arguments: [
    Fixtures.npyLeF8, Fixtures.npyBeF8, Fixtures.npyLeF4, Fixtures.npyBeF4, Fixtures.npyLeF2,
    Fixtures.npyLeI8,
    Fixtures.npyBeI4, Fixtures.npyLeI2, Fixtures.npyI1, Fixtures.npyU1, Fixtures.npyBeU2, Fixtures.npyB1,
    Fixtures.npyV2,
    Fixtures.npyV3, Fixtures.npyCube,
  ])
  func arrays(fixture: String) throws {
    try withFolder { folder in
      try write([UInt8](base64: fixture), folder + "/a.npy")
      try expectSame(StreamedTable.open(folder + "/a.npy"), Table.read(folder + "/a.npy"), "array")
    }
  }

  @Test func arraysOfTooManyBytes() throws {
    try withFolder { folder in
      let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1152921504606846976, 4), }\n"
      try write(
        [0x93] + [UInt8]("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0] + [UInt8](header.utf8),
        folder + "/large.npy")
      expectError(["large.npy", "is too large"]) { try StreamedTable.open(folder + "/large.npy") }
    }
  }

  @Test func idxFolders() throws {
    try withFolder { folder in
      let pixels = (0..<5 * 6).map { UInt8($0 * 8) }
      try write(
        [0, 0, 8, 3, 0, 0, 0, 5, 0, 0, 0, 2, 0, 0, 0, 3] + pixels, folder + "/train-images-idx3-ubyte")
      try write([0, 0, 8, 1, 0, 0, 0, 5, 3, 1, 4, 1, 5], folder + "/train-labels-idx1-ubyte")
      let (whole, streamed) = (try Table.read(folder), try StreamedTable.open(folder))
      try expectSame(streamed, whole, "folder")
      #expect(try streamed.table(of: [1]).imageShape == whole.imageShape && whole.imageShape != nil)
      #expect(StreamedTable.glance(folder).map { [$0.rows, $0.columns] } == [5, 7])
      try write([0, 0, 8, 1, 0, 0, 0, 4, 3, 1, 4, 1], folder + "/train-labels-idx1-ubyte")
      expectError(["4 labels for the 5 rows"]) { try StreamedTable.open(folder) }
      try write([0, 0, 8, 1, 0, 0, 0, 5, 3, 1, 4, 1], folder + "/train-labels-idx1-ubyte")
      expectError(["truncated"]) { try StreamedTable.open(folder) }
    }
  }

  @Test func packedFiles() throws {
    try withFolder { folder in
      // "a,b\n1,2\n3,4\n", packed by gzip.
      let packed = [UInt8](base64: "H4sIAAAAAAAC/0vUSeIy1DHiMtYx4QIA5enWzgwAAAA=")
      try write([UInt8]("a,b\n1,2\n3,4\n"), folder + "/p.csv")
      try write(packed, folder + "/t.csv.gz")
      let streamed = try StreamedTable.open(folder + "/t.csv.gz")
      #expect(try streamed.table(of: 0..<2).numbers("b") == Table.read(folder + "/p.csv").numbers("b"))
      try write(Array(packed.dropLast(9)), folder + "/cut.csv.gz")
      expectError(["cut.csv.gz"]) { try StreamedTable.open(folder + "/cut.csv.gz") }
      try write(packed + [0xDE, 0xAD], folder + "/more.csv.gz")
      expectError(["more.csv.gz", "follow the end"]) { try StreamedTable.open(folder + "/more.csv.gz") }
      try write(packed + [0x1F], folder + "/more.csv.gz")
      expectError(["follow the end"]) { try StreamedTable.open(folder + "/more.csv.gz") }
      var damaged = packed
      damaged[packed.count - 7] ^= 1  // the CRC
      try write(damaged, folder + "/bad.csv.gz")
      expectError(["bad.csv.gz", "damaged"]) { try StreamedTable.open(folder + "/bad.csv.gz") }
      // Another member, "5,6\n", and zeros that pad it.
      let second = [UInt8](base64: "H4sIAAAAAAACAzPVMeMCAGAQL74EAAAA")
      try write(packed + second + [0, 0, 0], folder + "/two.csv.gz")
      #expect(try StreamedTable.open(folder + "/two.csv.gz").rows == 3)
      try write([1, 2, 3], folder + "/no.csv.gz")
      expectError(["not a gzip file"]) { try StreamedTable.open(folder + "/no.csv.gz") }
    }
  }

  @Test func whatCannotBeStreamed() throws {
    try withFolder { folder in
      try write([UInt8](base64: Fixtures.npyFortran), folder + "/f.npy")
      try write([UInt8]("1 1:2\n"), folder + "/s.libsvm")
      for (place, why) in [
        ("/f.npy", "Fortran"), ("/s.libsvm", "libsvm"), ("", "no IDX"),
      ] {
        #expect { try StreamedTable.open(folder + place) } throws: { "\($0)".contains(why) }
      }
      #expect(throws: StreamError.self) { try StreamedTable.open("digits") }
      #expect(throws: StreamError.self) { try StreamedTable.open("-") }
      #expect(throws: DataError.self) { try StreamedTable.open(folder + "/absent.csv") }
      #expect(StreamedTable.glance(folder + "/absent.csv") == nil && StreamedTable.glance("iris") == nil)
    }
  }

  /// A file that shrinks, grows or is written over is an error, not a crash.
  @Test func filesThatChange() throws {
    try withFolder { folder in
      let path = folder + "/a.npy"
      for change in [
        {
          try FileManager.default.removeItem(atPath: path); try write(Array($0), path)
        },
        { (bytes: [UInt8]) in try overwrite(path, with: Array(bytes.dropLast(8))) },
        { (bytes: [UInt8]) in try overwrite(path, with: bytes + [0]) },
        { (bytes: [UInt8]) in try overwrite(path, with: bytes.map { $0 ^ 1 }) },
      ] as [([UInt8]) throws -> Void] {
        let bytes = [UInt8](base64: Fixtures.npyLeF8)
        try write(bytes, path)
        let table = try StreamedTable.open(path)
        #expect(try table.table(of: [1]).rows == 1)
        usleep(20_000)  // the clock of the file system may be coarse
        try change(bytes)
        if FileManager.default.contents(atPath: path).map(Array.init) == bytes {
          // Another file under the same name: the one that was opened is unchanged.
          #expect(try table.table(of: [1]).rows == 1)
        } else {
          expectError(["was changed while it was read"]) { try table.table(of: [1]) }
          expectError(["was changed while it was read"]) { try table.table(of: 0..<2) }
        }
      }
    }
  }
}

/// Writes over a file in its place, as a program does that keeps it open.
func overwrite(_ path: String, with bytes: [UInt8]) throws {
  guard let file = fopen(path, "w") else { throw DataError.unreadable(source: path, reason: "test") }
  defer { fclose(file) }
  fwrite(bytes, 1, bytes.count, file)
}
