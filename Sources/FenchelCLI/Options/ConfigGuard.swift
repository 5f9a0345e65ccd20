/// A look at a config file's lines before the YAML parser sees them: anchors, tags, block text and nesting are
/// refused, and quotes and brackets must close on their line, so that no file makes the parser work hard.
enum ConfigGuard {
  static func check(_ text: String, path: String) throws {
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      if let problem = problem(in: line) { throw ConfigError(path, index + 1, problem) }
    }
  }

  /// What is wrong with one line, or nil.
  private static func problem(in line: Substring) -> String? {
    let markers = line.split(separator: " ").prefix { $0 == "-" || $0 == "?" }
    guard markers.count <= 1 else { return "settings cannot be nested" }
    var quote: Character?
    var isEscaped = false
    var depth = 0
    var previous: Character = " "
    for character in line {
      defer { previous = character }
      if let open = quote {
        if character == open && !isEscaped { quote = nil }
        isEscaped = open == "\"" && character == "\\" && !isEscaped
        continue
      }
      let startsToken = " \t[{,".contains(previous)
      switch character {
      case "\"", "'": if startsToken { quote = character }
      case "#" where startsToken: return depth == 0 ? nil : "a bracket is not closed on its line"
      case "&", "*", "!", "%", "@", "`", "|", ">":
        if startsToken { return forbidden(character) }
      case "[": depth += 1
      case "]": depth -= 1
      case "{": return "settings cannot be nested"
      default: break
      }
      guard (0...1).contains(depth) else { return "settings cannot be nested" }
    }
    guard quote == nil else { return "a quotation mark is not closed on its line" }
    return depth == 0 ? nil : "a bracket is not closed on its line"
  }

  private static func forbidden(_ character: Character) -> String {
    "anchors, aliases, tags and blocks are not allowed; put text that begins with \(character) in quotes"
  }
}
