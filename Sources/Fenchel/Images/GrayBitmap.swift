import CZlib
import LinearAlgebra

/// A picture of 256 greys, as files have it.
public struct GrayBitmap: Sendable, Equatable {
  public let height: Int
  public let width: Int
  /// Row by row, 0 for black.
  public let pixels: [UInt8]

  public init(height: Int, width: Int, pixels: [UInt8]) {
    precondition(height > 0 && width > 0 && pixels.count == height * width)
    (self.height, self.width, self.pixels) = (height, width, pixels)
  }

  /// Images of height × width, one a row with greys from 0 to 1 (others are cut off), side by side in rows of so many, with
  /// white lines between them.
  public init(grid images: Matrix<Double>, height: Int, width: Int, columns: Int, gap: Int = 2) {
    precondition(images.rows > 0 && images.columns == height * width && columns > 0 && gap >= 0)
    let across = min(columns, images.rows)
    let down = (images.rows + across - 1) / across
    let (wide, high) = (across * (width + gap) + gap, down * (height + gap) + gap)
    var pixels = [UInt8](repeating: 255, count: wide * high)
    for k in 0..<images.rows {
      let (top, left) = (gap + k / across * (height + gap), gap + k % across * (width + gap))
      for y in 0..<height {
        for x in 0..<width { pixels[(top + y) * wide + left + x] = Self.grey(images[k, y * width + x]) }
      }
    }
    self.init(height: high, width: wide, pixels: pixels)
  }

  private static func grey(_ value: Double) -> UInt8 {
    value.isNaN ? 0 : UInt8((255 * min(max(value, 0), 1)).rounded())
  }

  /// The picture as a binary PGM file.
  public var pgm: [UInt8] { Array("P5\n\(width) \(height)\n255\n".utf8) + pixels }

  /// The picture as a PNG file (ISO 15948): eight bits of grey, lines without filter.
  public var png: [UInt8] {
    var lines: [UInt8] = []
    lines.reserveCapacity(height * (width + 1))
    for y in 0..<height { lines += [0] + pixels[y * width..<(y + 1) * width] }
    let header = Self.bigEndian(UInt32(width)) + Self.bigEndian(UInt32(height)) + [8, 0, 0, 0, 0]
    return [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + Self.chunk("IHDR", header)
      + Self.chunk("IDAT", Self.compressed(lines)) + Self.chunk("IEND", [])
  }

  /// Length, name, content, and the CRC of the last two.
  private static func chunk(_ name: String, _ content: [UInt8]) -> [UInt8] {
    let body = Array(name.utf8) + content
    let crc = body.withUnsafeBufferPointer { crc32(0, $0.baseAddress, UInt32($0.count)) }
    return bigEndian(UInt32(content.count)) + body + bigEndian(UInt32(crc))
  }

  private static func bigEndian(_ value: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
  }

  /// A zlib stream. `compressBound` bytes always hold it.
  private static func compressed(_ bytes: [UInt8]) -> [UInt8] {
    var length = compressBound(UInt(bytes.count))
    var result = [UInt8](repeating: 0, count: Int(length))
    let code = result.withUnsafeMutableBufferPointer { target in
      bytes.withUnsafeBufferPointer { source in
        compress2(target.baseAddress, &length, source.baseAddress, UInt(source.count), 9)
      }
    }
    precondition(code == Z_OK, "zlib has no memory left")
    return Array(result.prefix(Int(length)))
  }
}
