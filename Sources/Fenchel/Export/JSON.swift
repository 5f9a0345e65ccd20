/// A JSON value, parsed strictly: no duplicate keys, no depth beyond 64, no bytes left over, valid UTF-8 only.
///
/// Numbers are kept as they are written, so that integers of any size stay exact.
package enum JSON: Sendable, Equatable {
  case null
  case boolean(Bool)
  case number(String)
  case string(String)
  case array([JSON])
  case object([String: JSON])

  /// - Throws: `JSONError` with the byte at which the text stops being JSON.
  package init(parsing bytes: some Collection<UInt8>) throws {
    var parser = JSONParser(bytes: ContiguousArray(bytes))
    self = try parser.document()
  }

  package init(parsing text: String) throws { try self.init(parsing: text.utf8) }

  package var string: String? { if case .string(let value) = self { value } else { nil } }
  package var object: [String: JSON]? { if case .object(let value) = self { value } else { nil } }
  package var array: [JSON]? { if case .array(let value) = self { value } else { nil } }

  /// The number as a non-negative integer, where it is written as one.
  package var natural: Int? {
    guard case .number(let text) = self, text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
    return Int(text)
  }

  /// A string as JSON text, quotes included.
  package static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case _ where scalar.value < 0x20 || scalar.value == 0x7f:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}

/// Where and why a text is not JSON.
package struct JSONError: Error, CustomStringConvertible, Sendable, Equatable {
  package var offset: Int
  package var reason: String
  package var description: String { "byte \(offset): \(reason)" }
}

/// A recursive-descent parser over bytes.
private struct JSONParser {
  let bytes: ContiguousArray<UInt8>
  var offset = 0
  var depth = 0
  static let deepest = 64

  init(bytes: ContiguousArray<UInt8>) { self.bytes = bytes }

  mutating func document() throws -> JSON {
    let result = try value()
    skipSpace()
    guard offset == bytes.count else { throw failure("text after the end of the value") }
    return result
  }

  func failure(_ reason: String) -> JSONError { JSONError(offset: offset, reason: reason) }

  var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

  mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { offset += 1 }
  }

  mutating func expect(_ character: Unicode.Scalar) throws {
    skipSpace()
    guard next == UInt8(ascii: character) else { throw failure("`\(character)` expected") }
    offset += 1
  }

  /// Whether the next character is this one; if so it is consumed.
  mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard next == UInt8(ascii: character) else { return false }
    offset += 1
    return true
  }

  mutating func value() throws -> JSON {
    skipSpace()
    switch next {
    case UInt8(ascii: "{"): return try nested { try $0.members() }
    case UInt8(ascii: "["): return try nested { try $0.elements() }
    case UInt8(ascii: "\""): return .string(try text())
    case UInt8(ascii: "t"): return try word("true", .boolean(true))
    case UInt8(ascii: "f"): return try word("false", .boolean(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case nil: throw failure("the text ends where a value is expected")
    default: return try number()
    }
  }

  mutating func nested(_ body: (inout JSONParser) throws -> JSON) throws -> JSON {
    depth += 1
    guard depth <= JSONParser.deepest else { throw failure("nested deeper than \(JSONParser.deepest)") }
    offset += 1
    let result = try body(&self)
    depth -= 1
    return result
  }

  mutating func members() throws -> JSON {
    var result = [String: JSON]()
    if take("}") { return .object(result) }
    repeat {
      skipSpace()
      guard next == UInt8(ascii: "\"") else { throw failure("a key in quotes expected") }
      let key = try text()
      guard result[key] == nil else { throw failure("the key \(JSON.quoted(key)) appears twice") }
      try expect(":")
      result[key] = try value()
    } while take(",")
    try expect("}")
    return .object(result)
  }

  mutating func elements() throws -> JSON {
    var result = [JSON]()
    if take("]") { return .array(result) }
    repeat { result.append(try value()) } while take(",")
    try expect("]")
    return .array(result)
  }

  mutating func word(_ text: StaticString, _ value: JSON) throws -> JSON {
    let matches = text.withUTF8Buffer { bytes[offset...].starts(with: $0) }
    guard matches else { throw failure("`\(text)` expected") }
    offset += text.utf8CodeUnitCount
    return value
  }

  mutating func digits() throws {
    guard let byte = next, (48...57).contains(byte) else { throw failure("a value expected") }
    while let byte = next, (48...57).contains(byte) { offset += 1 }
  }

  mutating func number() throws -> JSON {
    let start = offset
    if next == UInt8(ascii: "-") { offset += 1 }
    if next == UInt8(ascii: "0") { offset += 1 } else { try digits() }
    if next == UInt8(ascii: ".") {
      offset += 1
      try digits()
    }
    if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
      offset += 1
      if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { offset += 1 }
      try digits()
    }
    return .number(String(decoding: bytes[start..<offset], as: UTF8.self))
  }

  mutating func text() throws -> String {
    let start = offset
    offset += 1
    var content = [UInt8]()
    while let byte = next, byte != UInt8(ascii: "\"") {
      guard byte >= 0x20 else { throw failure("a control character inside a string") }
      offset += 1
      if byte == UInt8(ascii: "\\") { content += try escape() } else { content.append(byte) }
    }
    guard next != nil else {
      offset = start
      throw failure("the string that begins here does not end")
    }
    offset += 1
    guard let result = String(validating: content, as: UTF8.self) else {
      offset = start
      throw failure("the string that begins here is not UTF-8")
    }
    return result
  }

  mutating func escape() throws -> [UInt8] {
    guard let byte = next else { throw failure("the text ends inside a string") }
    offset += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0c]
    case UInt8(ascii: "n"): return [0x0a]
    case UInt8(ascii: "r"): return [0x0d]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "u"): return Array(String(Character(try scalar())).utf8)
    default: throw failure("an unknown escape inside a string")
    }
  }

  /// The scalar of `\uXXXX`, or of two of them that form a surrogate pair.
  mutating func scalar() throws -> Unicode.Scalar {
    let first = try fourDigits()
    if let scalar = Unicode.Scalar(first) { return scalar }
    guard (0xd800..<0xdc00).contains(first), bytes[offset...].starts(with: Array("\\u".utf8)) else {
      throw failure("half a surrogate pair inside a string")
    }
    offset += 2
    let second = try fourDigits()
    guard (0xdc00..<0xe000).contains(second),
      let scalar = Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00))
    else { throw failure("half a surrogate pair inside a string") }
    return scalar
  }

  mutating func fourDigits() throws -> UInt32 {
    guard bytes.count - offset >= 4 else { throw failure("four hexadecimal digits expected") }
    var value: UInt32 = 0
    for byte in bytes[offset..<offset + 4] {
      guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
        throw failure("four hexadecimal digits expected")
      }
      value = value << 4 | UInt32(digit)
    }
    offset += 4
    return value
  }
}
