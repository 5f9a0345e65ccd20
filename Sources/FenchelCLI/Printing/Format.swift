import Foundation

/// Numbers as people read them. Machines get `--json`, with all digits.
enum Format {
  /// Six significant digits and no more: `123.457`, `0.00321`, `1.5e-09`.
  static func number(_ value: Double) -> String { significant(value, 6) }

  static func significant(_ value: Double, _ digits: Int) -> String {
    String(format: "%.\(digits)g", value)
  }

  /// Two digits and an exponent: `8.3e-05`.
  static func scientific(_ value: Double) -> String { String(format: "%.1e", value) }

  /// A share as a percentage: `97.2 %`.
  static func percent(_ share: Double) -> String {
    share.isFinite ? String(format: "%.2f %%", 100 * share) : "–"
  }

  /// `0.31 s`, `42.0 s`, `3 min 20 s`, `2 h 5 min`.
  static func duration(_ seconds: Double) -> String {
    switch seconds {
    case ..<10: return String(format: "%.2f s", seconds)
    case ..<60: return String(format: "%.1f s", seconds)
    case ..<3600: return "\(Int(seconds) / 60) min \(Int(seconds) % 60) s"
    case ..<1e9: return "\(Int(seconds) / 3600) h \(Int(seconds) % 3600 / 60) min"
    default: return "very long"
    }
  }

  /// `812 B`, `31.4 KB`, `2.1 GB`.
  static func bytes(_ count: Int) -> String {
    var value = Double(count)
    for unit in ["B", "KB", "MB", "GB"] {
      if value < 1000 {
        return unit == "B" ? "\(count) B" : String(format: "%.1f %@", value, unit)
      }
      value /= 1000
    }
    return String(format: "%.1f TB", value)
  }

  /// `1 neuron`, `12 neurons`.
  static func count(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
}
