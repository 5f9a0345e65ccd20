import FoundationEssentials

/// Codable values as JSON: keys in order, so that equal values give equal text, and read back strictly.
///
/// Reports write numbers that JSON does not have as null where one is to be expected (`FiniteOrNull`); anywhere
/// else they become these words, so that no report is lost over one.
public enum JSONText {
  private static let infinity = "Infinity"
  private static let notANumber = "NaN"

  /// The value on one line, or indented for people.
  public static func encode(_ value: some Encodable, indented: Bool = false) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: infinity, negativeInfinity: "-" + infinity, nan: notANumber)
    if indented { encoder.outputFormatting.insert(.prettyPrinted) }
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }

  /// - Throws: `JSONError` for text that is not strict JSON, `DecodingError` for a value of another shape.
  static func decode<Value: Decodable>(_ type: Value.Type, _ text: String) throws -> Value {
    _ = try JSON(parsing: text)
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: infinity, negativeInfinity: "-" + infinity, nan: notANumber)
    return try decoder.decode(type, from: Data(text.utf8))
  }

  /// A decoding error in one line: where, and what is expected there.
  static func describe(_ error: DecodingError) -> String {
    func place(_ path: [any CodingKey]) -> String { path.map(\.stringValue).joined(separator: ".") }
    switch error {
    case .keyNotFound(let key, let context): return "\(place(context.codingPath + [key])) is missing"
    case .valueNotFound(_, let context), .typeMismatch(_, let context), .dataCorrupted(let context):
      return "\(place(context.codingPath)): \(context.debugDescription)"
    @unknown default: return "\(error)"
    }
  }
}
