/// What is wrong with data, where, and what to do about it. The description is one line.
public enum DataError: Error, CustomStringConvertible, Sendable, Equatable {
  /// A file cannot be opened, read or written.
  case unreadable(source: String, reason: String)
  /// A folder with a known data set, but not its test part.
  case noTestPart(source: String)
  /// The content of a file breaks its format, or holds a value that cannot be used.
  case malformed(Location, String)
  /// The data are well formed but do not fit what is asked of them.
  case unsuitable(source: String, String)
  /// An option, or the setting that it stands for, cannot be meant: whatever the data are, or of data like these.
  case option(String, String)
  /// The target could be classes as well as numbers, and nobody said which.
  case ambiguousTask(source: String, String)
  /// More memory is needed than the limit allows.
  case tooLarge(source: String, what: String, bytes: Int, limit: Int)

  public var description: String {
    switch self {
    case .unreadable(let source, let reason): return "\(printable(source)): \(reason)"
    case .noTestPart(let source):
      return "\(printable(source)): the folder holds no data set that is known (a test part)"
    case .malformed(let location, let problem): return "\(location): \(problem)"
    case .unsuitable(let source, let problem): return "\(printable(source)): \(problem)"
    case .option(let name, let problem): return "\(name): \(problem)"
    case .ambiguousTask(let source, let problem): return "\(printable(source)): \(problem)"
    case .tooLarge(let source, let what, let bytes, let limit):
      return
        "\(printable(source)): \(what) needs \(memorySize(bytes, .up)), the limit is \(memorySize(limit, .down))"
    }
  }
}

/// A place in a file: line and column count from 1; the column is a byte of the line.
public struct Location: CustomStringConvertible, Sendable, Equatable {
  public var source: String
  public var line: Int?
  public var column: Int?

  public init(_ source: String, line: Int? = nil, column: Int? = nil) {
    self.source = source
    self.line = line
    self.column = column
  }

  public var description: String {
    var text = printable(source)
    if let line { text += ":\(line)" }
    if line != nil, let column { text += ":\(column)" }
    return text
  }
}

/// A number of bytes in GiB with two digits, or where it is small in whole MiB or KiB.
package func memorySize(_ bytes: Int, _ rounding: FloatingPointRoundingRule) -> String {
  if bytes < 1 << 20 { return "\(Int((Double(bytes) / 1024).rounded(rounding))) KiB" }
  if bytes < 1 << 27 { return "\(Int((Double(bytes) / 1_048_576).rounded(rounding))) MiB" }
  let hundredths = Int((Double(bytes) / 10_737_418.24).rounded(rounding))
  let digits = String(hundredths % 100)
  return "\(hundredths / 100).\(digits.count == 1 ? "0" : "")\(digits) GiB"
}

/// Text from a file made fit for a one-line message: control characters escaped, at most 200 characters.
package func printable(_ text: String) -> String {
  var result = ""
  for (index, scalar) in text.unicodeScalars.enumerated() {
    if index >= 200 { return result + "…" }
    let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
    let isBreak = scalar.value == 0x2028 || scalar.value == 0x2029
    result += isControl || isBreak ? scalar.escaped(asASCII: true) : String(scalar)
  }
  return result
}

/// A token or name in quotation marks, for a message.
package func quoted(_ text: some StringProtocol) -> String {
  let short = text.count > 40 ? String(text.prefix(40)) + "…" : String(text)
  return "\"\(printable(short))\""
}

/// "1 row", "2 rows".
package func counted(_ count: Int, _ noun: String) -> String {
  "\(count) \(noun)\(count == 1 ? "" : "s")"
}

/// The first few of many names, quoted: `"a", "b", "c" and 4 more`.
package func listed(_ names: some Collection<String>, atMost limit: Int = 5) -> String {
  let shown = names.prefix(limit).map { quoted($0) }.joined(separator: ", ")
  return names.count > limit ? "\(shown) and \(names.count - limit) more" : shown
}
