/// The header of an IDX file: element type and shape.
struct IDXHeader: Sendable {
  private let type: UInt64
  /// Bytes of one element.
  let size: Int
  let shape: [Int]
  /// Where the elements begin.
  let dataStart: Int
  private let count: Int

  /// Reads the header at the start of `reader`.
  init(_ reader: inout ByteReader) throws {
    let source = reader.source
    func fail(_ problem: String) -> DataError { .malformed(Location(source), problem) }
    guard try reader.littleEndian(2, "the IDX header") == 0 else {
      throw fail("not an IDX file: it must begin with two zero bytes")
    }
    let type = try reader.littleEndian(1, "the IDX header")
    guard let size = [0x08: 1, 0x09: 1, 0x0B: 2, 0x0C: 4, 0x0D: 4, 0x0E: 8][type] else {
      throw fail("IDX element type \(type) is not known")
    }
    let dimensions = Int(try reader.littleEndian(1, "the IDX header"))
    guard (1...8).contains(dimensions) else { throw fail("an IDX file of \(dimensions) dimensions") }
    let shape = try (0..<dimensions).map { _ in Int(try reader.bigEndian(4, "the IDX header")) }
    var count = 1
    for extent in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard !overflow, product <= Int.max / 16 else { throw fail("the dimensions \(shape) are too large") }
      count = product
    }
    (self.type, self.size, self.shape, self.count) = (type, size, shape, count)
    dataStart = reader.position
  }

  var rows: Int { shape[0] }
  /// Entries of a row; more than two dimensions are flattened.
  var columns: Int { rows == 0 ? 0 : count / rows }

  /// Throws unless there are as many bytes of data as the shape needs, and at least one.
  func check(dataBytes: Int, _ source: String) throws {
    guard count * size == dataBytes else {
      throw DataError.malformed(
        Location(source),
        "the dimensions \(shape) need \(count * size) bytes of data, the file has \(dataBytes)"
          + (count * size > dataBytes ? ": it is truncated" : ""))
    }
    guard count > 0 else { throw DataError.malformed(Location(source), "the array is empty: \(shape)") }
  }

  /// Whether elements are kept as the bytes that they are.
  var isBytes: Bool { type == 8 }

  /// Rows that lie end to end from `start` on.
  func numbers(_ bytes: [UInt8], from start: Int = 0, rows: Int, source: String) throws -> NumericArray {
    if isBytes { return NumericArray(rows, columns, .bytes(bytes), offset: start) }
    var reader = ByteReader(bytes, source: source)
    reader.position = start
    var values: [Double] = []
    values.reserveCapacity(rows * columns)
    let unused = UInt64(64 - 8 * size)
    for _ in 0..<rows * columns {
      let word = try reader.bigEndian(size, "the data")
      switch type {
      case 0x0D: values.append(Double(Float(bitPattern: UInt32(truncatingIfNeeded: word))))
      case 0x0E: values.append(Double(bitPattern: word))
      default: values.append(Double(Int64(bitPattern: word << unused) >> unused))
      }
    }
    return NumericArray(rows, columns, .double(values))
  }
}
