import LinearAlgebra

/// Turns a CSV or TSV file into rows of numbers in a scratch file, piece by piece: the same table that `DelimitedReader`
/// makes of the whole file.
///
/// A first pass finds which columns hold text, a second one writes the rows; texts become codes into their distinct values,
/// which stay in memory. Memory: two pieces of 4 MiB, or the longest row, and the distinct texts.
struct DelimitedStream {
  private let file: PlainFile
  private var reader: DelimitedReader
  private var row: [Double] = []
  private var linesAreRegular = true

  static func open(
    _ file: PlainFile, sha256: String, source: String, format: FileFormat, options: ReadOptions
  ) throws -> StreamedTable {
    var types = DelimitedStream(
      file: file, reader: DelimitedReader(source: source, options: options, format: format))
    try types.findTypes()
    guard types.reader.rows > 0 else {
      throw DataError.malformed(Location(source), "a header but no rows: nothing to learn from")
    }
    var writing = DelimitedStream(file: file, reader: types.reader)
    writing.linesAreRegular = types.linesAreRegular
    return try writing.table(sha256: sha256)
  }

  private init(file: PlainFile, reader: DelimitedReader) { (self.file, self.reader) = (file, reader) }

  /// Rows and columns by the first lines.
  static func glance(_ file: PlainFile) -> (rows: Int, columns: Int)? {
    guard let bytes = try? file.bytes(0..<1 << 16), !bytes.isEmpty else { return nil }
    let lines = bytes.split(separator: 0x0A)
    guard let first = lines.first else { return nil }
    let columns = 1 + first.count { $0 == 0x2C || $0 == 0x3B || $0 == 0x09 }
    return (max(1, file.size / max(1, bytes.count / lines.count)), columns)
  }

  private mutating func findTypes() throws {
    var isRegular = true
    try forEachRow { scanner, reader, row in
      if reader.readPlainRow(&scanner, into: row) { return }
      try reader.readRow(&scanner, into: row)
    } accept: { reader, _, line in
      if reader.rows == 0 { reader.firstLine = line }
      if line != reader.firstLine + reader.rows { isRegular = false }
      reader.rows += 1
    }
    linesAreRegular = isRegular
  }

  // MARK: Pieces

  /// Calls `parse` at the beginning of every row, and `accept` with the numbers and the line of one that is complete. A row
  /// that the end of a piece cuts is parsed again with the next piece; what `parse` changed of the reader is undone.
  private mutating func forEachRow(
    parse: (inout DelimitedScanner, inout DelimitedReader, UnsafeMutablePointer<Double>) throws -> Void,
    accept: (inout DelimitedReader, [Double], _ line: Int) throws -> Void
  ) throws {
    var (left, offset, size) = ([UInt8](), 0, reader.options.pieceBytes)
    var state = PieceState()
    while offset < file.size || state.isFirst {
      let next = try file.bytes(offset..<min(offset + size, file.size))
      offset += next.count
      state.isLast = offset >= file.size
      let piece = left + next
      let consumed = try piece.withUnsafeBufferPointer { buffer in
        guard let base = buffer.baseAddress, !buffer.isEmpty else {
          throw DataError.malformed(Location(file.name), "the file is empty")
        }
        return try visit(base, buffer.count, &state, parse, accept)
      }
      left = Array(piece[consumed...])
      size = consumed == 0 ? 2 * size : reader.options.pieceBytes
      guard left.count <= reader.options.memoryLimit / 4 else {
        throw DataError.tooLarge(
          source: file.name, what: "a single row", bytes: 4 * left.count, limit: reader.options.memoryLimit)
      }
    }
  }

  private struct PieceState {
    var isFirst = true
    var isLast = false
    var line = 1
    var delimiter: UInt8 = 0x2C
  }

  /// The complete rows of a piece; returns how many of its bytes they take.
  private mutating func visit(
    _ base: UnsafePointer<UInt8>, _ count: Int, _ state: inout PieceState,
    _ parse: (inout DelimitedScanner, inout DelimitedReader, UnsafeMutablePointer<Double>) throws -> Void,
    _ accept: (inout DelimitedReader, [Double], Int) throws -> Void
  ) throws -> Int {
    let start = state.isFirst ? try reader.contentStart(base, count) : 0
    if state.isFirst { state.delimiter = reader.delimiter(base, start..<count) }
    var scanner = DelimitedScanner(base, start..<count, delimiter: state.delimiter, source: file.name)
    scanner.line = state.line
    if state.isFirst {
      guard try readHeader(&scanner, isLast: state.isLast) else { return 0 }
      state.isFirst = false
    }
    var done = scanner
    while true {
      scanner.skipEmptyLines()
      guard !scanner.isAtEnd else { break }
      let (line, before) = (scanner.line, reader)
      do {
        try row.withUnsafeMutableBufferPointer { row in
          if let place = row.baseAddress { try parse(&scanner, &reader, place) }
        }
      } catch {
        guard !state.isLast, scanner.isAtEnd else { throw error }
      }
      guard state.isLast || !scanner.isAtEnd else {
        reader = before
        break
      }
      try accept(&reader, row, line)
      done = scanner
    }
    state.line = done.line
    return state.isLast ? count : done.position
  }

