import Fenchel
import LinearAlgebra

/// A YAML file of layers:
///
///     image: 1x28x28      # where the data do not say it: channels, height, width
///     side: 32            # zeros around the images up to this side
///     layers:
///       - convolution 6 5x5 stride 1 padding 0
///       - pooling 2
///       - dense 120
///
/// as strict as a config file.
enum ArchitectureFile {
  private static let keys: [String: ConfigKey.Kind] = ["image": .word, "side": .natural, "layers": .list]

  /// The plan of this name, or of the file.
  ///
  /// Errors: `ConfigError` with the file.
  static func plan(_ architecture: String) throws -> LayerPlan {
    if let known = LayerPlan.named[architecture] { return known }
    guard architecture.contains(".") || architecture.contains("/") else {
      let hint = Suggestion.phrase(for: architecture, among: LayerPlan.named.keys)
      throw UsageError("--architecture \(architecture) is neither lenet-5 nor a YAML file\(hint)")
    }
    let values = try ConfigFile(path: architecture).options(of: keys).values
    func failure(_ problem: String) -> ConfigError { ConfigError(architecture, nil, problem) }
    guard let layers = values["layers"] else {
      throw failure("there are no layers; write such as layers: [convolution 6 5x5, pooling 2, dense 84]")
    }
    var plan = LayerPlan(steps: [])
    for (index, text) in commaSeparated(layers).enumerated() {
      do { plan.steps.append(try LayerPlan.Step(text)) } catch {
        throw failure("layer \(index + 1): \(error)")
      }
    }
    if let side = values["side"] {
      guard let number = Int(side), (1...1 << 20).contains(number) else {
        throw failure("side: \(side) is no side of an image")
      }
      plan.side = number
    }
    if let image = values["image"] {
      let numbers = image.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
      guard numbers.count == 3, numbers.allSatisfy({ (1...1 << 20).contains($0) }) else {
        throw failure("image: \(image) is no shape; write channels, height and width such as 3x32x32")
      }
      plan.image = ImageShape(channels: numbers[0], height: numbers[1], width: numbers[2])
    }
    return plan
  }
}
