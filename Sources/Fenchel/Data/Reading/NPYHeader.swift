/// The header of an NPY file (NumPy's format, versions 1.0, 2.0 and 3.0): element type, order and shape.
struct NPYHeader {
  enum Kind: Character {
    case bool = "b"
    case signed = "i"
    case unsigned = "u"
    case float = "f"
    case unicode = "U"
  }

  var kind: Kind
  /// Bytes of one element.
  var size: Int
  var isBigEndian: Bool
  var isFortranOrder: Bool
  var shape: [Int]
  /// Where the elements begin.
  var dataStart = 0

  static func isNPY(_ bytes: [UInt8]) -> Bool { bytes.starts(with: [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59]) }

  /// Reads the header at the start of `reader`.
  init(_ reader: inout ByteReader) throws {
    let source = reader.source
    func fail(_ problem: String) -> DataError { .malformed(Location(source), problem) }
    let magic = try reader.take(6, "the NPY header")
    guard Self.isNPY(Array(reader.bytes[magic])) else {
      throw fail("not an NPY file: it does not begin with \\x93NUMPY")
    }
    let major = try reader.littleEndian(1, "the NPY header")
    _ = try reader.littleEndian(1, "the NPY header")
    guard (1...3).contains(major) else {
      throw fail("NPY format version \(major) is not known (1, 2 and 3 are)")
    }
    let length = try reader.littleEndian(major == 1 ? 2 : 4, "the NPY header")
    guard length <= 1 << 20, Int(length) <= reader.remaining else {
      throw fail("the NPY header claims \(length) bytes, \(reader.remaining) are left in the file")
    }
    let text = try reader.take(Int(length), "the NPY header")
    guard let header = String(validating: reader.bytes[text], as: UTF8.self) else {
      throw fail("the NPY header is not text")
    }
    var parser = LiteralParser(header)
    guard let fields = parser.dictionary() else { throw fail("the NPY header is not a plain dictionary") }
    guard Set(fields.keys) == ["descr", "fortran_order", "shape"],
      case .text(let type)? = fields["descr"], case .truth(let order)? = fields["fortran_order"],
      case .integers(let shape)? = fields["shape"]
    else {
      if case .other? = fields["descr"] {
        throw fail("structured NPY element types are not read; save one plain array")
      }
      throw fail("the NPY header must have descr, fortran_order and shape, each of its own kind")
    }
    self = try Self.described(type, fail: fail)
    isFortranOrder = order
    self.shape = shape
    dataStart = reader.position
  }

  private init(kind: Kind, size: Int, isBigEndian: Bool) {
    self.kind = kind
    self.size = size
    self.isBigEndian = isBigEndian
    isFortranOrder = false
    shape = []
  }

  private static func described(_ type: String, fail: (String) -> DataError) throws -> NPYHeader {
    let letters = Array(type)
    guard letters.count >= 3, "<>|=".contains(letters[0]), let size = Int(String(letters[2...])), size >= 0
    else {
      if type.contains("O") { throw fail("NPY arrays of Python objects are not read; save numbers") }
      throw fail("NPY element type \(quoted(type)) is not known")
    }
    if letters[1] == "O" { throw fail("NPY arrays of Python objects are not read; save numbers") }
    guard let kind = Kind(rawValue: letters[1]), kind.allows(size) else {
      throw fail("NPY element type \(quoted(type)) is not read (bool, integers, float16/32/64, text are)")
    }
    return NPYHeader(kind: kind, size: kind == .unicode ? 4 * size : size, isBigEndian: letters[0] == ">")
  }

  /// Number of elements, or `nil` when the product of the shape overflows.
  var count: Int? {
    shape.reduce(1 as Int?) { product, extent in
      guard let product else { return nil }
      let (value, overflow) = product.multipliedReportingOverflow(by: extent)
      return overflow ? nil : value
    }
  }
}

extension NPYHeader.Kind {
  fileprivate func allows(_ size: Int) -> Bool {
    switch self {
    case .bool: return size == 1
    case .signed, .unsigned: return [1, 2, 4, 8].contains(size)
    case .float: return [2, 4, 8].contains(size)
    case .unicode: return (1...10_000).contains(size)
    }
  }
}

/// The few Python literals that an NPY header may hold. Nothing is evaluated.
private struct LiteralParser {
  enum Value {
    case text(String)
    case truth(Bool)
    case integers([Int])
    case other
  }

  private let letters: [UInt8]
  private var position = 0

  init(_ text: String) { letters = Array(text.utf8) }

  mutating func dictionary() -> [String: Value]? {
    guard accept("{") else { return nil }
    var result: [String: Value] = [:]
    while !accept("}") {
      guard let key = string(), result[key] == nil, accept(":"), let value = value() else { return nil }
      result[key] = value
      guard accept(",") || peek == UInt8(ascii: "}") else { return nil }
    }
    skipSpace()
    return position == letters.count ? result : nil
  }

  private mutating func value() -> Value? {
    if let text = string() { return .text(text) }
    if accept("True") { return .truth(true) }
    if accept("False") { return .truth(false) }
    if accept("(") { return tuple() }
    return peek == UInt8(ascii: "[") ? skipList() : nil
  }

  private mutating func tuple() -> Value? {
    var numbers: [Int] = []
    while !accept(")") {
      guard let number = integer() else { return nil }
      numbers.append(number)
      _ = accept("L")
      guard accept(",") || peek == UInt8(ascii: ")") else { return nil }
    }
    return .integers(numbers)
  }

  private mutating func integer() -> Int? {
    skipSpace()
    let start = position
    while position < letters.count, (0x30...0x39).contains(letters[position]) { position += 1 }
    return Int(String(decoding: letters[start..<position], as: UTF8.self))
  }

  private mutating func string() -> String? {
    skipSpace()
    guard position < letters.count, [0x27, 0x22].contains(letters[position]) else { return nil }
    let quote = letters[position]
    guard let end = letters[(position + 1)...].firstIndex(of: quote) else { return nil }
    let content = letters[(position + 1)..<end]
    guard !content.contains(0x5C) else { return nil }
    position = end + 1
    return String(decoding: content, as: UTF8.self)
  }

  /// A bracketed list (the type of a structured array), skipped without being understood.
  private mutating func skipList() -> Value? {
    var depth = 0
    while position < letters.count {
      if letters[position] == UInt8(ascii: "[") { depth += 1 }
      if letters[position] == UInt8(ascii: "]") { depth -= 1 }
      position += 1
      if depth == 0 { return .other }
    }
    return nil
  }

  private var peek: UInt8? {
    mutating get {
      skipSpace()
      return position < letters.count ? letters[position] : nil
    }
  }

  private mutating func accept(_ word: String) -> Bool {
    skipSpace()
    guard letters[position...].starts(with: word.utf8) else { return false }
    position += word.utf8.count
    return true
  }

  private mutating func skipSpace() {
    while position < letters.count, [0x20, 0x09, 0x0A, 0x0D].contains(letters[position]) { position += 1 }
  }
}
