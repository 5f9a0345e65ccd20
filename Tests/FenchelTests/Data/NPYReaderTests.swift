import Fenchel
import Testing

@Suite struct NPYReaderTests {
  private func read(_ bytes: [UInt8], _ format: FileFormat = .npy) throws -> Table {
    try Table.parse(bytes, source: "f", format: format)
  }

  private func columns(_ base64: String) throws -> [[Double]?] {
    try read(.init(base64: base64)).columns.map(\.numbers)
  }

  @Test(arguments: [
    Fixtures.npyLeF8, Fixtures.npyBeF8, Fixtures.npyLeF4, Fixtures.npyBeF4, Fixtures.npyLeF2,
    Fixtures.npyBeF2,
    Fixtures.npyLeI8, Fixtures.npyBeI4, Fixtures.npyLeI2, Fixtures.npyI1, Fixtures.npyU1, Fixtures.npyBeU2,
    Fixtures.npyFortran, Fixtures.npyV2, Fixtures.npyV3,
  ])
  func everyElementTypeOrderAndVersion(base64: String) throws {
    #expect(try columns(base64) == [[1, 4], [2, 5], [3, 6]])
    #expect(try read(.init(base64: base64)).defaultTargets == [2])
  }

  @Test func boolsNegativesHalvesAndCubes() throws {
    #expect(try columns(Fixtures.npyB1) == [[1, 0], [0, 1], [1, 0]])
    #expect(try columns(Fixtures.npyNegative) == [[-1, 127], [-128, 0]])
    let halves = try columns(Fixtures.npyHalfSpecial).map { $0?[0] ?? .nan }
    let expected: [Double] = [0.5, -2, 6.097555160522461e-05, 0x1p-24, 65504, .infinity]
    #expect(halves == expected)
    #expect(try columns(Fixtures.npyCube) == [[0, 4], [1, 5], [2, 6], [3, 7]])
    #expect(try columns(Fixtures.npyFortranCube).map { $0?[1] } == [6, 7, 8, 9, 10, 11])
  }

  /// An NPY file of version 1 with the given header and data.
  private func file(_ header: String, _ data: Int = 0, version: UInt8 = 1) -> [UInt8] {
    let length = UInt8(header.utf8.count)
    let head: [UInt8] = [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59, version, 0, length, 0]
    return head + [UInt8](header) + [UInt8](repeating: 0, count: data)
  }

  private func header(_ type: String = "<f8", _ shape: String = "(1, 2)", _ order: String = "False") -> String
  {
    "{'descr': '\(type)', 'fortran_order': \(order), 'shape': \(shape), }"
  }

  @Test func badHeaders() {
    let cases: [([UInt8], String)] = [
      ([UInt8]("hello world"), "not an NPY file"),
      ([], "the file ends inside the NPY header"),
      (file(header(), 16, version: 9), "NPY format version 9"),
      (file("__import__('os').system('x')"), "not a plain dictionary"),
      (file("{'descr': '<f8', 'fortran_order': False}"), "must have descr, fortran_order and shape"),
      (file("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'x': True}"), "must have"),
      (Array(file(header(), 16).prefix(20)), "the NPY header claims"),
      (file(header("|O"), 16), "Python objects"), (file(header("<c16"), 16), "element type \"<c16\""),
      (file(header("<f7"), 16), "element type \"<f7\""), (file(header("<f8", "(-1, 2)"), 16), "not a plain"),
      (file(header("<f8", "(99999999999999999999,)"), 16), "not a plain dictionary"),
      (file(header("<f8", "(4294967296, 4294967296)"), 16), "is too large"),
      (
        file(header("<f8", "(1000000, 1000000)"), 16),
        "needs 8000000000000 bytes of data, the file has 16: it is trunc"
      ),
      (file(header(), 17), "needs 16 bytes of data, the file has 17"),
      (file(header("<f8", "()"), 8), "0 dimensions"),
      (file(header("<f8", "(0, 5)")), "the array is empty"),
      (file(header("<U0", "(100,)")), "element type \"<U0\""),
      (.init(base64: Fixtures.npyObject), "Python objects"),
      (.init(base64: Fixtures.npyStruct), "structured"),
      (file(header("<U1", "(1,)"), 4), "text cannot be a table"),
    ]
    for (bytes, part) in cases { expectError(["f: ", part]) { try read(bytes) } }
  }

  @Test(arguments: [
    Fixtures.npzStored, Fixtures.npzDeflated, Fixtures.npzDescriptor, Fixtures.npzZip64,
  ])
  func archives(base64: String) throws {
    let table = try read(.init(base64: base64), .npz)
    #expect(table.columns.map(\.numbers) == [[1.5, 3, 5], [2, 4, 6.25], [0, 1, 1]])
    #expect(table.names == ["x0", "x1", "y"] && table.defaultTargets == [2])
  }

  @Test func archivesWithTextAndSeveralTargets() throws {
    #expect(try read(.init(base64: Fixtures.npzText), .npz).texts("y") == ["a", "Zürich", "a"])
    let table = try read(.init(base64: Fixtures.npzVector), .npz)
    #expect(table.defaultTargets == [2, 3] && table.numbers("y1") == [2, 4, 6])
    #expect(table.notices == ["arrays left alone: \"other.npy\""])
  }

  @Test func badArchives() {
    var encrypted = [UInt8](base64: Fixtures.npzStored)
    if let entry = encrypted.indices.last(where: { encrypted[$0...].starts(with: [0x50, 0x4B, 1, 2]) }) {
      encrypted[entry + 8] |= 1
    }
    var damaged = [UInt8](base64: Fixtures.npzStored)
    damaged[200] ^= 1
    let cases: [([UInt8], String)] = [
      (encrypted, "is encrypted"), (damaged, "CRC does not match"), ([UInt8]("PK"), "not a zip file"),
      (Array([UInt8](base64: Fixtures.npzStored).dropLast(30)), "not a zip file (or truncated)"),
      (.init(base64: Fixtures.npzDots), "leaves its folder"),
      (.init(base64: Fixtures.npzTwice), "appears twice"),
      (.init(base64: Fixtures.npzShortY), "X has 3 rows, y has 2"),
      (.init(base64: Fixtures.npzNoX), "there is no array X: it holds \"data.npy\""),
      (.init(base64: Fixtures.npzBzip2), "compression method 12"),
    ]
    for (bytes, part) in cases { expectError(["f", part]) { try read(bytes, .npz) } }
  }

  @Test func aClaimedSizeFarAboveThePackedOneIsABomb() throws {
    var bytes = [UInt8](base64: Fixtures.npzDeflated)
    let entry = try #require(bytes.indices.first { bytes[$0...].starts(with: [0x50, 0x4B, 1, 2]) })
    bytes.replaceSubrange(entry + 24..<entry + 28, with: [0xFE, 0xFF, 0xFF, 0x0F])
    expectError(["zip bomb"]) { try read(bytes, .npz) }
  }
}
