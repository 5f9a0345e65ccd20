import CZlib

/// The members of a zip file (stored or deflated, zip64 and data descriptors included), unpacked in memory only.
///
/// Refused: encryption, other methods, repeated names, names that leave the folder, members that overlap, and
/// members that unpack to far more than their size.
struct ZipArchive {
  struct Member {
    var name: String
    var method: UInt64
    var crc: UInt64
    var packed: Int
    var unpacked: Int
    var headerOffset: Int
  }

  let source: String
  private let bytes: [UInt8]
  private(set) var members: [Member] = []

  init(_ bytes: [UInt8], source: String) throws {
    self.bytes = bytes
    self.source = source
    try readDirectory()
    try checkNames()
  }

  /// The content of a member, its CRC checked.
  func content(of member: Member, limit: Int) throws -> [UInt8] {
    let name = "\(source)(\(member.name))"
    let range = try dataRange(of: member)
    guard member.unpacked <= Inflate.allowance(input: member.packed, limit: limit) else {
      if member.unpacked > limit {
        throw DataError.tooLarge(source: name, what: "unpacking it", bytes: member.unpacked, limit: limit)
      }
      throw DataError.malformed(
        Location(name), "unpacks to \(member.unpacked) bytes from \(member.packed): refused as a zip bomb")
    }
    var content: [UInt8]
    switch member.method {
    case 0: content = Array(bytes[range])
    case 8:
      content = try Inflate.deflate(bytes, range, name: name, expected: member.unpacked, limit: limit)
    default: throw DataError.malformed(Location(name), "compression method \(member.method) is not known")
    }
    guard content.count == member.unpacked else {
      throw DataError.malformed(
        Location(name), "unpacks to \(content.count) bytes, \(member.unpacked) are stated")
    }
    guard Self.crc(content) == member.crc else {
      throw DataError.malformed(Location(name), "the CRC does not match: the file is damaged")
    }
    return content
  }

  private static func crc(_ content: [UInt8]) -> UInt64 {
    content.withUnsafeBufferPointer { buffer in
      var value = crc32(0, nil, 0)
      var position = 0
      while position < buffer.count {
        let count = min(buffer.count - position, 1 << 30)
        value = crc32(value, buffer.baseAddress.map { $0 + position }, UInt32(count))
        position += count
      }
      return UInt64(value)
    }
  }

  private func fail(_ problem: String) -> DataError { .malformed(Location(source), problem) }

  private func reader(at position: UInt64) throws -> ByteReader {
    guard position <= UInt64(bytes.count) else {
      throw fail("the zip directory points behind the file's end")
    }
    return ByteReader(bytes, Int(position)..<bytes.count, source: source)
  }

  private mutating func readDirectory() throws {
    guard let end = endRecord() else { throw fail("not a zip file (or truncated): it has no directory") }
    var reader = try reader(at: UInt64(end + 10))
    var count = try reader.littleEndian(2, "the zip directory")
    _ = try reader.littleEndian(4, "the zip directory")
    var offset = try reader.littleEndian(4, "the zip directory")
    if count == 0xFFFF || offset == 0xFFFF_FFFF, let wide = try wideEndRecord(before: end) {
      (count, offset) = wide
    }
    guard count <= UInt64(bytes.count / 46) else { throw fail("the zip directory claims \(count) members") }
    var directory = try self.reader(at: offset)
    for _ in 0..<count { members.append(try readEntry(&directory)) }
  }

  /// Position of the end-of-directory record, which lies in the last 65,557 bytes.
  private func endRecord() -> Int? {
    guard bytes.count >= 22 else { return nil }
    let lowest = max(0, bytes.count - 22 - 65_535)
    return (lowest...bytes.count - 22).reversed().first {
      bytes[$0..<$0 + 4].elementsEqual([0x50, 0x4B, 5, 6])
    }
  }

  /// Number of members and directory offset from the zip64 record, if there is one.
  private func wideEndRecord(before end: Int) throws -> (UInt64, UInt64)? {
    guard end >= 20 else { return nil }
    var locator = try reader(at: UInt64(end - 20))
    guard try locator.littleEndian(4, "the zip64 locator") == 0x0706_4B50 else { return nil }
    _ = try locator.littleEndian(4, "the zip64 locator")
    var record = try reader(at: try locator.littleEndian(8, "the zip64 locator"))
    guard try record.littleEndian(4, "the zip64 record") == 0x0606_4B50 else {
      throw fail("the zip64 directory record is damaged")
    }
    _ = try record.take(28, "the zip64 record")
    let count = try record.littleEndian(8, "the zip64 record")
    _ = try record.littleEndian(8, "the zip64 record")
    return (count, try record.littleEndian(8, "the zip64 record"))
  }

