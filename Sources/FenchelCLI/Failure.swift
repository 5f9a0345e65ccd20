import ConvexOptimization
import Fenchel

/// The exit codes of the command line.
enum Outcome: Int32 {
  case done = 0
  case internalError = 1
  case usage = 2
  case badData = 3
  case badModel = 4
  case stoppedEarly = 5
  case resources = 6
}

/// A wrong option, argument or setting.
struct UsageError: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}

extension Outcome {
  /// The exit code that an error stands for.
  init(_ error: any Error) {
    switch error {
    case is UsageError, is ConfigError: self = .usage
    case CheckpointError.convexProgram, StreamError.method: self = .usage
    case is StreamError: self = .badData
    case TuningError.journal, TuningError.damaged: self = .badModel
    case TuningError.noTrials: self = .stoppedEarly
    case is TuningError: self = .usage
    case is CheckpointError, is SafetensorsError, is NetworkError, is ModelFileError: self = .badModel
    case let error as FileWriteError:
      if case .badPath = error.reason { self = .usage } else { self = .resources }
    case let error as DataError:
      switch error {
      case .ambiguousTask, .option: self = .usage
      case .tooLarge: self = .resources
      default: self = .badData
      }
    case let error as VerificationError:
      if case .noCertificate = error { self = .badModel } else { self = .badData }
    case TrainingError.solver, TrainingError.solverOfModel, TrainingError.lossOfModel,
      TrainingError.sharedNeurons, TrainingError.solverOfSharedNeurons,
      TrainingError.lossOfSharedNeurons:
      self = .usage
    case LossError.parameter: self = .usage
    case is TrainingError, is LossError, is BatchNormalisationError: self = .badData
    case PatternError.memory, PatchError.memory: self = .resources
    case ForecastError.tooShort, ForecastError.constant: self = .badData
    case GenerativeError.images: self = .badData
    case GenerativeError.memory, GenerativeError.pictures: self = .resources
    case is ForecastError, is GenerativeError: self = .usage
    case is PatternError, is PathError, is LiftedError, is FeedForwardError, is LayerPlanError,
      is AugmentationError, is ActivationError, is PatchError,
      is OrdinaryTrainingError, is BackpropagationError, is RelativeError,
      is InitialModelError:
      self = .usage
    case ProgramError.memory, ProgramError.trainingMemory, ProgramError.semidefiniteMemory,
      is LayerMemoryError:
      self = .resources
    case is ProgramError: self = .usage
    case let error as DownloadError: self = error.isWrongContent ? .badData : .resources
    default: self = .internalError
    }
  }
}
