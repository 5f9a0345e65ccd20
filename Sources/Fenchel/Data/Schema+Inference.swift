import LinearAlgebra

extension Schema {
  /// The schema of a table under the given options. Medians and categories are taken from this table, so give it
  /// the training rows only.
  ///
  /// The task, unless given or declared by the format: several targets → regression; text → classification;
  /// numbers of which one is not an integer → regression; more than 20 distinct integers → regression, with a
  /// notice; up to 20 distinct integers (so also −1/1 and 0/1) → `DataError.ambiguousTask`, because they could be
  /// either.
  public init(inferredFrom table: Table, options: SchemaOptions = SchemaOptions()) throws {
    self = try SchemaInference(table: table, options: options).schema()
  }

  /// Up to how many distinct integers a target could be classes.
  public static let mostDistinctClasses = 20
  /// 2⁵³: larger numbers are whole for want of digits, and no classes.
  fileprivate static let largestInteger = 9_007_199_254_740_992.0
}

private struct SchemaInference {
  let table: Table
  let options: SchemaOptions

  func schema() throws -> Schema {
    let targets = try targetColumns()
    let ignored = try options.ignore.map { try table.column($0) }
    let weights = try options.weights.map { try table.column($0) }
    try checkRoles(targets, ignored, weights)
    let task = try task(targets)
    let others = Set(targets + ignored + [weights].compactMap { $0 })
    let categorical = Set(try options.categorical.map { try table.column($0) })
    if let column = categorical.first(where: { others.contains($0) }) {
      throw unsuitable("column \(name(column)) cannot be categorical: it is no feature")
    }
    let sampleWeights = try weights.map { try SampleWeights.column($0, of: table) }
    let features = try table.columns.indices.filter { !others.contains($0) }.map {
      try feature($0, isCategorical: categorical.contains($0), sampleWeights)
    }
    guard !features.isEmpty else {
      let isSignal = table.columns.count == 1
      throw unsuitable(
        "no column is left to be a feature"
          + (isSignal ? "; fenchel forecast learns a single column from its own past" : ""))
    }
    return Schema(
      features: features, targets: targets.map(role), weights: weights.map(role), ignored: ignored.map(role),
      task: task, classes: task == .classification ? try classes(targets[0], sampleWeights) : [],
      hasNames: table.hasNames, columnCount: table.columns.count, imageShape: imageShape(features))
  }

  private func unsuitable(_ problem: String) -> DataError { .unsuitable(source: table.source, problem) }
  private func name(_ column: Int) -> String { quoted(table.names[column]) }
  private func role(_ column: Int) -> Schema.Role { .init(name: table.names[column], position: column) }

  private func targetColumns() throws -> [Int] {
    guard options.targets.isEmpty else { return try options.targets.map { try table.column($0) } }
    let defaults = table.defaultTargets
    guard !defaults.isEmpty else { throw unsuitable("there is no target: name its column with --target") }
    let taken = try Set((options.ignore + [options.weights].compactMap { $0 }).map { try table.column($0) })
    if defaults == [table.columns.count - 1], taken.contains(defaults[0]) {
      throw unsuitable(
        "the last column, \(name(defaults[0])), is the target by default but has another use: give --target")
    }
    return defaults
  }

  private func checkRoles(_ targets: [Int], _ ignored: [Int], _ weights: Int?) throws {
    var seen: Set<Int> = []
    for column in targets where !seen.insert(column).inserted {
      throw unsuitable("column \(name(column)) is named twice as a target")
    }
    for column in Set(ignored) where !seen.insert(column).inserted {
      throw unsuitable("column \(name(column)) is both a target and ignored")
    }
    if let weights, !seen.insert(weights).inserted {
      throw unsuitable("column \(name(weights)) holds weights and has another use as well")
    }
  }

  /// The image shape survives only if every pixel is a feature as it is.
  private func imageShape(_ features: [Schema.Feature]) -> ImageShape? {
    guard let shape = table.imageShape, features.count == shape.count,
      features.allSatisfy({ $0.categories == nil })
    else { return nil }
    return shape
  }

  private func task(_ targets: [Int]) throws -> LearningTask {
    if options.task == .classification && targets.count > 1 {
      throw unsuitable("classification has one target, \(targets.count) are named")
    }
    let text = targets.first { table.columns[$0].isText }
    if let task = options.task {
      if task == .regression, let text { throw textual(text, purpose: "a regression target must be numeric") }
      return task
    }
    if targets.count > 1 {
      if let text { throw textual(text, purpose: "several targets must all be numeric") }
      return .regression
    }
    if let text {
      guard !isMostlyNumbers(text) else {
        throw textual(text, purpose: "the other entries are numbers; mend it, or give --task classification")
      }
      return .classification
    }
    if options.targets.isEmpty || targets == table.defaultTargets, let declared = table.declaredTask {
      return declared
    }
    return try numericTask(targets[0])
  }

