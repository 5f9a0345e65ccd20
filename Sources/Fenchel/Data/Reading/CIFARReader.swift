import LinearAlgebra

/// Reads the binary files of CIFAR-10 and CIFAR-100: records of labels and 3 × 32 × 32 bytes, channel by channel.
enum CIFARReader {
  /// The table of records: the pixels, then the column `label`, which is the last of `labels` label bytes (of
  /// CIFAR-100 the fine one; the coarse one would give it away).
  static func table(_ bytes: [UInt8], labels: Int, source: String) throws -> Table {
    let size = labels + 3072
    guard !bytes.isEmpty, bytes.count % size == 0 else {
      throw DataError.malformed(
        Location(source), "\(bytes.count) bytes are not a whole number of records of \(size) bytes")
    }
    let classes = labels == 1 ? 10 : 100
    if let record = (0..<bytes.count / size).first(where: { bytes[$0 * size + labels - 1] >= classes }) {
      throw DataError.malformed(
        Location(source),
        "record \(record + 1) has the label \(bytes[record * size + labels - 1]); there are \(classes)")
    }
    let array = NumericArray(bytes.count / size, size, .bytes(bytes))
    var table = Table(source: source, columns: (labels..<size).map { .numeric(array, index: $0) })
    table.names.append("label")
    table.columns.append(.numeric(array, index: labels - 1))
    table.defaultTargets = [3072]
    table.declaredTask = .classification
    table.imageShape = ImageShape(channels: 3, height: 32, width: 32)
    return table
  }
}
