/// The columns of a table that a schema asks for.
struct MatchedColumns {
  /// For each feature its column.
  var features: [Column] = []
  /// The targets' columns; empty when they are absent and not wanted.
  var targets: [Column] = []
  var weights: Column?
  var notices: [String] = []
}

extension Schema {
  /// Finds the schema's columns in a table: by name, or by position if either has no names.
  ///
  /// Errors: `DataError.unsuitable` naming what is missing.
  func match(_ table: Table, needsTargets: Bool) throws -> MatchedColumns {
    if hasNames && table.hasNames { return try matchByName(table, needsTargets: needsTargets) }
    return try matchByPosition(table, needsTargets: needsTargets)
  }

  private func matchByName(_ table: Table, needsTargets: Bool) throws -> MatchedColumns {
    var places: [String: Int] = [:]
    for (index, name) in table.names.enumerated() { places[name] = index }
    let missing = (features.map(\.name) + (needsTargets ? targets.map(\.name) : [])).filter {
      places[$0] == nil
    }
    guard missing.isEmpty else {
      throw DataError.unsuitable(
        source: table.source,
        "\(missing.count == 1 ? "column" : "columns") \(listed(missing)) \(missing.count == 1 ? "is" : "are") missing;"
          + " the file has \(listed(table.names, atMost: 8))")
    }
    func columns(_ names: [String]) -> [Column] { names.compactMap { places[$0].map { table.columns[$0] } } }
    var matched = MatchedColumns(features: columns(features.map(\.name)))
    if needsTargets { matched.targets = columns(targets.map(\.name)) }
    matched.weights = weights.flatMap { places[$0.name] }.map { table.columns[$0] }
    let known = Set(features.map(\.name) + (targets + ignored + [weights].compactMap { $0 }).map(\.name))
    let extra = table.names.filter { !known.contains($0) }
    if !extra.isEmpty { matched.notices.append("columns left alone: \(listed(extra))") }
    return matched
  }

  private func matchByPosition(_ table: Table, needsTargets: Bool) throws -> MatchedColumns {
    if table.hasImplicitZeros { return try matchPadded(table) }
    let targetPlaces = Set(targets.map(\.position))
    var matched = MatchedColumns()
    if table.columns.count == columnCount {
      matched.features = features.map { table.columns[$0.position] }
      if needsTargets { matched.targets = targets.map { table.columns[$0.position] } }
      matched.weights = weights.map { table.columns[$0.position] }
    } else if !needsTargets, table.columns.count == columnCount - targets.count {
      func place(_ position: Int) -> Int { position - targetPlaces.count { $0 < position } }
      matched.features = features.map { table.columns[place($0.position)] }
      matched.weights = weights.map { table.columns[place($0.position)] }
    } else {
      let without = needsTargets ? "" : " (or \(columnCount - targets.count) without the target)"
      throw DataError.unsuitable(
        source: table.source,
        "\(counted(table.columns.count, "column")), but the model was trained on \(columnCount)\(without)")
    }
    if hasNames != table.hasNames { matched.notices.append("columns are matched by position, not by name") }
    return matched
  }

  /// Columns of a LIBSVM table, whose width is its largest index: absent columns are zero, the label is last.
  private func matchPadded(_ table: Table) throws -> MatchedColumns {
    let width = table.columns.count - 1
    guard targets.map(\.position) == [columnCount - 1] else {
      throw DataError.unsuitable(
        source: table.source, "a LIBSVM file has its label last; the model's target is another column")
    }
    let zeros = Column.numbers([Double](repeating: 0, count: table.rows))
    var matched = MatchedColumns()
    matched.features = features.map { $0.position < width ? table.columns[$0.position] : zeros }
    matched.targets = [table.columns[width]]
    matched.weights = weights.map { $0.position < width ? table.columns[$0.position] : zeros }
    if width > columnCount - 1 {
      matched.notices.append(
        "columns \(columnCount) to \(width) are left alone: the model does not know them")
    }
    return matched
  }
}

extension Schema {
  /// Whether another schema gives the columns the same roles: the same targets, weights, task and features, with the
  /// same ones split into categories. Categories and classes themselves may differ.
  public func hasSameRoles(as other: Schema) -> Bool {
    targets == other.targets && weights == other.weights && task == other.task
      && features.map(\.name) == other.features.map(\.name)
      && features.map { $0.categories == nil } == other.features.map { $0.categories == nil }
  }
}
