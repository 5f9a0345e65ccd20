import ArgumentParser
import Fenchel

/// What single convex programs take.
struct ProgramOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Activation a t² + b t + c of the model polynomial (default: 0.09,0.5,0.47, near ReLU).",
      valueName: "a,b,c"))
  var coefficients: String?

  @Option(help: "Where the model batch-norm normalises: before the ReLU (default), or after it.")
  var normalise: NormalisationPlace?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Kernel of the models cnn and gated-cnn: its side over images, height x width, or its length over signals "
        + "(default: 3).",
      valueName: "k|kxk"))
  var kernel: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Steps of that kernel (default: 1).", valueName: "n"))
  var stride: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Zeros around its inputs, fewer than its side (default: 0).", valueName: "n"))
  var padding: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Channels of its inputs, one after another in a row (default: those of images, else 1).",
      valueName: "n"))
  var channels: Int?

  @Option(help: "What becomes of the outputs at all positions (default: sum).")
  var pooling: PoolingMode?

  @Option(
    help: ArgumentHelp(
      "Neurons in the first layer of each sub-network of the model three-layer, 1 to 4 (default: 2).",
      valueName: "count"))
  var subnetwork: Int?

  @Option(
    help:
      "What the model three-layer keeps in the unit ball: columns of first layers (default), or all of each.")
  var columns: SubnetworkNorm?

  @Flag(
    help:
      "Train the model three-layer with hinges of violated cones in place of the cones, for data too large for these."
  )
  var penaltyForm = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Weight ρ of those hinges (default: 0.03 of the largest slope of the loss at zero).", valueName: "ρ"))
  var penaltyWeight: Double?

  func validate() throws {
    try Check.positive(penaltyWeight, "--penalty-weight")
    guard penaltyForm || penaltyWeight == nil else {
      throw ValidationError("--penalty-weight is the weight of --penalty-form; give both")
    }
    _ = try polynomial()
    _ = try patches()
    let widths = 1...TrainingSettings.largestSubnetwork
    guard subnetwork.map(widths.contains) ?? true else {
      throw ValidationError("--subnetwork must be from \(widths.lowerBound) to \(widths.upperBound)")
    }
  }

  /// Puts the options into the settings; those that none of the models takes which are trained with them are errors.
  func apply(to settings: inout TrainingSettings, models: [ModelKind]) throws {
    func refuse(_ option: String, for taker: ModelKind, _ more: String = "") throws {
      guard !models.contains(taker) else { return }
      throw UsageError("--\(option) is \(Self.notFor(models)); take --model \(taker.rawValue)\(more)")
    }
    if coefficients != nil { try refuse("coefficients", for: .polynomial) }
    if normalise != nil { try refuse("normalise", for: .batchNorm) }
    settings.normalisation = normalise
    try refusePatches(models)
    settings.convolution = models.contains(where: \.hasKernel) ? try patches() : nil
    if subnetwork != nil { try refuse("subnetwork", for: .threeLayer) }
    if columns != nil { try refuse("columns", for: .threeLayer) }
    settings.subnetwork =
      models.contains(.threeLayer) ? subnetwork ?? TrainingSettings.defaultSubnetwork : nil
    settings.columns = columns
    if penaltyForm {
      try refuse(
        "penalty-form", for: .threeLayer, ", of which --subnetwork 1 is the ReLU network of two layers")
    }
    guard !penaltyForm || columns != .frobenius else {
      throw UsageError("--penalty-form is for --columns unit, not for frobenius")
    }
    settings.penalty = penaltyForm ? ConePenalty(weight: penaltyWeight) : nil
    settings.coefficients = models.contains(.polynomial) ? try polynomial() ?? .nearReLU : nil
  }

  private static func notFor(_ models: [ModelKind]) -> String {
    let names = models.map(\.rawValue).joined(separator: ", ")
    return "not for the \(models.count == 1 ? "model" : "models") \(names)"
  }

  private func refusePatches(_ models: [ModelKind]) throws {
    guard !models.contains(where: \.hasKernel) else { return }
    let given = [
      ("kernel", kernel != nil), ("stride", stride != nil), ("padding", padding != nil),
      ("channels", channels != nil), ("pooling", pooling != nil),
    ]
    guard let option = given.first(where: \.1)?.0 else { return }
    throw UsageError("--\(option) is \(Self.notFor(models)); take --model cnn or gated-cnn")
  }

  private func patches() throws -> PatchSettings {
    var patches = PatchSettings()
    if let kernel {
      let sides = kernel.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
      guard (1...2).contains(sides.count), let last = sides[sides.count - 1], let first = sides[0] else {
        throw ValidationError("--kernel \(kernel) must be a side such as 3, or height x width such as 3x5")
      }
      (patches.kernelHeight, patches.kernelWidth) = (sides.count == 2 ? first : nil, last)
    }
    (patches.stride, patches.padding) = (stride ?? 1, padding ?? 0)
    (patches.channels, patches.pooling) = (channels, pooling ?? .sum)
    do { try patches.check() } catch { throw ValidationError("\(error)") }
    return patches
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

extension PoolingMode: ExpressibleByArgument {}
extension NormalisationPlace: ExpressibleByArgument {}