  private func readEntry(_ reader: inout ByteReader) throws -> Member {
    let what = "the zip directory"
    guard try reader.littleEndian(4, what) == 0x0201_4B50 else { throw fail("the zip directory is damaged") }
    _ = try reader.take(4, what)
    let flags = try reader.littleEndian(2, what)
    let method = try reader.littleEndian(2, what)
    _ = try reader.take(4, what)
    let crc = try reader.littleEndian(4, what)
    var packed = try reader.littleEndian(4, what)
    var unpacked = try reader.littleEndian(4, what)
    let nameLength = Int(try reader.littleEndian(2, what))
    let extraLength = Int(try reader.littleEndian(2, what))
    let commentLength = Int(try reader.littleEndian(2, what))
    _ = try reader.take(8, what)
    var offset = try reader.littleEndian(4, what)
    let name = String(decoding: bytes[try reader.take(nameLength, what)], as: UTF8.self)
    let extra = try reader.take(extraLength, what)
    _ = try reader.take(commentLength, what)
    if flags & 1 != 0 { throw fail("member \(quoted(name)) is encrypted") }
    try widen(extra, &unpacked, &packed, &offset)
    let limit = UInt64(Int.max)
    guard unpacked <= limit, packed <= limit, offset <= limit else {
      throw fail("member \(quoted(name)) states impossible sizes")
    }
    return Member(
      name: name, method: method, crc: crc, packed: Int(packed), unpacked: Int(unpacked),
      headerOffset: Int(offset))
  }

  /// Takes 64-bit sizes and offset from the zip64 extra field where the 32-bit ones are full.
  private func widen(
    _ extra: Range<Int>, _ unpacked: inout UInt64, _ packed: inout UInt64, _ offset: inout UInt64
  ) throws {
    var reader = ByteReader(bytes, extra, source: source)
    while reader.remaining >= 4 {
      let tag = try reader.littleEndian(2, "a zip extra field")
      let size = Int(try reader.littleEndian(2, "a zip extra field"))
      guard tag == 1 else {
        _ = try reader.take(size, "a zip extra field")
        continue
      }
      if unpacked == 0xFFFF_FFFF { unpacked = try reader.littleEndian(8, "a zip64 field") }
      if packed == 0xFFFF_FFFF { packed = try reader.littleEndian(8, "a zip64 field") }
      if offset == 0xFFFF_FFFF { offset = try reader.littleEndian(8, "a zip64 field") }
      return
    }
  }

  /// Where the packed bytes of a member lie.
  private func dataRange(of member: Member) throws -> Range<Int> {
    var reader = try reader(at: UInt64(member.headerOffset))
    let what = "member \(quoted(member.name))"
    guard try reader.littleEndian(4, what) == 0x0403_4B50 else {
      throw fail("\(what) is not where it should be")
    }
    _ = try reader.take(22, what)
    let nameLength = Int(try reader.littleEndian(2, what))
    let extraLength = Int(try reader.littleEndian(2, what))
    _ = try reader.take(nameLength + extraLength, what)
    return try reader.take(member.packed, what)
  }

  private func checkNames() throws {
    var seen: Set<String> = []
    for member in members {
      let name = member.name
      if name.hasPrefix("/") || name.contains("\\") || name.split(separator: "/").contains("..") {
        throw fail("member \(quoted(name)) leaves its folder: refused")
      }
      guard seen.insert(name).inserted else { throw fail("member \(quoted(name)) appears twice") }
    }
    let ranges = try members.map { (try dataRange(of: $0), $0) }.sorted {
      ($0.1.headerOffset, $0.0.upperBound) < ($1.1.headerOffset, $1.0.upperBound)
    }
    for (first, second) in zip(ranges, ranges.dropFirst()) where first.0.upperBound > second.1.headerOffset {
      throw fail("members \(quoted(first.1.name)) and \(quoted(second.1.name)) overlap: refused")
    }
  }
}
