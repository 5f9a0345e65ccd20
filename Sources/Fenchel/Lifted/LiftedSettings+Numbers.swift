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
      RelativeNumber("alternations", \.alternationsOrStep, .countOrNone),
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

  /// K where every block is solved, 0 for one step a block.
  private var alternationsOrStep: Double {
    get { batched.solvesBlocks ? Double(batched.alternations) : 0 }
    set {
      batched.solvesBlocks = newValue > 0
      batched.alternations = Int(min(max(newValue.rounded(), 1), 1e9))
    }
  }

  private var lastρOrSame: Double {
    get { lastρ ?? ρ }
    set { lastρ = newValue }
  }

  /// Of models with squared distances, which take all data at once.
  static let namesOfWholeData = ["rho", "last-rho"]

  /// Of batches with one step a block, in dense networks.
  static let namesOfSteps = [
    "gamma", "last-gamma", "growth", "momentum", "relaxation", "average", "alternations",
  ]

  /// The same of networks with convolutions.
  static let namesOfConvolutions = [
    "last-gamma", "growth", "momentum", "share", "damping", "pull", "ridge", "alternations",
  ]

  /// Of batches whose blocks are solved.
  static let namesOfSolvedBlocks = ["gamma", "last-gamma", "growth", "alternations"]
}
