/// What a forecast came to, field by field as `--json` prints it.
public struct ForecastReport: Codable, Sendable, Equatable {
  public var signal: SignalSummary
  public var window: Int
  public var horizon: Int
  /// Windows that were learnt from.
  public var trainingWindows: Int
  /// Windows that were tested on; none of their samples was seen in training.
  public var testWindows: Int
  /// Standard deviation of the values to be forecast: the error of their mean.
  @FiniteOrNull public var deviation: Double
  /// The model first, then what it is compared with.
  public var methods: [Method]
  /// What the model forecasts after the end of the signal.
  public var future: [Value]
  /// Of the model, as `fenchel train` reports it.
  public var training: TrainingReport

  public struct SignalSummary: Codable, Sendable, Equatable {
    public var source: String
    public var name: String
    public var samples: Int
    public var sha256: String
  }

  /// A sample of the signal by its number, from 0.
  public struct Value: Codable, Sendable, Equatable {
    public var index: Int
    @FiniteOrNull public var value: Double

    public init(index: Int, value: Double) {
      self.index = index
      self.value = value
    }
  }

  /// A way to forecast, and how well it does on the windows held out.
  public struct Method: Codable, Sendable, Equatable {
    public var name: String
    /// Of networks that are trained by gradients.
    public var seed: UInt64?
    /// Hidden neurons, of networks that have some.
    public var neurons: Int?
    /// ℓ + (λ/2)(‖W₁‖² + ‖W₂‖²) over the training windows, of ReLU networks under the λ of the model: what training minimises.
    public var objective: Double?
    /// Of training.
    public var seconds: Double
    /// One step ahead on the training windows, in the signal's units.
    @FiniteOrNull public var trainRMSE: Double
    /// Errors 1, …, H steps ahead.
    public var steps: [Step]

    public init(
      name: String, seed: UInt64? = nil, neurons: Int? = nil, objective: Double? = nil, seconds: Double,
      trainRMSE: Double, steps: [Step]
    ) {
      self.name = name
      self.seed = seed
      self.neurons = neurons
      self.objective = objective
      self.seconds = seconds
      self.trainRMSE = trainRMSE
      self.steps = steps
    }
  }

  /// Errors over all test windows, so many steps ahead, in the signal's units.
  public struct Step: Codable, Sendable, Equatable {
    public var step: Int
    @FiniteOrNull public var rmse: Double
    @FiniteOrNull public var mae: Double
    @FiniteOrNull public var rSquared: Double

    public init(step: Int, rmse: Double, mae: Double, rSquared: Double) {
      self.step = step
      self.rmse = rmse
      self.mae = mae
      self.rSquared = rSquared
    }
  }
}
