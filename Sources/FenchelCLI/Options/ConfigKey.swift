import Yams

/// The options that a config file may hold, and the kind of value that each takes.
enum ConfigKey {
  enum Kind { case number, natural, word, list, flag }

  /// The positional argument, which is no option.
  static let data = "data"

  static let kinds: [String: Kind] = [
    "data": .word, "target": .list, "task": .word, "test": .word, "weights": .word, "class-weight": .list,
    "ignore": .list, "categorical": .list, "impute": .word, "format": .word, "header": .flag, "stream": .flag,
    "target-file": .word, "model": .word, "loss": .word, "huber-delta": .number, "quantile": .number,
    "lambda": .number, "lambda-ratio": .number,
    "patterns": .word, "coefficients": .list, "normalise": .word, "kernel": .word, "stride": .natural,
    "padding": .natural, "channels": .natural, "pooling": .word, "outputs": .word, "solver": .word,
    "tolerance": .number, "subnetwork": .natural, "columns": .word, "penalty-form": .flag,
    "penalty-weight": .number,
    "bias": .flag,
    "standardise": .flag, "precision": .word, "threads": .natural, "seed": .natural, "time-limit": .number,
    "max-memory": .number, "output": .word, "run": .word, "json": .flag, "quiet": .flag, "folds": .natural,
    "hidden": .list, "architecture": .word, "augment": .list, "checkpoint": .word,
    "checkpoint-interval": .number,
    "resume": .word,
    "activation": .word, "init": .word, "initialiser": .word, "epochs": .natural,
    "batch-size": .natural,
    "input-share": .number, "dual-steps": .natural, "sketch": .natural, "optimizer": .word,
    "bound": .word, "bound-time": .number,
    "learning-rate": .number, "schedule": .word,
    "weight-decay": .number, "early-stopping": .word, "numbers": .list, "ratios": .list, "search": .list,
    "method": .word,
    "trials": .natural, "validation": .word, "measure": .word,
    "journal": .word, "best": .word,
    "column": .word, "samples": .natural, "window": .natural, "horizon": .natural, "compare": .list,
    "compare-epochs": .natural, "compare-rate": .number, "save": .word, "figure": .word, "windows": .word,
    "generator": .word, "sizes": .list, "beta": .number, "beta-ratio": .number, "noise": .natural,
    "from": .word,
    "grid": .word,
    "models": .list, "steps": .natural, "smallest-ratio": .number,
  ]

  /// Whether the option `given` on the command line makes `key` of the file void.
  static func overrides(_ given: String, _ key: String) -> Bool {
    if given == key { return true }
    return [["lambda", "lambda-ratio"], ["beta", "beta-ratio"]].contains {
      $0.contains(given) && $0.contains(key)
    }
  }

  /// The value as the text that the command line would have.
  static func text(of node: Node, as kind: Kind, _ failure: (String) -> ConfigError) throws -> String {
    if case .sequence(let items) = node {
      guard kind == .list else { throw failure("one value expected, not a list") }
      let texts = try items.map { try Self.text(of: $0, as: .word, failure) }
      if let text = texts.first(where: { $0.contains(",") }) {
        throw failure("\(text) contains a comma; give it on the command line")
      }
      return texts.joined(separator: ",")
    }
    guard case .scalar(let scalar) = node else { throw failure("a value expected, not a mapping") }
    let text = scalar.string
    let isPlain = scalar.style == .plain || scalar.style == .any
    switch kind {
    case .flag:
      guard isPlain, text == "true" || text == "false" else {
        throw failure("write true or false, not `\(text)`")
      }
    case .number:
      guard isPlain, isNumber(text) else { throw failure("a number expected, not `\(text)`") }
    case .natural:
      guard isPlain, !text.isEmpty, text.allSatisfy({ "0"..."9" ~= $0 }) else {
        throw failure("a whole number expected, not `\(text)`")
      }
    case .word, .list:
      guard !text.isEmpty || !isPlain else { throw failure("a value is missing") }
      guard !isPlain || !["bool", "null"].contains(where: { node.tag.description.hasSuffix($0) }) else {
        throw failure("`\(text)` is not text here; put it in quotes: \"\(text)\"")
      }
    }
    return text
  }

  private static func isNumber(_ text: String) -> Bool {
    text.allSatisfy { "0"..."9" ~= $0 || "+-.eE".contains($0) } && Double(text) != nil
  }
}
