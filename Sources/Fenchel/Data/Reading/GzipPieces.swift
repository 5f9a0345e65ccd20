import CZlib

/// Decompression of a gzip file that comes piece by piece, under the rules of `Inflate`: members, their lengths and CRCs are
/// checked, nothing but zeros may follow them, and the output is bounded.
final class GzipPieces {
  private let name: String
  /// zlib remembers where its state is.
  private let stream: UnsafeMutablePointer<z_stream>
  private var buffer = [UInt8](repeating: 0, count: 1 << 20)
  private var (read, written) = (0, 0)
  private var place = Place.inMember

  private enum Place {
    case inMember, between
    /// After the first byte of what may be the next member.
    case begun
  }

  init(name: String) throws {
    self.name = name
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    let size = Int32(MemoryLayout<z_stream>.size)
    guard inflateInit2_(stream, 15 + 16, ZLIB_VERSION, size) == Z_OK else {
      throw DataError.unreadable(source: name, reason: "zlib cannot be started")
    }
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  /// Takes the next bytes of the file; `sink` gets what they unpack to.
  func take(_ bytes: [UInt8], into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    read += bytes.count
    var position = 0
    while position < bytes.count {
      if place == .inMember {
        position += try inflate(bytes, from: position, into: sink)
      } else {
        try pass(bytes[position])
        position += 1
      }
    }
  }

  /// Says that the file is over.
  func finish() throws {
    if place == .inMember {
      throw DataError.malformed(Location(name), "the compressed data end too early: the file is truncated")
    }
    if place == .begun { throw trailing }
  }

  /// A byte after a member: zeros pad, 1F 8B begin another one.
  private func pass(_ byte: UInt8) throws {
    switch (place, byte) {
    case (.between, 0): return
    case (.between, 0x1F): place = .begun
    case (.begun, 0x8B):
      inflateReset(stream)
      place = .inMember
      _ = try inflate([0x1F, 0x8B], from: 0) { _ in }
    default: throw trailing
    }
  }

  private var trailing: DataError {
    .malformed(Location(name), "other bytes follow the end of the gzip data")
  }

  /// The number of bytes used up.
  private func inflate(
    _ bytes: [UInt8], from start: Int, into sink: (UnsafeRawBufferPointer) throws -> Void
  ) throws -> Int {
    var position = start
    while place == .inMember {
      let (code, count) = step(bytes, &position)
      written += count
      guard written <= Inflate.allowance(input: read, limit: .max) else {
        throw DataError.malformed(
          Location(name),
          "unpacks to more than \(Inflate.ratioLimit) times its size: refused; unpack it yourself if it is meant"
        )
      }
      try buffer.withUnsafeBytes { try sink(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
      if code == Z_STREAM_END {
        place = .between
      } else if code != Z_OK && code != Z_BUF_ERROR {
        let reason = stream.pointee.msg.map { String(cString: $0) } ?? "error \(code)"
        throw DataError.malformed(Location(name), "the compressed data are damaged (\(reason))")
      } else if count < buffer.count, position == bytes.count {
        break
      }
    }
    return position - start
  }

  private func step(_ bytes: [UInt8], _ position: inout Int) -> (code: Int32, count: Int) {
    bytes.withUnsafeBufferPointer { input in
      buffer.withUnsafeMutableBufferPointer { target in
        stream.pointee.next_in = input.baseAddress.map { UnsafeMutablePointer(mutating: $0 + position) }
        stream.pointee.avail_in = UInt32(bytes.count - position)
        stream.pointee.next_out = target.baseAddress
        stream.pointee.avail_out = UInt32(target.count)
        let code = CZlib.inflate(stream, Z_NO_FLUSH)
        position = bytes.count - Int(stream.pointee.avail_in)
        return (code, target.count - Int(stream.pointee.avail_out))
      }
    }
  }
}
