import RealModule

/// What a search looks through: for each of some settings a range, or some values.
///
/// As text `learning-rate=1e-4:1e-1:log,batch-size=50:1000:log,hidden=100/300/300-100`: a name, and two ends with `:` between
/// them (with `:log` at the end values are spread evenly in their logarithm), or values with `/` between them.
public struct SearchSpace: Codable, Sendable, Equatable {
  public private(set) var dimensions: [Dimension]

  /// One setting with the values that it may take.
  public struct Dimension: Codable, Sendable, Equatable {
    public let name: String
    public let values: Values
    let isWhole: Bool
  }

  /// Where values come from.
  public enum Values: Codable, Sendable, Equatable {
    case range(Double, Double, isLogarithmic: Bool)
    case choice([String])
  }

  /// - Throws: `TuningError` for a text that is no search space, a setting that the model does not have or that is named
  ///   twice, and values out of the setting's range.
  public init(_ texts: [String], for settings: TrainingSettings) throws {
    dimensions = []
    for text in texts.flatMap({ $0.split(separator: ",", omittingEmptySubsequences: false) }) {
      let dimension = try Dimension(String(text), for: settings)
      guard !dimensions.contains(where: { $0.name == dimension.name }) else {
        throw TuningError.syntax(String(text), "\(dimension.name) is named twice")
      }
      if dimension.name == "hidden", settings.layers?.architecture != nil {
        throw TuningError.syntax(String(text), "the widths are those of --architecture; leave one out")
      }
      dimensions.append(dimension)
    }
    let names = Set(dimensions.map(\.name))
    guard !names.isSuperset(of: ["lambda", "lambda-ratio"]) else {
      throw TuningError.syntax(texts.joined(separator: ","), "lambda and lambda-ratio exclude each other")
    }
  }

  /// The search that is made of a model where none is given, for training on so many rows: of what has an effect there.
  public static func usual(for settings: TrainingSettings, rows: Int = .max) -> [String] {
    let batches = min(2000, rows / 2)
    return switch settings.model {
    case .relu, .gatedReLU, .batchNorm, .cnn, .gatedCNN, .threshold, .threeLayer, .polynomial, .quadratic:
      ["lambda-ratio=1e-4:0.3:log"]
    case .mlp: ["learning-rate=1e-4:1e-1:log", "batch-size=32:1000:log", "weight-decay=1e-7:1e-2:log"]
    case .contrastive: ["learning-rate=1e-4:1e-1:log", "batch-size=32:1000:log", "nudge=0.01:1:log"]
    case .fenchel where settings.layers?.plan.hasConvolutions == true:
      ["lambda=1:100:log", "share=5e-3:0.1:log", "last-gamma=0.02:2:log", "ridge=0:1"]
    case .fenchel where batches <= 100: ["lambda=0.1:10:log", "rho=1e-5:1:log"]
    case .fenchel:
      ["lambda=0.1:10:log", "gamma=0.01:1:log", "last-gamma=0.02:2:log", "batch-size=100:\(batches):log"]
    case .lifted: ["lambda=0.01:100:log", "rho=1e-5:1:log"]
    case .admm: ["beta=0.1:10:log", "gamma=1:100:log", "warm-up=0:20"]
    case .bcd: ["gamma=0.1:10:log", "rho=0.1:10:log", "alpha=1e-3:1:log"]
    case .mac: ["mu=0.1:10:log", "growth=1:2", "ridge=1e-5:0.1:log"]
    case .zhangBrand: ["gamma=0.02:2:log", "ridge=1e-5:0.1:log", "theta=0.5:1"]
    case .lpom: ["mu=2:200:log", "shift=1e-3:0.1:log", "batch-size=32:1000:log"]
    }
  }
}

