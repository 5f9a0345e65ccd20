import ConvexOptimization
import Fenchel
import LinearAlgebra

/// Samples with one number each to be learnt, taken as they are: no scaling, and a bias only where there is a constant column.
struct RegressionSamples: Sendable {
  /// Where they came from.
  let source: String
  /// X: n × d.
  var x: Matrix<Double>
  /// y.
  var y: [Double]

  var count: Int { y.count }

  /// ½‖f − y‖².
  var loss: SquaredLoss<Double> {
    get throws { try SquaredLoss(targets: Matrix(column: y)) }
  }

  /// The samples in two parts, the second with a share of them.
  func split(testFraction: Double, seed: UInt64) throws -> (
    training: RegressionSamples, test: RegressionSamples
  ) {
    let split = try Split(rows: count, testFraction: testFraction, seed: seed)
    return (selecting(split.train), selecting(split.test))
  }

  private func selecting(_ rows: [Int]) -> RegressionSamples {
    RegressionSamples(source: source, x: x.selectingRows(rows), y: rows.map { y[$0] })
  }

  /// With a last column of ones.
  var withConstant: RegressionSamples {
    var result = self
    result.x = Matrix(count, x.columns + 1, fill: 1)
    for k in 0..<count { for j in 0..<x.columns { result.x[k, j] = x[k, j] } }
    return result
  }

  /// Trains a network on them by a convex program, under settings whose scaling and bias are left off.
  func trained(_ settings: TrainingSettings, _ options: ExperimentOptions) throws -> TrainingResult {
    var settings = settings
    (settings.bias, settings.standardise, settings.loss) = (false, false, .squared)
    let columns = (0..<x.columns).map { Column.numbers(x.column($0)) } + [.numbers(y)]
    let table = Table(source: source, columns: columns)
    var schema = SchemaOptions()
    schema.task = .regression
    let data = try Schema(inferredFrom: table, options: schema).dataset(from: table)
    return try train(
      data, settings: settings, cancellation: options.cancellation, progress: options.progress)
  }

  /// (1/n) Σ (f(x) − y)².
  func meanSquare(_ f: Matrix<Double>) -> Double {
    y.indices.reduce(0) { $0 + (f[$1, 0] - y[$1]) * (f[$1, 0] - y[$1]) } / Double(count)
  }

  /// ½ Σ (y − ȳ)² with ȳ the mean over samples of the same features: what no function of these goes below.
  var irreducible: Double {
    var groups: [[Double]: [Double]] = [:]
    for k in 0..<count { groups[x.row(k), default: []].append(y[k]) }
    return groups.values.reduce(0) { sum, values in
      let mean = values.reduce(0, +) / Double(values.count)
      return sum + values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 2
    }
  }
}
