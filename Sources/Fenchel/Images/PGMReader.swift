/// Reads PGM images (Netpbm's grey maps): binary (P5, one or two bytes a pixel, most significant first) and text (P2).
enum PGMReader {
  /// Height, width and pixels row by row, from 0 for black to 1 for white.
  ///
  /// Errors: `DataError.malformed` for anything else, truncated or with bytes after its end; `DataError.tooLarge`.
  static func read(
    _ bytes: [UInt8], source: String, limit: Int
  ) throws -> (height: Int, width: Int, pixels: [Double]) {
    func fail(_ problem: String) -> DataError { .malformed(Location(source), problem) }
    guard bytes.count > 2, bytes[0] == UInt8(ascii: "P"),
      [UInt8(ascii: "5"), UInt8(ascii: "2")].contains(bytes[1])
    else { throw fail("not a PGM image: it begins with neither P5 nor P2") }
    var position = 2
    let width = try number(bytes, &position, "the width", source)
    let height = try number(bytes, &position, "the height", source)
    let white = try number(bytes, &position, "the largest value", source)
    guard width > 0, height > 0 else { throw fail("an image of \(width) × \(height) pixels") }
    guard (1...65_535).contains(white) else { throw fail("the largest value is \(white), not 1 to 65535") }
    let (count, overflow) = width.multipliedReportingOverflow(by: height)
    guard !overflow, count <= limit / 8 else {
      throw DataError.tooLarge(
        source: source, what: "an image of \(width) × \(height)",
        bytes: overflow ? Int.max : 8 * min(count, Int.max / 8),
        limit: limit)
    }
    let values =
      bytes[1] == UInt8(ascii: "5")
      ? try binary(bytes, position, count, white, source) : try text(bytes, position, count, source)
    if let place = values.firstIndex(where: { $0 > white }) {
      throw fail("pixel \(place + 1) is \(values[place]), above the largest value \(white)")
    }
    return (height, width, values.map { Double($0) / Double(white) })
  }

  /// The next number of the header, after blanks and comments.
  private static func number(
    _ bytes: [UInt8], _ position: inout Int, _ what: String, _ source: String
  ) throws -> Int {
    while position < bytes.count {
      if bytes[position] == UInt8(ascii: "#") {
        while position < bytes.count, bytes[position] != 0x0A, bytes[position] != 0x0D { position += 1 }
      } else if isBlank(bytes[position]) {
        position += 1
      } else {
        break
      }
    }
    var (value, digits) = (0, 0)
    while position < bytes.count, (0x30...0x39).contains(bytes[position]), digits < 10 {
      value = 10 * value + Int(bytes[position] - 0x30)
      (position, digits) = (position + 1, digits + 1)
    }
    guard digits > 0 else {
      let end = position >= bytes.count
      throw DataError.malformed(
        Location(source), "\(what) \(end ? "is missing: the file ends in its header" : "is no number")")
    }
    return value
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

  /// One blank, then the pixels.
  private static func binary(
    _ bytes: [UInt8], _ position: Int, _ count: Int, _ white: Int, _ source: String
  ) throws -> [Int] {
    let (size, first) = (white > 255 ? 2 : 1, position + 1)
    let (wanted, found) = (count * size, bytes.count - first)
    guard position < bytes.count, isBlank(bytes[position]), found == wanted else {
      let ending = found < wanted ? ": it is truncated" : ""
      throw DataError.malformed(
        Location(source), "\(wanted) bytes of pixels are expected, the file has \(max(0, found))\(ending)")
    }
    guard size == 2 else { return bytes[first...].map { Int($0) } }
    return (0..<count).map { Int(bytes[first + 2 * $0]) << 8 | Int(bytes[first + 2 * $0 + 1]) }
  }

  private static func text(_ bytes: [UInt8], _ position: Int, _ count: Int, _ source: String) throws -> [Int]
  {
    var (place, values) = (position, [Int]())
    // Each pixel takes two bytes at least.
    values.reserveCapacity(min(count, bytes.count))
    while values.count < count {
      values.append(try number(bytes, &place, "pixel \(values.count + 1)", source))
    }
    guard bytes[place...].allSatisfy(isBlank) else {
      throw DataError.malformed(Location(source), "text follows the \(count) pixels")
    }
    return values
  }
}