extension SearchSpace.Dimension {
  init(_ text: String, for settings: TrainingSettings) throws {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
      throw TuningError.syntax(text, "write NAME=LOW:HIGH, NAME=LOW:HIGH:log or NAME=VALUE/VALUE")
    }
    let setting = try TunableSetting.named(String(parts[0]), of: settings.model)
    (name, isWhole) = (setting.name, setting.kind == .whole)
    let ends = parts[1].split(separator: ":", omittingEmptySubsequences: false)
    if setting.kind == .word || ends.count == 1 || parts[1].contains("/") {
      let choices = parts[1].split(separator: "/", omittingEmptySubsequences: false).map(String.init)
      guard Set(choices).count == choices.count else {
        throw TuningError.syntax(text, "a value is named twice")
      }
      values = .choice(choices)
    } else {
      values = try Self.range(ends, text, isWhole: isWhole)
    }
    // Both ends, or all values, must be such as the setting takes.
    for value in isRange ? [self.text(at: 0), self.text(at: 1)] : choices {
      var trial = settings
      try setting.apply(value, to: &trial)
    }
  }

  private static func range(_ ends: [Substring], _ text: String, isWhole: Bool) throws -> SearchSpace.Values {
    guard ends.count == 2 || (ends.count == 3 && ends[2] == "log"), let low = Double(ends[0]),
      let high = Double(ends[1]), low < high, (high - low).isFinite
    else { throw TuningError.syntax(text, "write LOW:HIGH or LOW:HIGH:log with LOW below HIGH") }
    guard ends.count == 2 || low > 0 else {
      throw TuningError.syntax(text, "a logarithmic range lies above 0")
    }
    if isWhole {
      guard abs(low) <= 0x1p53, abs(high) <= 0x1p53, low.rounded(.up) <= high.rounded(.down) else {
        throw TuningError.syntax(text, "there is no whole number between the ends that it could take")
      }
    }
    return .range(low, high, isLogarithmic: ends.count == 3)
  }

  private var isRange: Bool { if case .range = values { true } else { false } }
  var choices: [String] { if case .choice(let choices) = values { choices } else { [] } }

  /// The value at a place of the unit interval, as the text that the command line would have: whole where the setting is,
  /// else of four digits, so that the text says all.
  package func text(at place: Double) -> String {
    switch values {
    case .choice(let choices):
      return choices[min(choices.count - 1, max(0, Int(place * Double(choices.count))))]
    case .range(let low, let high, let isLogarithmic):
      let value =
        isLogarithmic
        ? Double.exp(.log(low) + place * (.log(high) - .log(low))) : low + place * (high - low)
      if isWhole { return String(Int(min(max(value.rounded(), low.rounded(.up)), high.rounded(.down)))) }
      return Self.shortened(min(max(value, low), high), low...high)
    }
  }

  /// A number with four significant digits, within its range.
  private static func shortened(_ value: Double, _ range: ClosedRange<Double>) -> String {
    guard value != 0 else { return "0" }
    let exponent = Int(Double.log10(abs(value)).rounded(.down)) - 3
    let digits = exponent >= -300 ? value / Double.pow(10, Double(exponent)) : 0
    // Read as a decimal number: a product with a power of ten would have digits of its own.
    guard digits != 0, let rounded = Double("\(Int(digits.rounded()))e\(exponent)") else {
      return value.description
    }
    return (range.contains(rounded) ? rounded : value).description
  }

  /// The place in the unit interval of a value, the inverse of `text(at:)` up to rounding; nil for no such value.
  package func place(of text: String) -> Double? {
    switch values {
    case .choice(let choices):
      return choices.firstIndex(of: text).map { (Double($0) + 0.5) / Double(choices.count) }
    case .range(let low, let high, let isLogarithmic):
      guard let value = Double(text) else { return nil }
      let place =
        isLogarithmic ? (.log(value) - .log(low)) / (.log(high) - .log(low)) : (value - low) / (high - low)
      return place.isFinite ? min(max(place, 0), 1) : nil
    }
  }
}
