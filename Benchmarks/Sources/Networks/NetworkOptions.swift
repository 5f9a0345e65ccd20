import Fenchel

/// `--optimizer NAME --epochs N --batch N --rate η --hidden N --activation NAME --seed N`.
struct NetworkOptions {
  var optimizer = Optimizer.adam
  var epochs = 10
  var batchSize = 500
  var learningRate: Double?
  var hidden = 300
  var activation = Activation.relu
  var seed: UInt64 = 1

  /// What is wrong with the arguments.
  struct Problem: Error, CustomStringConvertible {
    let description: String
  }

  init(_ arguments: some Sequence<String>) throws {
    var rest = Array(arguments)[...]
    while let name = rest.popFirst() {
      guard let value = rest.popFirst() else { throw Problem(description: "\(name) needs a value") }
      func read<T: LosslessStringConvertible>(_: T.Type = T.self) throws -> T {
        guard let result = T(value) else { throw Problem(description: "\(name): \(value) will not do") }
        return result
      }
      switch name {
      case "--optimizer":
        guard let known = Optimizer(rawValue: value) else {
          let names = Optimizer.allCases.map(\.rawValue).joined(separator: ", ")
          throw Problem(description: "--optimizer: one of \(names)")
        }
        optimizer = known
      case "--epochs": epochs = max(1, try read())
      case "--batch": batchSize = max(1, try read())
      case "--rate": learningRate = try read()
      case "--hidden": hidden = max(1, try read())
      case "--activation": activation = try read()
      case "--seed": seed = try read()
      default: throw Problem(description: "no option \(name)")
      }
    }
  }
}

extension Optimizer {
  var isFirstOrder: Bool { rule(Float.self) != nil }
}
