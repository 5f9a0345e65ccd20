/// The distinct texts of a column while it is read: a hash table over the bytes of the file, so that a text is
/// made once for all its rows.
struct TextCollector {
  private(set) var values: [String] = []
  private(set) var codes: [Int32] = []
  private var fields: [DelimitedScanner.Field] = []
  private var hashes: [UInt64] = []
  /// Code + 1 at each slot, 0 where it is free; the number of slots is a power of two.
  private var slots = [Int32](repeating: 0, count: 64)

  init(capacity: Int) { codes.reserveCapacity(capacity) }

  /// A row without text.
  mutating func appendMissing() { codes.append(-1) }

  /// A row with the text of a field.
  ///
  /// Errors: as of `DelimitedScanner.text`.
  mutating func append(_ field: DelimitedScanner.Field, _ scanner: DelimitedScanner) throws {
    let hash = Self.hash(field, scanner.bytes)
    var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
    while slots[slot] != 0 {
      let code = Int(slots[slot] - 1)
      if hashes[code] == hash, Self.equal(fields[code], field, scanner.bytes) {
        codes.append(Int32(code))
        return
      }
      slot = (slot + 1) & (slots.count - 1)
    }
    let text = try scanner.text(of: field)
    guard values.count < Int(Int32.max) - 1 else {
      throw DataError.malformed(scanner.location(field), "more than two thousand million different texts")
    }
    codes.append(Int32(values.count))
    values.append(text)
    fields.append(field)
    hashes.append(hash)
    slots[slot] = Int32(values.count)
    if values.count * 2 > slots.count { grow() }
  }

  private mutating func grow() {
    slots = [Int32](repeating: 0, count: 2 * slots.count)
    for (code, hash) in hashes.enumerated() {
      var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
      while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
      slots[slot] = Int32(code + 1)
    }
  }

  /// Drawn anew in each run, so that no file can be made to collide. It decides no result.
  private static let basis = UInt64.random(in: .min ... .max)

  /// FNV-1a, its high bits folded into the low ones.
  private static func hash(_ field: DelimitedScanner.Field, _ bytes: UnsafePointer<UInt8>) -> UInt64 {
    var hash = field.isQuoted ? ~basis : basis
    for position in field.start..<field.end {
      hash = (hash ^ UInt64(bytes[position])) &* 0x100_0000_01B3
    }
    return hash ^ hash >> 29
  }

  private static func equal(
    _ a: DelimitedScanner.Field, _ b: DelimitedScanner.Field, _ bytes: UnsafePointer<UInt8>
  ) -> Bool {
    guard a.end - a.start == b.end - b.start, a.isQuoted == b.isQuoted else { return false }
    for offset in 0..<a.end - a.start where bytes[a.start + offset] != bytes[b.start + offset] {
      return false
    }
    return true
  }
}
