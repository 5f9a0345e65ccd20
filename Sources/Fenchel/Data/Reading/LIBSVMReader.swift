/// Reads LIBSVM files: `label index:value index:value …` a line, indices from 1 and rising, absent ones zero.
///
/// The table is dense: d columns for the largest index, then the label. Its size is checked before it is made.
/// A `#` begins a comment; `qid` is refused. Memory: 16 bytes an entry, and 8·n·(d + 1) for the table.
struct LIBSVMReader {
  private let source: String
  private var labels: [Double] = []
  private var rowStarts: [Int] = [0]
  private var indices: [Int32] = []
  private var values: [Double] = []
  private var lines: [Int] = []
  private var width = 0

  static func read(_ bytes: [UInt8], source: String, options: ReadOptions) throws -> Table {
    var reader = LIBSVMReader(source: source)
    try bytes.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      try reader.readLines(base, buffer.count)
    }
    guard !reader.labels.isEmpty else {
      throw DataError.malformed(Location(source), "the file is empty")
    }
    return try reader.table(limit: options.memoryLimit)
  }

  private init(source: String) { self.source = source }

  private mutating func readLines(_ bytes: UnsafePointer<UInt8>, _ count: Int) throws {
    var start = count >= 3 && (bytes[0], bytes[1], bytes[2]) == (0xEF, 0xBB, 0xBF) ? 3 : 0
    var line = 1
    while start < count {
      var end = start
      while end < count, bytes[end] != 0x0A, bytes[end] != 0x0D { end += 1 }
      var content = start
      while content < end, bytes[content] != 0x23 { content += 1 }
      try readLine(bytes, start, content, line)
      if end + 1 < count, bytes[end] == 0x0D, bytes[end + 1] == 0x0A { end += 1 }
      start = end + 1
      line += 1
    }
  }

  private mutating func readLine(
    _ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int, _ line: Int
  ) throws {
    func location(_ position: Int) -> Location { Location(source, line: line, column: position - start + 1) }
    func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
    var position = start
    var previous = 0
    var isFirst = true
    while true {
      while position < end, isBlank(bytes[position]) { position += 1 }
      guard position < end else { break }
      let token = position
      while position < end, !isBlank(bytes[position]) { position += 1 }
      if isFirst {
        labels.append(try number(bytes, token, position, "the label", location(token)))
        isFirst = false
        continue
      }
      guard let colon = (token..<position).first(where: { bytes[$0] == 0x3A }) else {
        throw DataError.malformed(
          location(token), "\(shown(bytes, token, position)) is not of the form index:value")
      }
      let index = try index(bytes, token, colon, location(token))
      guard index > previous else {
        let problem = index == previous ? "appears twice in the line" : "comes after index \(previous)"
        throw DataError.malformed(location(token), "index \(index) \(problem): indices must rise")
      }
      previous = index
      indices.append(Int32(index - 1))
      values.append(try number(bytes, colon + 1, position, "the value", location(colon + 1)))
    }
    guard !isFirst else { return }
    width = max(width, previous)
    rowStarts.append(indices.count)
    lines.append(line)
  }

  private func index(
    _ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int, _ location: Location
  ) throws -> Int {
    let name = shown(bytes, start, end)
    if end - start == 3, (bytes[start], bytes[start + 1], bytes[start + 2]) == (0x71, 0x69, 0x64) {
      throw DataError.malformed(location, "qid groups (for ranking) are not read; remove them")
    }
    var index = 0
    for position in start..<end {
      let digit = bytes[position] &- 0x30
      guard digit < 10 else { throw DataError.malformed(location, "index \(name) is not a positive integer") }
      index = index * 10 + Int(digit)
      guard index < Int(Int32.max) else {
        throw DataError.malformed(location, "index \(name) is too large (at most \(Int32.max - 1))")
      }
    }
    guard end > start else { throw DataError.malformed(location, "there is no index before the colon") }
    guard index > 0 else { throw DataError.malformed(location, "index 0: indices count from 1") }
    return index
  }

  private func number(
    _ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int, _ what: String, _ location: Location
  ) throws -> Double {
    var value = 0.0
    switch DecimalNumber.parse(bytes, start, end, into: &value) {
    case .number: return value
    case .tooLarge:
      throw DataError.malformed(location, "\(what) \(shown(bytes, start, end)) is too large (beyond 1.8e308)")
    case .notANumber:
      throw DataError.malformed(location, "\(what) \(shown(bytes, start, end)) is not a number")
    }
  }

  private func shown(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> String {
    let count = min(end - start, 80)
    return quoted(String(decoding: UnsafeBufferPointer(start: bytes + start, count: count), as: UTF8.self))
  }

  private func table(limit: Int) throws -> Table {
    guard width > 0 else {
      throw DataError.malformed(Location(source), "no line has an index:value pair; there are no features")
    }
    let (entries, overflow) = labels.count.multipliedReportingOverflow(by: width + 1)
    let needed = overflow ? Int.max : entries.multipliedReportingOverflow(by: 8).partialValue
    guard !overflow, entries <= Int.max / 8, needed <= limit else {
      throw DataError.tooLarge(
        source: source, what: "a dense table of \(labels.count) rows and \(width) columns",
        bytes: overflow || entries > Int.max / 8 ? Int.max : needed, limit: limit)
    }
    var dense = [Double](repeating: 0, count: entries)
    for row in labels.indices {
      for entry in rowStarts[row]..<rowStarts[row + 1] {
        dense[row * (width + 1) + Int(indices[entry])] = values[entry]
      }
      dense[row * (width + 1) + width] = labels[row]
    }
    let array = NumericArray(labels.count, width + 1, .double(dense))
    var table = Table(source: source, sha256: "", array: array, targets: [width])
    table.hasImplicitZeros = true
    table.firstLine = lines.first
    table.lines = lines
    return table
  }
}
