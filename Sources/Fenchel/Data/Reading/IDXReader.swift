/// Reads IDX arrays (the format of MNIST): big-endian, of bytes, integers or floats.
enum IDXReader {
  /// The array in `bytes`; more than two dimensions are flattened to rows. `shape` has all of them.
  static func array(
    _ bytes: [UInt8], source: String, limit: Int
  ) throws -> (array: NumericArray, shape: [Int]) {
    var reader = ByteReader(bytes, source: source)
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
    guard count * size == reader.remaining else {
      throw fail(
        "the dimensions \(shape) need \(count * size) bytes of data, the file has \(reader.remaining)"
          + (count * size > reader.remaining ? ": it is truncated" : ""))
    }
    guard count > 0 else { throw fail("the array is empty: \(shape)") }
    guard count * 8 <= limit || type == 8 else {
      throw DataError.tooLarge(source: source, what: "an array of \(shape)", bytes: count * 8, limit: limit)
    }
    let columns = count / shape[0]
    if type == 8 {
      return (NumericArray(shape[0], columns, .bytes(bytes), offset: reader.position), shape)
    }
    let values = try numbers(&reader, count, type: type, size: size)
    return (NumericArray(shape[0], columns, .double(values)), shape)
  }

  private static func numbers(
    _ reader: inout ByteReader, _ count: Int, type: UInt64, size: Int
  ) throws -> [Double] {
    var values: [Double] = []
    values.reserveCapacity(count)
    let unused = UInt64(64 - 8 * size)
    for _ in 0..<count {
      let word = try reader.bigEndian(size, "the data")
      switch type {
      case 0x0D: values.append(Double(Float(bitPattern: UInt32(truncatingIfNeeded: word))))
      case 0x0E: values.append(Double(bitPattern: word))
      default: values.append(Double(Int64(bitPattern: word << unused) >> unused))
      }
    }
    return values
  }

  /// Images and labels as one table: the pixels, then the column `label`.
  static func table(
    images: (bytes: [UInt8], name: String), labels: (bytes: [UInt8], name: String), source: String,
    limit: Int
  ) throws -> Table {
    let (pixels, shape) = try array(images.bytes, source: images.name, limit: limit)
    let (classes, labelShape) = try array(labels.bytes, source: labels.name, limit: limit)
    guard labelShape.count == 1 else {
      throw DataError.malformed(Location(labels.name), "labels must have one dimension, not \(labelShape)")
    }
    guard classes.rows == pixels.rows else {
      throw DataError.malformed(
        Location(labels.name),
        "\(classes.rows) labels for the \(pixels.rows) rows of \(printable(images.name))")
    }
    var table = Table(source: source, sha256: "", array: pixels, targets: [pixels.columns])
    table.names.append("label")
    table.columns.append(.numeric(classes, index: 0))
    table.declaredTask = .classification
    if shape.count == 3 { table.imageShape = ImageShape(channels: 1, height: shape[1], width: shape[2]) }
    return table
  }
}
