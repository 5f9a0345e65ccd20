import LinearAlgebra

/// Reads IDX arrays (the format of MNIST): big-endian, of bytes, integers or floats.
enum IDXReader {
  /// The array in `bytes`; more than two dimensions are flattened to rows. `shape` has all of them.
  static func array(
    _ bytes: [UInt8], source: String, limit: Int
  ) throws -> (array: NumericArray, shape: [Int]) {
    var reader = ByteReader(bytes, source: source)
    let header = try IDXHeader(&reader)
    try header.check(dataBytes: reader.remaining, source)
    let needed = header.rows * header.columns * 8
    guard needed <= limit || header.isBytes else {
      throw DataError.tooLarge(
        source: source, what: "an array of \(header.shape)", bytes: needed, limit: limit)
    }
    let array = try header.numbers(bytes, from: header.dataStart, rows: header.rows, source: source)
    return (array, header.shape)
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
    return table(pixels: pixels, shape: shape, classes: classes, source: source)
  }

  /// The table of pixels in an array of some shape, and their labels.
  static func table(pixels: NumericArray, shape: [Int], classes: NumericArray, source: String) -> Table {
    var table = Table(source: source, sha256: "", array: pixels, targets: [pixels.columns])
    table.names.append("label")
    table.columns.append(.numeric(classes, index: 0))
    table.declaredTask = .classification
    if shape.count == 3 { table.imageShape = ImageShape(channels: 1, height: shape[1], width: shape[2]) }
    return table
  }
}
