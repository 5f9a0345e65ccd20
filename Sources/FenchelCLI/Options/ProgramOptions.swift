import ArgumentParser
import Fenchel

/// Where a network is normalised.
enum NormalisedPlace: String, ExpressibleByArgument, CaseIterable {
  case before
}

/// What single convex programs take.
struct ProgramOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Activation a t² + b t + c of the model polynomial (default: 0.09,0.5,0.47, near ReLU).",
      valueName: "a,b,c"))
  var coefficients: String?

  @Option(help: "Where the model batch-norm normalises (default: before the ReLU).")
  var normalise: NormalisedPlace?

  func validate() throws { _ = try polynomial() }

  /// Puts the options into the settings; those that the model does not take are errors.
  func apply(to settings: inout TrainingSettings) throws {
    guard coefficients == nil || settings.model == .polynomial else {
      throw UsageError(
        "--coefficients is not for the model \(settings.model.rawValue); take --model polynomial")
    }
    guard normalise == nil || settings.model == .batchNorm else {
      throw UsageError("--normalise is not for the model \(settings.model.rawValue); take --model batch-norm")
    }
    settings.coefficients = settings.model == .polynomial ? try polynomial() ?? .nearReLU : nil
  }

  private func polynomial() throws -> Polynomial? {
    guard let coefficients else { return nil }
    let numbers = commaSeparated(coefficients).map { Double($0) ?? .nan }
    guard numbers.count == 3 else {
      throw ValidationError(
        "--coefficients \(coefficients) must be three numbers a,b,c of the activation a t² + b t + c")
    }
    do {
      return try Polynomial(a: numbers[0], b: numbers[1], c: numbers[2])
    } catch {
      throw ValidationError("--coefficients: \(error)")
    }
  }
}
