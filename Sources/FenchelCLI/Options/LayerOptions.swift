import ArgumentParser
import ConvexOptimization
import Fenchel

/// The network of models that are trained layer by layer, and its schedule.
struct LayerOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Widths of the hidden layers (default: 300).", valueName: "width,…"))
  var hidden: String?

  @Option(help: ArgumentHelp("Activation of the hidden layers (default: relu).", valueName: "name[:number]"))
  var activation: String?

  @Option(
    parsing: .unconditional, help: ArgumentHelp("Passes over the data (default: 10).", valueName: "n"))
  var epochs: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Samples of a batch (default: 500); from the number of rows on, all of them at once.", valueName: "n"))
  var batchSize: Int?

  func validate() throws {
    _ = try widths()
    _ = try namedActivation()
    if let epochs, !(0...1_000_000).contains(epochs) {
      throw ValidationError("--epochs \(epochs) must lie between 0 and 1000000")
    }
    if let batchSize, batchSize < 1 {
      throw ValidationError("--batch-size \(batchSize) must be at least 1")
    }
  }

  /// The settings; nil for a convex program.
  ///
  /// - Throws: `UsageError` where one of these options is given for a convex program.
  func settings(for model: ModelKind) throws -> LayerSettings? {
    guard !model.isConvexProgram else {
      let given = [
        ("--hidden", hidden != nil), ("--activation", activation != nil), ("--epochs", epochs != nil),
        ("--batch-size", batchSize != nil),
      ]
      guard let (name, _) = given.first(where: \.1) else { return nil }
      let models = ModelKind.allCases.filter { !$0.isConvexProgram }.map(\.rawValue)
      throw UsageError(
        "\(name) is not for the model \(model.rawValue), a convex program; take --model "
          + models.joined(separator: " or "))
    }
    var settings = LayerSettings()
    if let widths = try widths() { settings.hidden = widths }
    if let activation = try namedActivation() { settings.activation = activation }
    if let epochs { settings.epochs = epochs }
    if let batchSize { settings.batchSize = batchSize }
    return settings
  }

  private func widths() throws -> [Int]? {
    guard let hidden else { return nil }
    return try commaSeparated(hidden).map { text in
      guard let width = Int(text), (1...1_000_000).contains(width) else {
        throw ValidationError("--hidden: \(text) is no width; give whole numbers from 1, such as 300,100")
      }
      return width
    }
  }

  private func namedActivation() throws -> Activation? {
    guard let activation else { return nil }
    if let known = Activation(activation) { return known }
    let name = String(activation.prefix { $0 != ":" })
    do {
      _ = try Activation(name: name)
    } catch {
      let hint = Suggestion.phrase(for: name, among: Activation.names)
      throw ValidationError("--activation: there is no activation `\(name)`\(hint)")
    }
    throw ValidationError("--activation: \(activation) has a parameter that \(name) does not take")
  }
}
