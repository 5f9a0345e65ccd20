import Fenchel
import LinearAlgebra

/// A table of a few hundred rows to time fits on.
struct SmallTable {
  let name: String
  let data: Dataset<Double>

  /// A data set inside the program.
  init(builtIn name: String) throws {
    self.name = name
    data = try Self.dataset(Table.read(name))
  }

  /// y = Σ_m (x·v_m)_+ over `neurons` planted neurons, and noise; x, v and the noise from N(0, I).
  init(_ name: String, rows: Int, features: Int, neurons: Int, noise: Double) throws {
    let x: Matrix<Double> = Philox(seed: 1).normalMatrix(rows, features)
    let v: Matrix<Double> = Philox(seed: 2).normalMatrix(max(neurons, 1), features)
    let ε: Matrix<Double> = Philox(seed: 3).normalMatrix(rows, 1)

    let planted = matrixProduct(x, .no, v, .yes).storage.map { max($0, 0) }
    let y = (0..<rows).map { k in
      planted[k * v.rows..<k * v.rows + neurons].reduce(noise * ε[k, 0], +)
    }
    self.name = name
    let columns = (0..<features).map { Column.numbers(x.column($0)) } + [.numbers(y)]
    data = try Self.dataset(Table(source: name, columns: columns))
  }

  private static func dataset(_ table: Table) throws -> Dataset<Double> {
    try Schema(inferredFrom: table).dataset(from: table)
  }

  static func all() throws -> [SmallTable] {
    try [
      SmallTable(builtIn: "iris"), SmallTable(builtIn: "wine"),
      SmallTable("planted, 50 × 5", rows: 50, features: 5, neurons: 3, noise: 0.1),
      SmallTable("planted, 200 × 10", rows: 200, features: 10, neurons: 3, noise: 0.1),
      SmallTable("linear, 200 × 10", rows: 200, features: 10, neurons: 1, noise: 0.1),
      SmallTable("noise, 200 × 10", rows: 200, features: 10, neurons: 0, noise: 1),
    ]
  }
}