  /// The names of the columns; false where the piece may end inside of them. A second pass knows them.
  private mutating func readHeader(_ scanner: inout DelimitedScanner, isLast: Bool) throws -> Bool {
    scanner.skipEmptyLines()
    guard !scanner.isAtEnd || !isLast else {
      throw DataError.malformed(Location(file.name), "the file is empty")
    }
    let (start, known) = (scanner, reader)
    reader.names = []
    do {
      if reader.options.hasHeader {
        try reader.readHeader(&scanner)
      } else {
        try reader.makeHeader(scanner)
        for _ in reader.names { _ = try scanner.next() }
      }
    } catch {
      guard !isLast, scanner.isAtEnd else { throw error }
    }
    guard isLast || !scanner.isAtEnd else {
      reader = known
      return false
    }
    if !reader.options.hasHeader { scanner = start }
    if !known.names.isEmpty { reader = known }
    row = [Double](repeating: .nan, count: reader.names.count)
    return true
  }

  // MARK: Rows of numbers

  private mutating func table(sha256: String) throws -> StreamedTable {
    let (types, isText, width, name) = (reader, reader.isText, reader.names.count, file.name)
    var scratch = try ScratchFile()
    var dictionary = TextDictionary(columns: isText)
    var texts: [(column: Int, text: String?)] = []
    try forEachRow { scanner, reader, row in
      guard isText.contains(true) else {
        if reader.readPlainRow(&scanner, into: row) { return }
        return try reader.readRow(&scanner, into: row)
      }
      texts.removeAll(keepingCapacity: true)
      for column in 0..<width {
        let field = try scanner.next()
        let isMissing = DelimitedReader.isMissing(scanner.bytes, field.start, field.end)
        row[column] = .nan
        if isText[column] {
          texts.append((column, isMissing ? nil : try scanner.text(of: field)))
        } else if !isMissing {
          _ = DecimalNumber.parse(scanner.bytes, field.start, field.end, into: &row[column])
        }
      }
    } accept: { _, row, _ in
      var row = row
      for (column, text) in texts {
        row[column] = try dictionary.code(text, column, limit: types.options.memoryLimit, name)
      }
      try row.withUnsafeBytes { try scratch.append($0) }
    }
    let rows = RowFile(
      file: try scratch.finished(name: name), start: 0, rowBytes: 8 * width, rows: types.rows)
    let values = dictionary.values
    let decode = { @Sendable (bytes: [UInt8], count: Int) -> [Column] in
      Self.columns(bytes, count, width: width, values, types)
    }
    var frame = Table(source: file.name, sha256: sha256, names: types.names, columns: decode([], 0))
    frame.hasNames = types.options.hasHeader
    frame.firstLine = linesAreRegular ? types.firstLine : nil
    return StreamedTable(frame: frame, parts: [StreamedTable.Part(file: rows, decode: decode)])
  }

  private static func columns(
    _ bytes: [UInt8], _ rows: Int, width: Int, _ values: [[String]], _ types: DelimitedReader
  ) -> [Column] {
    let numbers = [Double](unsafeUninitializedCapacity: rows * width) { target, count in
      bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(target).copyMemory(from: $0) }
      count = rows * width
    }
    let array = NumericArray(rows, width, .double(numbers))
    return (0..<width).map { column in
      guard types.isText[column] else { return .numeric(array, index: column) }
      let codes = (0..<rows).map { row -> Int32 in
        let code = numbers[row * width + column]
        return code.isNaN ? -1 : Int32(code)
      }
      var text = TextColumn(values: values[column], codes: codes)
      text.firstNonNumber = types.firstNonNumber[column]
      return .text(text)
    }
  }
}

/// The distinct texts of columns, each with a code in the order of their first appearance.
private struct TextDictionary {
  private(set) var values: [[String]]
  private var codes: [[String: Int32]]
  private var bytes = 0

  init(columns: [Bool]) {
    values = columns.map { _ in [] }
    codes = columns.map { _ in [:] }
  }

  /// The code of a text, NaN for one that is missing.
  mutating func code(_ text: String?, _ column: Int, limit: Int, _ source: String) throws -> Double {
    guard let text else { return .nan }
    if let code = codes[column][text] { return Double(code) }
    let code = Int32(values[column].count)
    values[column].append(text)
    codes[column][text] = code
    bytes += 2 * text.utf8.count + 96
    guard bytes <= limit / 2, code < Int32.max - 1 else {
      throw DataError.tooLarge(
        source: source, what: "the different texts of column \(column + 1)", bytes: 2 * bytes, limit: limit)
    }
    return Double(code)
  }
}
