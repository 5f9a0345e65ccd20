import LinearAlgebra
import RealModule

/// Measures of how well predictions fit what was observed. All are weighted means; weights default to 1, and a
/// measure over no weight at all is NaN.
public enum Metrics {
  /// Share of samples whose predicted class is the observed one.
  public static func accuracy(_ predicted: [Int], _ observed: [Int], weights: [Double]? = nil) -> Double {
    precondition(predicted.count == observed.count, "as many predictions as observations")
    return mean(count: observed.count, weights) { predicted[$0] == observed[$0] ? 1 : 0 }
  }

  /// √(mean of (f − y)²) over all entries of F and Y: n × c.
  public static func rmse(_ f: Matrix<Double>, _ y: Matrix<Double>, weights: [Double]? = nil) -> Double {
    rowMean(f, y, weights) { ($0 - $1) * ($0 - $1) }.squareRoot()
  }

  /// Mean of |f − y| over all entries of F and Y: n × c.
  public static func mae(_ f: Matrix<Double>, _ y: Matrix<Double>, weights: [Double]? = nil) -> Double {
    rowMean(f, y, weights) { abs($0 - $1) }
  }

  /// r² = 1 − Σ(f − y)² / Σ(y − ȳ)², averaged over the columns; a constant column counts 1 when it is met exactly
  /// and 0 otherwise.
  public static func rSquared(_ f: Matrix<Double>, _ y: Matrix<Double>, weights: [Double]? = nil) -> Double {
    precondition(f.rows == y.rows && f.columns == y.columns, "predictions of the shape of the targets")
    var (residuals, variances) = ([Double](), [Double]())
    for j in 0..<y.columns {
      let center = mean(count: y.rows, weights) { y[$0, j] }
      residuals.append(mean(count: y.rows, weights) { (f[$0, j] - y[$0, j]) * (f[$0, j] - y[$0, j]) })
      variances.append(mean(count: y.rows, weights) { (y[$0, j] - center) * (y[$0, j] - center) })
    }
    return rSquared(residuals: residuals, variances: variances)
  }

  /// r² from the mean squares of f − y and of y − ȳ in every column.
  static func rSquared(residuals: [Double], variances: [Double]) -> Double {
    zip(residuals, variances).reduce(0.0) { total, column in
      let (residual, variance) = column
      return total + (variance > 0 ? 1 - residual / variance : (residual == 0 ? 1 : 0))
    } / Double(residuals.count)
  }

  /// −mean of log p(observed class), for rows of probabilities P: n × classes. Probabilities below 2⁻¹⁰²² count
  /// as 2⁻¹⁰²², so that the value stays finite.
  public static func logLoss(
    probabilities p: Matrix<Double>, _ observed: [Int], weights: [Double]? = nil
  ) -> Double {
    precondition(p.rows == observed.count, "as many rows of probabilities as observations")
    return mean(count: observed.count, weights) {
      -.log(max(p[$0, observed[$0]], .leastNormalMagnitude))
    }
  }

  /// Counts of samples by observed class (row) and predicted class (column): classes × classes.
  public static func confusion(_ predicted: [Int], _ observed: [Int], classes: Int) -> [[Int]] {
    precondition(predicted.count == observed.count, "as many predictions as observations")
    var counts = [[Int]](repeating: [Int](repeating: 0, count: classes), count: classes)
    for (guess, truth) in zip(predicted, observed) { counts[truth][guess] += 1 }
    return counts
  }

  /// Σ_k s_k term(k) / Σ_k s_k, with compensated sums.
  private static func mean(count: Int, _ weights: [Double]?, _ term: (Int) -> Double) -> Double {
    precondition(weights.map { $0.count == count } ?? true, "one weight a sample")
    var mean = WeightedMean()
    for k in 0..<count { mean.add(term(k), weight: weights?[k] ?? 1) }
    return mean.value
  }

  private static func rowMean(
    _ f: Matrix<Double>, _ y: Matrix<Double>, _ weights: [Double]?, _ term: (Double, Double) -> Double
  ) -> Double {
    precondition(f.rows == y.rows && f.columns == y.columns, "predictions of the shape of the targets")
    return mean(count: y.rows, weights) { k in
      var sum = 0.0
      for j in 0..<y.columns { sum += term(f[k, j], y[k, j]) }
      return sum / Double(y.columns)
    }
  }
}

/// Σ_k s_k t_k / Σ_k s_k of terms that come one by one, with compensated sums (Kahan 1965); NaN over no weight at all.
struct WeightedMean: Sendable {
  private var sum = 0.0
  private var lost = 0.0
  private var total = 0.0

  /// A term of weight 0 is not looked at.
  mutating func add(_ term: Double, weight: Double) {
    guard weight != 0 else { return }
    let value = weight * term - lost
    let next = sum + value
    lost = (next - sum) - value
    sum = next
    total += weight
  }

  var value: Double { sum / total }
}
