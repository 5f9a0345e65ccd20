import ConvexOptimization
import LinearAlgebra
import RealModule

/// What a classifier's raw outputs F: n × c say about classes.
///
/// One column: F > 0 means class 1 (of 0 and 1). Several: the class of the largest entry, the first among equals.
public enum Scores {
  /// The predicted class of each row.
  public static func classes(_ f: Matrix<Double>) -> [Int] {
    (0..<f.rows).map { k in
      guard f.columns > 1 else { return f[k, 0] > 0 ? 1 : 0 }
      var best = 0
      for j in 1..<f.columns where f[k, j] > f[k, best] { best = j }
      return best
    }
  }

  /// Probabilities of all classes, n × classes, for a loss that models them: the logistic function of one
  /// column, or the softmax of several. Nil for other losses, whose outputs are not probabilities.
  public static func probabilities(_ f: Matrix<Double>, loss: LossKind) -> Matrix<Double>? {
    switch loss {
    case .logistic where f.columns == 1: logistic(f)
    case .softmax where f.columns > 1: softmax(f)
    case .logistic: oneAgainstRest(f)
    default: nil
    }
  }

  private static func sigmoid(_ t: Double) -> Double {
    t >= 0 ? 1 / (1 + .exp(-t)) : .exp(t) / (1 + .exp(t))
  }

  private static func logistic(_ f: Matrix<Double>) -> Matrix<Double> {
    var result = Matrix<Double>(f.rows, 2)
    for k in 0..<f.rows {
      result[k, 0] = sigmoid(-f[k, 0])
      result[k, 1] = sigmoid(f[k, 0])
    }
    return result
  }

  /// Softmax of each row, safe against overflow.
  private static func softmax(_ f: Matrix<Double>) -> Matrix<Double> {
    var result = f
    for k in 0..<f.rows {
      let top = (0..<f.columns).reduce(-Double.infinity) { max($0, f[k, $1]) }
      var sum = 0.0
      for j in 0..<f.columns {
        result[k, j] = .exp(f[k, j] - top)
        sum += result[k, j]
      }
      for j in 0..<f.columns { result[k, j] /= sum }
    }
    return result
  }

  /// One logistic output a class, scaled to sum 1.
  private static func oneAgainstRest(_ f: Matrix<Double>) -> Matrix<Double> {
    var result = f
    for k in 0..<f.rows {
      var sum = 0.0
      for j in 0..<f.columns {
        result[k, j] = sigmoid(f[k, j])
        sum += result[k, j]
      }
      for j in 0..<f.columns { result[k, j] = sum > 0 ? result[k, j] / sum : 1 / Double(f.columns) }
    }
    return result
  }
}