  /// Whether a column is text for the sake of a few entries: nine out of ten are numbers, more of them than classes are usual.
  private func isMostlyNumbers(_ column: Int) -> Bool {
    guard case .text(let text) = table.columns[column], text.firstNonNumber != nil else { return false }
    let isNumber = text.values.map { Double($0) != nil }
    let entries = text.codes.count { $0 >= 0 }
    let numbers = text.codes.count { $0 >= 0 && isNumber[Int($0)] }
    return 10 * numbers >= 9 * entries && isNumber.count { $0 } > Schema.mostDistinctClasses
  }

  private func numericTask(_ target: Int) throws -> LearningTask {
    var distinct: Set<Double> = []
    for value in table.columns[target].numbers ?? [] where !value.isNaN {
      if value.rounded(.towardZero) != value || abs(value) > Schema.largestInteger { return .regression }
      distinct.insert(value)
      if distinct.count > Schema.mostDistinctClasses { return .regression }
    }
    let names = distinct.sorted().prefix(4).map(categoryName).joined(separator: ", ")
    throw DataError.ambiguousTask(
      source: table.source,
      "the target \(name(target)) holds only the integers \(names)\(distinct.count > 4 ? ", …" : ""), which could be"
        + " classes or numbers: add --task classification or --task regression")
  }

  private func textual(_ column: Int, purpose: String) -> DataError {
    guard case .text(let text) = table.columns[column], let first = text.firstNonNumber else {
      return unsuitable("column \(name(column)) is text; \(purpose)")
    }
    return .malformed(
      first.location, "column \(name(column)): \(quoted(first.token)) \(first.problem); \(purpose)")
  }

  private func classes(_ target: Int, _ weights: [Double]?) throws -> [String] {
    let present = SchemaInference.names(of: table.columns[target], weights)
    guard present.count > 1 else {
      let only = present.keys.first.map { "the only class is \(quoted($0))" } ?? "no row has a class"
      throw unsuitable("column \(name(target)): \(only); at least two classes are needed")
    }
    let limit = max(1000, table.rows / 2)
    guard present.count <= limit else {
      throw unsuitable(
        "column \(name(target)) has \(present.count) classes in \(table.rows) rows; for numbers say --task regression"
      )
    }
    return Schema.ordered(present.keys)
  }

  /// Names of the classes or categories that rows of positive weight have, with their total weights.
  static func names(of column: Column, _ weights: [Double]?) -> [String: Double] {
    var totals: [String: Double] = [:]
    switch column {
    case .text(let text):
      var sums = [Double](repeating: 0, count: text.values.count)
      for (row, code) in text.codes.enumerated() where code >= 0 { sums[Int(code)] += weights?[row] ?? 1 }
      for (code, sum) in sums.enumerated() where sum > 0 { totals[text.values[code], default: 0] += sum }
    case .numeric:
      var sums: [Double: Double] = [:]
      for (row, value) in (column.numbers ?? []).enumerated() where !value.isNaN {
        sums[value, default: 0] += weights?[row] ?? 1
      }
      for (value, sum) in sums where sum > 0 { totals[categoryName(value)] = sum }
    }
    return totals
  }

  private func feature(
    _ column: Int, isCategorical: Bool, _ weights: [Double]?
  ) throws -> Schema.Feature {
    var feature = Schema.Feature(name: table.names[column], position: column)
    if isCategorical {
      let totals = SchemaInference.names(of: table.columns[column], weights)
      guard !totals.isEmpty else { throw unsuitable("categorical column \(name(column)) has no entries") }
      let categories = Schema.ordered(totals.keys)
      feature.categories = categories
      if options.imputesMedian {
        feature.imputedCategory = categories.reduce(categories[0]) {
          (totals[$1] ?? 0) > (totals[$0] ?? 0) ? $1 : $0
        }
      }
      return feature
    }
    guard !table.columns[column].isText else {
      let flag = table.hasNames ? table.names[column] : String(column)
      throw textual(column, purpose: "use --categorical \(printable(flag)) or --ignore \(printable(flag))")
    }
    if options.imputesMedian {
      feature.imputation = Median.weighted(table.columns[column].numbers ?? [], weights)
      if feature.imputation == nil { throw unsuitable("column \(name(column)) has no value: --ignore it") }
    }
    return feature
  }
}

/// The weighted median of the finite values: a weight of 2 counts as two values.
package enum Median {
  /// `nil` when no value has a positive weight.
  package static func weighted(_ values: [Double], _ weights: [Double]?) -> Double? {
    let entries = values.indices
      .filter { values[$0].isFinite && (weights?[$0] ?? 1) > 0 }
      .sorted { values[$0] < values[$1] }
    let largest = entries.reduce(0.0) { max($0, weights?[$1] ?? 1) }
    guard largest > 0 else { return nil }
    let half = entries.reduce(0.0) { $0 + (weights?[$1] ?? 1) / largest } / 2
    var below = 0.0
    for (place, index) in entries.enumerated() {
      below += (weights?[index] ?? 1) / largest
      if below > half || place == entries.count - 1 { return values[index] }
      if below == half { return values[index] / 2 + values[entries[place + 1]] / 2 }
    }
    return nil
  }
}
