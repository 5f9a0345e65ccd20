/// Weights of rows: a column of the table times the weights of the classes.
enum SampleWeights {
  /// The weights in a column: n finite numbers ≥ 0, not all of them 0 unless the table is a part of the data.
  ///
  /// Errors: `DataError` with the first bad row.
  static func column(_ column: Int, of table: Table, isPart: Bool = false) throws -> [Double] {
    let name = quoted(table.names[column])
    guard let weights = table.columns[column].numbers else {
      throw FeatureEncoder.notNumeric(table.columns[column], name: table.names[column], table)
    }
    for (row, weight) in weights.enumerated() where !(weight >= 0 && weight.isFinite) {
      let problem = weight.isNaN ? "is missing" : weight < 0 ? "is negative" : "is infinite"
      throw DataError.malformed(
        table.location(ofRow: row), "\(table.rowLabel(row)): the weight in column \(name) \(problem)")
    }
    guard isPart || weights.contains(where: { $0 > 0 }) else {
      throw DataError.unsuitable(source: table.source, "all weights in column \(name) are zero")
    }
    return weights
  }

  /// Multiplies the weights by those of the classes.
  ///
  /// Errors: `DataError.option` for a class that does not exist, and when all weights become zero or infinite.
  static func apply(
    _ classWeights: ClassWeights, to weights: inout [Double], indices: [Int32], schema: Schema, source: String
  ) throws {
    var factors = [Double](repeating: 1, count: schema.classes.count)
    switch classWeights {
    case .balanced:
      let largest = max(weights.max() ?? 1, .leastNonzeroMagnitude)
      var totals = [Double](repeating: 0, count: factors.count)
      for (row, index) in indices.enumerated() { totals[Int(index)] += weights[row] / largest }
      let present = totals.filter { $0 > 0 }
      let mean = present.reduce(0, +) / Double(max(present.count, 1))
      for index in factors.indices where totals[index] > 0 { factors[index] = mean / totals[index] }
    case .factors(let given):
      for (name, factor) in given {
        guard let index = schema.classes.firstIndex(of: name) else {
          throw DataError.option(
            "--class-weight",
            "\(printable(source)) has no class \(quoted(name)); the classes are \(listed(schema.classes, atMost: 20))"
          )
        }
        factors[index] = factor
      }
    }
    for (row, index) in indices.enumerated() { weights[row] *= factors[Int(index)] }
    guard weights.contains(where: { $0 > 0 }), weights.allSatisfy(\.isFinite) else {
      throw DataError.option(
        "--class-weight", "all rows of \(printable(source)) weigh nothing, or infinitely much")
    }
  }
}
