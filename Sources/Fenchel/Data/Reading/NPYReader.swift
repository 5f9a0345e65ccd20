/// Reads NPY arrays of bools, integers, floats and (as labels) text, of either byte order and either layout.
///
/// Integers beyond 2⁵³ are rounded to the nearest Double.
enum NPYReader {
  /// An array of one or two dimensions: `rows` × `columns` numbers, or one column of text.
  enum Content {
    case numbers(NumericArray)
    case texts([String])
  }

  /// The table of one file: the last column is the target.
  static func read(_ bytes: [UInt8], source: String, options: ReadOptions) throws -> Table {
    let content = try array(bytes, 0..<bytes.count, source: source, limit: options.memoryLimit)
    guard case .numbers(let array) = content else {
      throw DataError.malformed(Location(source), "an array of text cannot be a table")
    }
    try requireRows(array.rows, array.columns, source)
    return Table(source: source, sha256: "", array: array, targets: [array.columns - 1])
  }

  static func requireRows(_ rows: Int, _ columns: Int, _ source: String) throws {
    guard rows > 0, columns > 0 else {
      throw DataError.malformed(Location(source), "the array is empty (\(rows) × \(columns))")
    }
  }

  /// The array in `range` of `bytes`. Images and the like (more than two dimensions) are flattened to rows.
  static func array(
    _ bytes: [UInt8], _ range: Range<Int>, source: String, limit: Int
  ) throws -> Content {
    var reader = ByteReader(bytes, range, source: source)
    let header = try NPYHeader(&reader)
    func fail(_ problem: String) -> DataError { .malformed(Location(source), problem) }
    guard (1...8).contains(header.shape.count) else {
      throw fail("an array of \(header.shape.count) dimensions; one or two are needed (n rows × d columns)")
    }
    guard let count = header.count,
      case let (needed, overflow) = count.multipliedReportingOverflow(by: header.size),
      !overflow
    else { throw fail("the shape \(header.shape) is too large") }
    guard needed == reader.remaining else {
      throw fail(
        "the shape \(header.shape) needs \(needed) bytes of data, the file has \(reader.remaining)"
          + (needed > reader.remaining ? ": it is truncated" : ""))
    }
    let rows = header.shape[0]
    let columns = rows == 0 ? 0 : count / rows
    guard count <= Int.max / 16, count * 8 <= limit else {
      throw DataError.tooLarge(
        source: source, what: "an array of \(header.shape)",
        bytes: count.multipliedReportingOverflow(by: 8).partialValue, limit: limit)
    }
    if header.kind == .unicode {
      guard columns <= 1 else { throw fail("an array of text must have one dimension") }
      return .texts(try texts(bytes, header, count: count, source: source))
    }
    return .numbers(NumericArray(rows, columns, elements(bytes, header, rows, columns)))
  }

  /// The entries of an array in row-major order.
  static func elements(
    _ bytes: [UInt8], _ header: NPYHeader, _ rows: Int, _ columns: Int
  ) -> NumericArray.Storage {
    let start = header.dataStart
    let count = rows * columns
    /// The elements as they lie in the file.
    func copied<T>(_: T.Type) -> [T] {
      [T](unsafeUninitializedCapacity: count) { target, filled in
        bytes.withUnsafeBytes {
          UnsafeMutableRawBufferPointer(target).copyMemory(
            from: UnsafeRawBufferPointer(rebasing: $0[start..<start + count * header.size]))
        }
        filled = count
      }
    }
    let isPlain = !header.isBigEndian && (!header.isFortranOrder || header.shape.count < 2)
    if isPlain, header.kind == .float, header.size == 4 { return .float(copied(Float.self)) }
    if isPlain, header.kind == .float, header.size == 8 { return .double(copied(Double.self)) }
    func ordered<T>(_ value: (Int) -> T) -> [T] {
      guard header.isFortranOrder, header.shape.count > 1 else { return (0..<count).map(value) }
      return fortranOrder(header.shape, count).map(value)
    }
    func raw(_ index: Int) -> UInt64 {
      var word: UInt64 = 0
      let first = start + index * header.size
      for k in 0..<header.size {
        let byte = bytes[header.isBigEndian ? first + k : first + header.size - 1 - k]
        word = word << 8 | UInt64(byte)
      }
      return word
    }
    let unused = UInt64(64 - 8 * header.size)
    switch (header.kind, header.size) {
    case (.bool, _): return .bytes(ordered { bytes[start + $0] == 0 ? 0 : 1 })
    case (.unsigned, 1): return .bytes(ordered { bytes[start + $0] })
    case (.unsigned, _): return .double(ordered { Double(raw($0)) })
    case (.signed, _): return .double(ordered { Double(Int64(bitPattern: raw($0) << unused) >> unused) })
    case (.float, 2): return .float(ordered { half(UInt16(truncatingIfNeeded: raw($0))) })
    case (.float, 4): return .float(ordered { Float(bitPattern: UInt32(truncatingIfNeeded: raw($0))) })
    default: return .double(ordered { Double(bitPattern: raw($0)) })
    }
  }

  /// For each entry in row-major order, its place in the column-major data.
  private static func fortranOrder(_ shape: [Int], _ count: Int) -> [Int] {
    var strides: [Int] = []
    var product = 1
    for extent in shape {
      strides.append(product)
      product *= extent
    }
    return (0..<count).map { index in
      var rest = index
      var place = 0
      for axis in shape.indices.reversed() {
        place += rest % shape[axis] * strides[axis]
        rest /= shape[axis]
      }
      return place
    }
  }

  /// The IEEE binary16 value with the given bits.
  private static func half(_ bits: UInt16) -> Float {
    let exponent = Int(bits >> 10 & 0x1F)
    let fraction = Float(bits & 0x3FF)
    var value: Float
    if exponent == 0 {
      value = fraction * 0x1p-24
    } else if exponent == 31 {
      value = fraction == 0 ? .infinity : .nan
    } else {
      value = (1 + fraction * 0x1p-10) * Float(sign: .plus, exponent: exponent - 15, significand: 1)
    }
    if bits & 0x8000 != 0 { value = -value }
    return value
  }

  private static func texts(
    _ bytes: [UInt8], _ header: NPYHeader, count: Int, source: String
  ) throws -> [String] {
    try (0..<count).map { index in
      var reader = ByteReader(bytes, source: source)
      reader.position = header.dataStart + index * header.size
      var text = String.UnicodeScalarView()
      for _ in 0..<header.size / 4 {
        let code = header.isBigEndian ? try reader.bigEndian(4, "text") : try reader.littleEndian(4, "text")
        guard let scalar = Unicode.Scalar(UInt32(truncatingIfNeeded: code)) else {
          throw DataError.malformed(Location(source), "row \(index + 1) holds an invalid character")
        }
        if scalar.value == 0 { break }
        text.append(scalar)
      }
      return String(text)
    }
  }
}
