/// An element of an SVG document as text.
///
/// - Parameter content: markup, or text that is escaped already.
func svgElement(
  _ name: String, _ attributes: KeyValuePairs<String, String>, _ content: String = ""
) -> String {
  let written = attributes.map { " \($0.key)=\"\($0.value)\"" }.joined()
  return content.isEmpty ? "<\(name)\(written)/>" : "<\(name)\(written)>\(content)</\(name)>"
}

/// A coordinate with at most one digit behind the point.
func svgNumber(_ value: Double) -> String {
  guard value.isFinite else { return "0" }
  let tenths = Int((min(max(value, -1e6), 1e6) * 10).rounded())
  let (whole, rest) = (abs(tenths) / 10, abs(tenths) % 10)
  return (tenths < 0 ? "-" : "") + "\(whole)" + (rest == 0 ? "" : ".\(rest)")
}

/// Places joined by straight lines, as the data of a path.
func svgPath(_ places: [(Double, Double)]) -> String {
  places.enumerated().map { "\($0 == 0 ? "M" : "L")\(svgNumber($1.0)) \(svgNumber($1.1))" }.joined()
}

/// Text as XML content: markup escaped, control characters turned to blanks.
func svgEscaped(_ text: String) -> String {
  var result = ""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "&": result += "&amp;"
    case "<": result += "&lt;"
    case ">": result += "&gt;"
    case "\"": result += "&quot;"
    case _ where scalar.value < 0x20 || scalar.value == 0x7f: result += " "
    case _ where scalar.value & 0xfffe == 0xfffe: result += " "
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result
}
