/// The numbers of lifted models that the command line names: those of batched descent, and ρ where all data are one batch.
extension LiftedSettings: RelativeSettings {
  public static var numbers: [RelativeNumber<Self>] {
    [
      RelativeNumber("gamma", \.batched.proximity), RelativeNumber("last-gamma", \.batched.lastProximity),
      RelativeNumber("growth", \.batched.proximityGrowth, .nonnegative),
      RelativeNumber("momentum", \.batched.momentum, .belowOne),
      RelativeNumber("relaxation", \.batched.relaxation),
      RelativeNumber("average", \.averagedStepsAsNumber, .count), RelativeNumber("rho", \.ρ),
      RelativeNumber("last-rho", \.lastρOrSame),
      RelativeNumber("share", \.stepShareOrNone), RelativeNumber("damping", \.batched.damping),
      RelativeNumber("pull", \.batched.imagePull), RelativeNumber("ridge", \.batched.ridge, .nonnegative),
    ]
  }

  /// η of networks with convolutions.
  private var stepShareOrNone: Double {
    get { batched.stepShare ?? 0.02 }
    set { batched.stepShare = newValue }
  }

  private var averagedStepsAsNumber: Double {
    get { Double(batched.averagedSteps) }
    set { batched.averagedSteps = Int(min(max(newValue.rounded(), -1), 1e9)) }
  }

  private var lastρOrSame: Double {
    get { lastρ ?? ρ }
    set { lastρ = newValue }
  }

  /// Of models with squared distances, which take all data at once.
  static let namesOfWholeData = ["rho", "last-rho"]

  /// The names that matter to a network and the batches it is trained in.
  static func names(isWholeData: Bool, hasConvolutions: Bool) -> [String] {
    if isWholeData { return namesOfWholeData }
    return hasConvolutions
      ? ["last-gamma", "growth", "momentum", "share", "damping", "pull", "ridge"]
      : ["gamma", "last-gamma", "growth", "momentum", "relaxation", "average"]
  }
}
