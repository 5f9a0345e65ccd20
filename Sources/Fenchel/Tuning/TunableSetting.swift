import ConvexOptimization
import RealModule

/// A setting that a search may change, by its name on the command line.
public struct TunableSetting: Sendable {
  /// The kind of its values.
  public enum Kind: Sendable, Equatable {
    /// Any number.
    case number
    /// Whole numbers; where hidden layers are meant, lists of them such as `300-100`.
    case whole
    /// A word.
    case word
  }

  public let name: String
  public let kind: Kind
  private let place: @Sendable (String, inout TrainingSettings) throws -> Bool

  private init(
    _ name: String, _ kind: Kind, _ place: @escaping @Sendable (String, inout TrainingSettings) throws -> Bool
  ) {
    (self.name, self.kind, self.place) = (name, kind, place)
  }

  /// Gives the setting a value.
  ///
  /// - Throws: `TuningError.value` for a text that is no value of the setting.
  public func apply(_ text: String, to settings: inout TrainingSettings) throws {
    guard try place(text, &settings) else { throw TuningError.value(name, text) }
  }

  /// The settings that a model has.
  public static func all(for model: ModelKind) -> [TunableSetting] {
    guard !model.isConvexProgram else {
      return model.hasPatterns ? convex : convex.filter { $0.name != "patterns" }
    }
    var settings = layered
    if !model.needsAllSamples {
      settings.append(layer("batch-size", .whole, \.batchSize) { Int($0).flatMap { $0 > 0 ? $0 : nil } })
    }
    if [.fenchel, .lifted].contains(model) { settings.append(λ) }
    if model == .fenchel {
      settings.append(number("input-share", \.inputShare) { $0 > 0 && $0 <= 1 })
    }
    if [.mlp, .contrastive].contains(model) { settings += ordinary }
    return settings + model.numberNames.map { numbered($0, of: model) }
  }

  /// - Throws: `TuningError.unknown` where a model has no setting of the name.
  public static func named(_ name: String, of model: ModelKind) throws -> TunableSetting {
    let all = all(for: model)
    guard let setting = all.first(where: { $0.name == name }) else {
      throw TuningError.unknown(name, model: model, known: all.map(\.name))
    }
    return setting
  }

  private static func layer<Value>(
    _ name: String, _ kind: Kind, _ path: any WritableKeyPath<LayerSettings, Value> & Sendable,
    _ parse: @escaping @Sendable (String) -> Value?
  ) -> TunableSetting {
    TunableSetting(name, kind) { text, settings in
      guard let value = parse(text) else { return false }
      var layers = settings.layers ?? LayerSettings(for: settings.model)
      layers[keyPath: path] = value
      settings.layers = layers
      return true
    }
  }

  /// A setting that is a number, and may be absent before.
  private static func number(
    _ name: String, _ path: any WritableKeyPath<LayerSettings, Double?> & Sendable,
    _ isRight: @escaping @Sendable (Double) -> Bool
  ) -> TunableSetting {
    TunableSetting(name, .number) { text, settings in
      guard let value = number(text, isRight) else { return false }
      var layers = settings.layers ?? LayerSettings(for: settings.model)
      layers[keyPath: path] = value
      settings.layers = layers
      return true
    }
  }

  private static func number(_ text: String, _ isRight: (Double) -> Bool) -> Double? {
    Double(text).flatMap { $0.isFinite && isRight($0) ? $0 : nil }
  }

  private static let λ = TunableSetting("lambda", .number) { text, settings in
    guard let λ = number(text, { $0 > 0 }) else { return false }
    settings.lambda = .value(λ)
    return true
  }

  private static let convex: [TunableSetting] = [
    λ,
    TunableSetting("lambda-ratio", .number) { text, settings in
      guard let ratio = number(text, { $0 > 0 && $0 <= 1e6 }) else { return false }
      settings.lambda = .ratio(ratio)
      return true
    },
    TunableSetting("patterns", .whole) { text, settings in
      guard let count = Int(text), (1...100_000_000).contains(count) else { return false }
      settings.patterns = .sampled(count)
      return true
    },
  ]

  private static let layered: [TunableSetting] = [
    layer("hidden", .whole, \.hidden) { text in
      let widths = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
      return widths.allSatisfy { (1...1_000_000).contains($0) } ? widths : nil
    },
    layer("activation", .word, \.activation) { Activation($0) },
    layer("initialiser", .word, \.initialiser) { Initialiser(rawValue: $0) },
    layer("epochs", .whole, \.epochs) { Int($0).flatMap { (1...1_000_000).contains($0) ? $0 : nil } },
  ]

  private static let ordinary: [TunableSetting] = [
    number("learning-rate", \.learningRate) { $0 > 0 },
    layer("weight-decay", .number, \.weightDecay) { text in number(text) { $0 >= 0 } },
    layer("optimizer", .word, \.optimizer) { Optimizer(rawValue: $0) },
    layer("schedule", .word, \.schedule) { LearningRateSchedule($0) },
  ]

  private static func numbered(_ name: String, of model: ModelKind) -> TunableSetting {
    let isCount =
      (try? model.numbers(with: [name: 1.5])) == nil && (try? model.numbers(with: [name: 2])) != nil
    return TunableSetting(name, isCount ? .whole : .number) { text, settings in
      guard let value = Double(text) else { return false }
      var layers = settings.layers ?? LayerSettings(for: settings.model)
      layers.numbers = try model.numbers(with: (layers.numbers ?? [:]).merging([name: value]) { $1 })
      settings.layers = layers
      return true
    }
  }
}
