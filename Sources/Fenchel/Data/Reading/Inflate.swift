import CZlib

/// Decompression of gzip files and of raw deflate streams, with bounded output.
package enum Inflate {
  /// Output below this is always allowed; above it, at most `ratioLimit` bytes for each byte of input.
  package static let freeBytes = 64 << 20
  package static let ratioLimit = 200

  package static func isGzip(_ bytes: [UInt8]) -> Bool {
    bytes.count >= 2 && bytes[0] == 0x1F && bytes[1] == 0x8B
  }

  /// The content of a gzip file of one or more members; lengths and CRCs are checked.
  package static func gzip(_ bytes: [UInt8], name: String, limit: Int) throws -> [UInt8] {
    guard isGzip(bytes) else {
      throw DataError.malformed(Location(name), "is not a gzip file, although its name ends in .gz")
    }
    return try run(bytes, 0..<bytes.count, windowBits: 15 + 16, name: name, limit: limit, expected: nil)
  }

  /// The content of the raw deflate stream in `range` of `bytes`.
  package static func deflate(
    _ bytes: [UInt8], _ range: Range<Int>, name: String, expected: Int, limit: Int
  ) throws -> [UInt8] {
    try run(bytes, range, windowBits: -15, name: name, limit: limit, expected: expected)
  }

  /// Largest output allowed for `input` bytes under the memory limit.
  package static func allowance(input: Int, limit: Int) -> Int {
    min(limit, max(freeBytes, input.multipliedReportingOverflow(by: ratioLimit).partialValue))
  }

  private static func run(
    _ bytes: [UInt8], _ range: Range<Int>, windowBits: Int32, name: String, limit: Int, expected: Int?
  ) throws -> [UInt8] {
    var stream = z_stream()
    let size = Int32(MemoryLayout<z_stream>.size)
    guard inflateInit2_(&stream, windowBits, ZLIB_VERSION, size) == Z_OK else {
      throw DataError.unreadable(source: name, reason: "zlib cannot be started")
    }
    defer { inflateEnd(&stream) }
    let most = allowance(input: range.count, limit: limit)
    var output = [UInt8](
      repeating: 0, count: min(most + 1, expected.map { $0 &+ 1 } ?? max(4 * range.count, 1 << 16)))
    var written = 0
    var position = range.lowerBound
    while true {
      let code = step(&stream, bytes, &position, range.upperBound, &output, &written)
      if code == Z_STREAM_END {
        guard windowBits > 15, try startsMember(bytes, &position, range.upperBound, name) else { break }
        inflateReset(&stream)
      } else if code == Z_OK || code == Z_BUF_ERROR {
        if written == output.count {
          guard expected == nil || written <= (expected ?? 0) else { break }
          if written > most { throw bomb(name, written, range.count, limit) }
          output.append(contentsOf: repeatElement(0, count: min(most + 1 - written, max(written, 1 << 16))))
        } else if position == range.upperBound {
          throw DataError.malformed(
            Location(name), "the compressed data end too early: the file is truncated")
        }
      } else {
        let reason = stream.msg.map { String(cString: $0) } ?? "error \(code)"
        throw DataError.malformed(Location(name), "the compressed data are damaged (\(reason))")
      }
    }
    if written > most { throw bomb(name, written, range.count, limit) }
    output.removeLast(output.count - written)
    return output
  }

  private static func step(
    _ stream: inout z_stream, _ bytes: [UInt8], _ position: inout Int, _ end: Int,
    _ output: inout [UInt8], _ written: inout Int
  ) -> Int32 {
    bytes.withUnsafeBufferPointer { input in
      output.withUnsafeMutableBufferPointer { target in
        let given = min(end - position, 1 << 30)
        let room = min(target.count - written, 1 << 30)
        stream.next_in = input.baseAddress.map { UnsafeMutablePointer(mutating: $0 + position) }
        stream.avail_in = UInt32(given)
        stream.next_out = target.baseAddress.map { $0 + written }
        stream.avail_out = UInt32(room)
        let code = inflate(&stream, Z_NO_FLUSH)
        position += given - Int(stream.avail_in)
        written += room - Int(stream.avail_out)
        return code
      }
    }
  }

  /// Whether another gzip member follows at `position`; zero padding may, anything else may not.
  private static func startsMember(
    _ bytes: [UInt8], _ position: inout Int, _ end: Int, _ name: String
  ) throws -> Bool {
    while position < end && bytes[position] == 0 { position += 1 }
    guard position < end else { return false }
    guard position + 1 < end, bytes[position] == 0x1F, bytes[position + 1] == 0x8B else {
      throw DataError.malformed(Location(name), "\(end - position) bytes follow the end of the gzip data")
    }
    return true
  }

  private static func bomb(_ name: String, _ written: Int, _ input: Int, _ limit: Int) -> DataError {
    if written > limit {
      return .tooLarge(source: name, what: "unpacking it", bytes: written, limit: limit)
    }
    return .malformed(
      Location(name),
      "unpacks to more than \(ratioLimit) times its \(input) bytes: refused; unpack it yourself if it is meant"
    )
  }
}
