import LinearAlgebra

/// What `Schema.dataset` is to do with targets.
public enum TargetPolicy: Sendable {
  /// They must be there and be usable (training, evaluation).
  case required
  /// They are not looked at (prediction).
  case ignored
}

extension Schema {
  /// The table as numbers: features encoded (not scaled), targets, weights.
  ///
  /// A category that the schema does not know becomes a row of zeros, with a notice. Memory: 8·n·d bytes (4 for
  /// `Float`), checked before they are taken. Cost n·d.
  ///
  /// - Parameter isPart: whether the table is a part of the data, whose rows may all have weight 0.
  ///
  /// Errors: `DataError`: a column is missing; an entry is missing, infinite, or no number; an unseen class; bad
  /// weights; too little memory.
  public func dataset<Element: Scalar>(
    from table: Table, as _: Element.Type = Double.self, targets policy: TargetPolicy = .required,
    classWeights: ClassWeights? = nil, isPart: Bool = false, memoryLimit: Int? = nil
  ) throws -> Dataset<Element> {
    let matched = try match(table, needsTargets: policy == .required)
    let weights = try sampleWeights(matched, table, isPart: isPart)
    let encoder = FeatureEncoder(
      schema: self, table: table, isPart: isPart, memoryLimit: memoryLimit ?? ReadOptions.defaultMemoryLimit)
    let (features, notices) = try encoder.encode(matched.features, as: Element.self)
    var dataset = Dataset(
      features: features, targets: .none, sampleWeights: weights, schema: self,
      notices: table.notices + matched.notices + notices, source: table.source, sha256: table.sha256)
    dataset.rowNumbers = table.numbersOfRows
    if policy == .required { dataset.targets = try targetValues(matched.targets, table, weights) }
    if let classWeights {
      guard case .classes(let indices, _) = dataset.targets else {
        throw DataError.option(
          "--class-weight",
          "weights of classes need classes; the task of \(printable(table.source)) is regression")
      }
      try SampleWeights.apply(
        classWeights, to: &dataset.sampleWeights, indices: indices, schema: self, source: table.source)
    }
    return dataset
  }

  private func sampleWeights(
    _ matched: MatchedColumns, _ table: Table, isPart: Bool
  ) throws -> [Double] {
    guard let role = weights, let column = matched.weights else {
      return [Double](repeating: 1, count: table.rows)
    }
    var single = Table(source: table.source, names: [role.name], columns: [column])
    (single.lines, single.firstLine) = (table.lines, table.firstLine)
    (single.rowNumbers, single.firstRow) = (table.rowNumbers, table.firstRow)
    return try SampleWeights.column(0, of: single, isPart: isPart)
  }

  private func targetValues(_ columns: [Column], _ table: Table, _ weights: [Double]) throws -> Targets {
    if task == .classification {
      return .classes(try classIndices(columns[0], table, weights), count: classes.count)
    }
    let rows = table.rows
    var values = Matrix<Double>(rows, columns.count)
    for (j, column) in columns.enumerated() {
      guard let numbers = column.numbers else {
        throw FeatureEncoder.notNumeric(column, name: targets[j].name, table)
      }
      let bad = numbers.indices.filter { !numbers[$0].isFinite }
      if let row = bad.first {
        throw DataError.malformed(
          table.location(ofRow: row),
          "\(table.rowLabel(row)): the target \(quoted(targets[j].name)) is"
            + " \(numbers[row].isNaN ? "missing" : "infinite"), as in \(counted(bad.count, "row")) of \(rows)"
        )
      }
      for (row, number) in numbers.enumerated() { values[row, j] = number }
    }
    return .values(values)
  }

  /// For each row the index of its class. A row of weight 0 may have any class.
  private func classIndices(_ column: Column, _ table: Table, _ weights: [Double]) throws -> [Int32] {
    var indices = CategoryLookup(classes).codes(column)
    for row in indices.indices where indices[row] < 0 {
      if weights[row] == 0 {
        indices[row] = 0
        continue
      }
      let bad = indices.count { $0 == indices[row] }
      let what: String
      if indices[row] == CategoryLookup.missing {
        what = "the class in column \(quoted(targets[0].name)) is missing, as in \(counted(bad, "row"))"
      } else {
        let name = CategoryLookup.name(column, row)
        what = "class \(quoted(name)) is unknown; the classes are \(listed(classes, atMost: 12))"
      }
      throw DataError.malformed(table.location(ofRow: row), "\(table.rowLabel(row)): \(what)")
    }
    return indices
  }
}

/// Finds the entries of a column among known names.
struct CategoryLookup {
  static let unknown: Int32 = -1
  static let missing: Int32 = -2

  private var places: [String: Int32] = [:]

  init(_ names: [String]) {
    for (index, name) in names.enumerated() { places[name] = Int32(index) }
  }

  /// For each row the index of its entry, `unknown` or `missing`. Numbers are compared as `categoryName` writes
  /// them.
  func codes(_ column: Column) -> [Int32] {
    switch column {
    case .text(let text):
      let known = text.values.map(place)
      return text.codes.map { $0 < 0 ? Self.missing : known[Int($0)] }
    case .numeric:
      var known: [Double: Int32] = [:]
      return (column.numbers ?? []).map { value in
        if value.isNaN { return Self.missing }
        if let code = known[value] { return code }
        let code = places[categoryName(value)] ?? Self.unknown
        known[value] = code
        return code
      }
    }
  }

  private func place(_ name: String) -> Int32 {
    if let place = places[name] { return place }
    let (value, outcome) = DecimalNumber.parse(name)
    return outcome == .number ? places[categoryName(value)] ?? Self.unknown : Self.unknown
  }

  /// The name that stands in a row.
  static func name(_ column: Column, _ row: Int) -> String {
    switch column {
    case .text(let text): return text[row] ?? ""
    case .numeric(let array, let index): return categoryName(array[row, index])
    }
  }
}
