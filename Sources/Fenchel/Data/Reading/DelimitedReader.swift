/// Reads CSV and TSV: a header, then one row a line, fields as in RFC 4180.
///
/// * A number is `[+-] digits [. digits] [e [+-] digits]`; spaces around unquoted fields are dropped.
/// * A missing entry is empty, `NA`, `nan`, `NaN` or `?`.
/// * A column is numeric when every entry is a number or missing, else text.
/// * In CSV the delimiter is the comma, or `;` where the header has no comma but a `;`; in TSV it is the tab.
/// * Lines without any character are skipped; a byte order mark is dropped.
///
/// Memory: at most eight bytes for each field (two bytes of the file at least), and the distinct texts.
struct DelimitedReader {
  let source: String
  let options: ReadOptions
  private let format: FileFormat

  var names: [String] = []
  private var values: [Double] = []
  private var capacity = 0
  var rows = 0
  private var lines: [Int] = []
  var firstLine = 0
  private var linesAreRegular = true
  private(set) var isText: [Bool] = []
  private(set) var firstNonNumber: [(row: Int, location: Location, token: String, problem: String)?] = []

  static func read(
    _ bytes: [UInt8], source: String, format: FileFormat, options: ReadOptions
  ) throws -> Table {
    var reader = DelimitedReader(source: source, options: options, format: format)
    return try bytes.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress, buffer.count > 0 else {
        throw DataError.malformed(Location(source), "the file is empty")
      }
      return try reader.table(base, buffer.count)
    }
  }

  init(source: String, options: ReadOptions, format: FileFormat) {
    self.source = source
    self.options = options
    self.format = format
  }

  private mutating func table(_ base: UnsafePointer<UInt8>, _ count: Int) throws -> Table {
    let start = try contentStart(base, count)
    let delimiter = delimiter(base, start..<count)
    var scanner = DelimitedScanner(base, start..<count, delimiter: delimiter, source: source)
    scanner.skipEmptyLines()
    guard !scanner.isAtEnd else { throw DataError.malformed(Location(source), "the file is empty") }
    if options.hasHeader { try readHeader(&scanner) } else { try makeHeader(scanner) }
    let body = scanner
    try reserve(base, scanner.position..<count)
    try readRows(&scanner)
    guard rows > 0 else {
      throw DataError.malformed(Location(source), "a header but no rows: nothing to learn from")
    }
    return try assemble(body)
  }

  /// Position behind the byte order mark, if there is one.
  func contentStart(_ base: UnsafePointer<UInt8>, _ count: Int) throws -> Int {
    if count >= 2, (base[0], base[1]) == (0xFF, 0xFE) || (base[0], base[1]) == (0xFE, 0xFF) {
      throw DataError.malformed(Location(source, line: 1, column: 1), "the file is UTF-16; save it as UTF-8")
    }
    return count >= 3 && (base[0], base[1], base[2]) == (0xEF, 0xBB, 0xBF) ? 3 : 0
  }

  func delimiter(_ base: UnsafePointer<UInt8>, _ range: Range<Int>) -> UInt8 {
    if format == .tsv { return 0x09 }
    var semicolon = false
    var inQuotes = false
    for index in range {
      let byte = base[index]
      if byte == 0x22 { inQuotes.toggle() }
      if inQuotes { continue }
      if byte == 0x2C { return 0x2C }
      if byte == 0x3B { semicolon = true }
      if byte == 0x0A || byte == 0x0D { break }
    }
    return semicolon ? 0x3B : 0x2C
  }

  mutating func readHeader(_ scanner: inout DelimitedScanner) throws {
    var seen: [String: Int] = [:]
    var numbers = 0
    while true {
      let field = try scanner.next()
      let name = try scanner.text(of: field)
      if name.isEmpty {
        throw DataError.malformed(
          scanner.location(field),
          "column \(names.count + 1) of the header has no name; name it or remove the column"
            + (names.isEmpty ? " (from pandas: to_csv(…, index=False))" : ""))
      }
      if let first = seen[name] {
        throw DataError.malformed(
          scanner.location(field), "columns \(first) and \(names.count + 1) are both named \(quoted(name))")
      }
      names.append(name)
      seen[name] = names.count
      if DecimalNumber.parse(name).1 != .notANumber { numbers += 1 }
      if field.terminator != .delimiter { break }
    }
    if numbers == names.count {
      throw DataError.malformed(
        Location(source, line: 1), "the first line holds numbers only; it must name the columns")
    }
    prepareColumns()
  }

  /// Without a header: names x0, x1, … for as many columns as the first row has.
  mutating func makeHeader(_ scanner: DelimitedScanner) throws {
    var scanner = scanner
    repeat { names.append("x\(names.count)") } while try scanner.next().terminator == .delimiter
    prepareColumns()
  }

  private mutating func prepareColumns() {
    isText = names.map { options.textColumns.contains($0) }
    firstNonNumber = Array(repeating: nil, count: names.count)
  }

  /// Room for all fields: as many as line ends allow, and at most one for each byte.
  private mutating func reserve(_ base: UnsafePointer<UInt8>, _ range: Range<Int>) throws {
    var ends = 1
    for index in range { ends += (base[index] == 0x0A ? 1 : 0) + (base[index] == 0x0D ? 1 : 0) }
    let product = ends.multipliedReportingOverflow(by: names.count)
    let fields = product.overflow ? range.count + 1 : min(product.partialValue, range.count + 1)
    guard fields <= options.memoryLimit / 8 else {
      throw DataError.tooLarge(
        source: source, what: "reading \(fields) fields", bytes: fields * 8, limit: options.memoryLimit)
    }
    capacity = fields + names.count
  }

  private mutating func readRows(_ scanner: inout DelimitedScanner) throws {
    scanner.skipEmptyLines()
    firstLine = scanner.line
    let width = names.count
    values = try [Double](unsafeUninitializedCapacity: capacity) { buffer, count in
      while !scanner.isAtEnd {
        if linesAreRegular, scanner.line != firstLine + rows {
          linesAreRegular = false
          lines = (0..<rows).map { firstLine + $0 }
        }
        if !linesAreRegular { lines.append(scanner.line) }
        guard count + width <= buffer.count, let base = buffer.baseAddress else {
          throw DataError.malformed(
            Location(source, line: scanner.line), "the row ends before its \(counted(width, "field"))")
        }
        if !readPlainRow(&scanner, into: base + count) { try readRow(&scanner, into: base + count) }
        count += width
        rows += 1
        scanner.skipEmptyLines()
      }
    }
  }

  /// Reads a row of unquoted numbers, empty fields and (in columns known to be text) anything without quotes.
  /// Returns false, the scanner where it was, for every other row.
  func readPlainRow(
    _ scanner: inout DelimitedScanner, into row: UnsafeMutablePointer<Double>
  ) -> Bool {
    let (bytes, end, delimiter) = (scanner.bytes, scanner.count, scanner.delimiter)
    var position = scanner.position
    let last = names.count - 1
    return isText.withUnsafeBufferPointer { isText in
      for column in 0...last {
        while position < end, bytes[position] == 0x20 { position += 1 }
        var value = Double.nan
        if isText[column] {
          if position < end, bytes[position] == 0x22 { return false }
          while position < end, bytes[position] != delimiter,
            bytes[position] > 0x0D || bytes[position] == 0x09
          {
            position += 1
          }
        } else if position < end, bytes[position] > 0x2A, bytes[position] != delimiter {
          if DecimalNumber.parsePrefix(bytes, &position, end, into: &value) != .number { return false }
        }
        row[column] = value
        while position < end, bytes[position] == 0x20 { position += 1 }
        if column < last {
          guard position < end, bytes[position] == delimiter else { return false }
          position += 1
        }
      }
      guard position == end || bytes[position] == 0x0A || bytes[position] == 0x0D else { return false }
      scanner.position = position
      if position < end { scanner.passLineEnd() }
      return true
    }
  }

  /// Reads any row, field by field.
  mutating func readRow(
    _ scanner: inout DelimitedScanner, into row: UnsafeMutablePointer<Double>
  ) throws {
    let width = names.count
    let line = scanner.line
    var column = 0
    while true {
      let field = try scanner.next()
      if column < width {
        var value = Double.nan
        if !isText[column] {
          let outcome = DecimalNumber.parse(scanner.bytes, field.start, field.end, into: &value)
          if outcome != .number, !Self.isMissing(scanner.bytes, field.start, field.end) {
            becomeText(column, field, scanner, outcome)
          }
        }
        row[column] = value
      }
      column += 1
      if field.terminator != .delimiter { break }
    }
    if column != width {
      throw DataError.malformed(
        Location(source, line: line),
        "\(counted(column, "field")), but the \(options.hasHeader ? "header" : "first row") has \(width)")
    }
  }

  private mutating func becomeText(
    _ column: Int, _ field: DelimitedScanner.Field, _ scanner: DelimitedScanner,
    _ outcome: DecimalNumber.Outcome
  ) {
    isText[column] = true
    let token = scanner.shown(field)
    var problem = "is not a number"
    if outcome == .tooLarge { problem = "is too large for a number (beyond 1.8e308)" }
    if ["inf", "infinity"].contains(token.lowercased().drop { "+-".contains($0) }) {
      problem = "is infinite, which no column may be"
    }
    firstNonNumber[column] = (rows, scanner.location(field), token, problem)
  }

  /// Whether the bytes spell a missing entry: nothing, `NA`, `nan`, `NaN` or `?`.
  static func isMissing(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Bool {
    switch end - start {
    case 0: return true
    case 1: return bytes[start] == 0x3F
    case 2: return bytes[start] == 0x4E && bytes[start + 1] == 0x41
    case 3:
      let (a, b, c) = (bytes[start], bytes[start + 1], bytes[start + 2])
      return b == 0x61 && ((a == 0x6E && c == 0x6E) || (a == 0x4E && c == 0x4E))
    default: return false
    }
  }

  private func assemble(_ body: DelimitedScanner) throws -> Table {
    let array = NumericArray(rows, names.count, .double(values))
    var texts = try isText.contains(true) ? readTexts(body) : [:]
    let columns = names.indices.map { column -> Column in
      guard var text = texts.removeValue(forKey: column) else { return .numeric(array, index: column) }
      text.firstNonNumber = firstNonNumber[column]
      return .text(text)
    }
    var table = Table(source: source, names: names, columns: columns)
    table.hasNames = options.hasHeader
    table.firstLine = firstLine
    table.lines = linesAreRegular ? nil : lines
    return table
  }

  /// A second pass over the rows for the columns that hold text.
  private func readTexts(_ start: DelimitedScanner) throws -> [Int: TextColumn] {
    var scanner = start
    var collectors = isText.map { $0 ? TextCollector(capacity: rows) : nil }
    for _ in 0..<rows {
      scanner.skipEmptyLines()
      for column in names.indices {
        let field = try scanner.next()
        guard collectors[column] != nil else { continue }
        if Self.isMissing(scanner.bytes, field.start, field.end) {
          collectors[column]?.appendMissing()
        } else {
          try collectors[column]?.append(field, scanner)
        }
      }
    }
    var result: [Int: TextColumn] = [:]
    for (column, collector) in collectors.enumerated() {
      if let collector { result[column] = TextColumn(values: collector.values, codes: collector.codes) }
    }
    return result
  }
}
