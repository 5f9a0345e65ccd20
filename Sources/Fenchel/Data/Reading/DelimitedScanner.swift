/// Cuts the bytes of a delimited file into fields and lines as RFC 4180 has them: quotes protect delimiters
/// and line ends, a doubled quote stands for one. Lines end with LF, CR LF or CR.
struct DelimitedScanner {
  enum Terminator { case delimiter, line, end }

  struct Field {
    /// The content without its quotes and, if it is not quoted, without the spaces around it.
    var start: Int
    var end: Int
    var isQuoted: Bool
    var terminator: Terminator
    /// Where the field began and on which line, for messages.
    var origin: Int
    var line: Int
    var lineStart: Int
  }

  let bytes: UnsafePointer<UInt8>
  let count: Int
  let delimiter: UInt8
  let source: String
  var position = 0
  var line = 1
  var lineStart = 0

  init(_ bytes: UnsafePointer<UInt8>, _ range: Range<Int>, delimiter: UInt8, source: String) {
    self.bytes = bytes
    count = range.upperBound
    position = range.lowerBound
    lineStart = range.lowerBound
    self.delimiter = delimiter
    self.source = source
  }

  func location(_ field: Field) -> Location {
    Location(source, line: field.line, column: field.origin - field.lineStart + 1)
  }

  /// Whether nothing but the end of the file follows.
  var isAtEnd: Bool { position >= count }

  /// Skips lines without any character.
  mutating func skipEmptyLines() {
    while position < count, bytes[position] == 0x0A || bytes[position] == 0x0D { passLineEnd() }
  }

  /// The next field; a line end or the delimiter after it is consumed.
  @inline(__always)
  mutating func next() throws -> Field {
    var start = position
    while start < count, bytes[start] == 0x20 { start += 1 }
    if start < count, bytes[start] == 0x22 { return try quotedField(start) }
    var end = start
    while end < count {
      let byte = bytes[end]
      if byte == delimiter || byte == 0x0A || byte == 0x0D { break }
      end += 1
    }
    var field = Field(
      start: start, end: end, isQuoted: false, terminator: .end, origin: start, line: line,
      lineStart: lineStart)
    position = end
    field.terminator = passTerminator()
    while field.end > start, bytes[field.end - 1] == 0x20 { field.end -= 1 }
    return field
  }

  private mutating func quotedField(_ start: Int) throws -> Field {
    var field = Field(
      start: start + 1, end: start + 1, isQuoted: true, terminator: .end, origin: start, line: line,
      lineStart: lineStart)
    position = start + 1
    while true {
      guard position < count else {
        throw DataError.malformed(location(field), "a quoted field begins here and never ends")
      }
      let byte = bytes[position]
      if byte == 0x22 {
        guard position + 1 < count, bytes[position + 1] == 0x22 else { break }
        position += 2
      } else if byte == 0x0A || byte == 0x0D {
        passLineEnd()
      } else {
        position += 1
      }
    }
    field.end = position
    position += 1
    while position < count, bytes[position] == 0x20, delimiter != 0x20 { position += 1 }
    if position < count, ![delimiter, 0x0A, 0x0D].contains(bytes[position]) {
      throw DataError.malformed(
        Location(source, line: line, column: position - lineStart + 1),
        "text follows a closing quote; inside a quoted field write a quote twice")
    }
    field.terminator = passTerminator()
    return field
  }

  @inline(__always)
  private mutating func passTerminator() -> Terminator {
    guard position < count else { return .end }
    if bytes[position] == delimiter {
      position += 1
      return .delimiter
    }
    passLineEnd()
    return .line
  }

  mutating func passLineEnd() {
    if bytes[position] == 0x0D, position + 1 < count, bytes[position + 1] == 0x0A { position += 1 }
    position += 1
    line += 1
    lineStart = position
  }

  /// The text of a field with doubled quotes undone.
  ///
  /// Errors: bytes that are not UTF-8, or NUL.
  func text(of field: Field) throws -> String {
    let buffer = UnsafeBufferPointer(start: bytes + field.start, count: field.end - field.start)
    if buffer.contains(0) { throw DataError.malformed(location(field), "a NUL byte lies in this field") }
    guard let text = String(validating: buffer, as: UTF8.self) else {
      throw DataError.malformed(location(field), "this field is not valid UTF-8; save the file as UTF-8")
    }
    return field.isQuoted ? undoubled(text) : text
  }

  private func undoubled(_ text: String) -> String {
    guard text.utf8.contains(0x22) else { return text }
    var result: [UInt8] = []
    var skip = false
    for byte in text.utf8 {
      skip = byte == 0x22 && !skip && result.last == 0x22
      if !skip { result.append(byte) }
    }
    return String(decoding: result, as: UTF8.self)
  }

  /// The text of a field for a message, whatever its bytes are.
  func shown(_ field: Field) -> String {
    let buffer = UnsafeBufferPointer(start: bytes + field.start, count: min(field.end - field.start, 80))
    return String(decoding: buffer, as: UTF8.self)
  }
}
