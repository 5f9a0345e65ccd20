/// Reads integers and pieces out of bytes, and never past their end.
struct ByteReader {
  let bytes: [UInt8]
  let source: String
  var position: Int
  let end: Int

  init(_ bytes: [UInt8], _ range: Range<Int>? = nil, source: String) {
    self.bytes = bytes
    self.source = source
    position = range?.lowerBound ?? 0
    end = range?.upperBound ?? bytes.count
  }

  var remaining: Int { end - position }

  /// An unsigned integer of `size` ≤ 8 bytes, least significant first.
  mutating func littleEndian(_ size: Int, _ what: String) throws -> UInt64 {
    try take(size, what).reversed().reduce(0) { $0 << 8 | UInt64(bytes[$1]) }
  }

  /// An unsigned integer of `size` ≤ 8 bytes, most significant first.
  mutating func bigEndian(_ size: Int, _ what: String) throws -> UInt64 {
    try take(size, what).reduce(0) { $0 << 8 | UInt64(bytes[$1]) }
  }

  /// The range of the next `count` bytes, which are passed.
  mutating func take(_ count: Int, _ what: String) throws -> Range<Int> {
    guard count >= 0, count <= remaining else {
      throw DataError.malformed(Location(source), "the file ends inside \(what)")
    }
    defer { position += count }
    return position..<position + count
  }
}
