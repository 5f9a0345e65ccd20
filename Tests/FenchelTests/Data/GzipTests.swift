import Fenchel
import Testing

@Suite struct GzipTests {
  private let packed = [UInt8](base64: Fixtures.gzCsv)

  private func read(_ bytes: [UInt8], isPacked: Bool = true) throws -> Table {
    try Table.parse(bytes, source: "f.csv.gz", format: .csv, isPacked: isPacked)
  }

  @Test func oneMemberTwoMembersAndPadding() throws {
    #expect(try read(packed).numbers("b") == [2, 4])
    #expect(try read(packed, isPacked: false).numbers("b") == [2, 4])
    #expect(try read([UInt8](base64: Fixtures.gzTwo)).numbers("b") == [2, 4, 6])
    #expect(try read(packed + [0, 0, 0]).rows == 2)
    #expect(try read(packed).sha256 == SHA256.hexDigest(packed))
  }

  @Test func truncationAtEveryByteIsAnError() {
    for count in 2..<packed.count {
      expectError(["f.csv.gz: the compressed data"]) { try read(Array(packed.prefix(count))) }
    }
  }

  @Test func damageAndOtherFormats() {
    var wrongCRC = packed
    wrongCRC[packed.count - 8] ^= 1
    expectError(["damaged (incorrect data check)"]) { try read(wrongCRC) }
    var wrongLength = packed
    wrongLength[packed.count - 1] ^= 1
    expectError(["damaged (incorrect length check)"]) { try read(wrongLength) }
    expectError(["is not a gzip file"]) { try read([UInt8]("a,b\n1,2\n")) }
    expectError(["4 bytes follow the end"]) { try read(packed + [1, 2, 3, 4]) }
  }

  @Test func bombsAreRefused() {
    let member = [UInt8](base64: Fixtures.gzZeros)
    let bomb = (0..<80).flatMap { _ in member }
    expectError(["unpacks to more than 200 times its"]) { try read(bomb) }
    expectError(["the limit is"]) {
      var options = ReadOptions()
      options.memoryLimit = 2 << 20
      return try Table.parse(bomb, source: "f", format: .csv, options: options)
    }
  }
}
