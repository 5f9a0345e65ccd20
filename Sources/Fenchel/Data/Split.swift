import LinearAlgebra

/// Rows divided at random, the same way for the same seed on every machine.
///
/// Each row gets a random key from (seed, row) by `Philox`, so that no state is carried; the rows of
/// each class are taken in the order of their keys, so that all parts have the classes in equal shares.
public struct Split: Sendable, Equatable {
  public var train: [Int]
  public var test: [Int]

  /// Holds back about `fraction` of the rows, in (0, 1), of each class (`strata`: the class of each row) or of all.
  /// Every class keeps at least one row for training. Indices rise in both parts.
  ///
  /// Errors: `DataError.option` when the fraction is out of range or leaves a part empty.
  public init(rows: Int, testFraction fraction: Double, seed: UInt64, strata: [Int32]? = nil) throws {
    guard fraction > 0, fraction < 1 else {
      throw DataError.option("--test", "the fraction must lie between 0 and 1, not \(fraction)")
    }
    var test: [Int] = []
    for group in Self.groups(rows: rows, seed: seed, strata: strata) {
      let wanted = Int((Double(group.count) * fraction).rounded())
      test += group.prefix(min(wanted, group.count - 1))
    }
    guard !test.isEmpty, test.count < rows else {
      throw DataError.option(
        "--test", "a fraction of \(fraction) of \(counted(rows, "row")) leaves one part empty")
    }
    let held = Set(test)
    self.test = test.sorted()
    train = (0..<rows).filter { !held.contains($0) }
  }

  init(train: [Int], test: [Int]) {
    self.train = train
    self.test = test
  }

  /// The k splits of a cross-validation: every row is tested once, the classes are spread evenly.
  ///
  /// Errors: `DataError.option` unless 2 ≤ k ≤ rows.
  public static func folds(_ k: Int, rows: Int, seed: UInt64, strata: [Int32]? = nil) throws -> [Split] {
    guard k >= 2, k <= rows else {
      throw DataError.option(
        "--folds",
        "\(k) folds of \(counted(rows, "row")): there must be at least 2 and at most one a row")
    }
    var fold = [Int](repeating: 0, count: rows)
    var next = 0
    for row in groups(rows: rows, seed: seed, strata: strata).joined() {
      fold[row] = next
      next = (next + 1) % k
    }
    return (0..<k).map { part in
      Split(train: (0..<rows).filter { fold[$0] != part }, test: (0..<rows).filter { fold[$0] == part })
    }
  }

  /// The rows of each class in random order.
  private static func groups(rows: Int, seed: UInt64, strata: [Int32]?) -> [[Int]] {
    let random = Philox(seed: seed, stream: stream)
    var groups: [Int32: [Int]] = [:]
    for row in 0..<rows { groups[strata?[row] ?? 0, default: []].append(row) }
    return groups.sorted { $0.key < $1.key }.map { _, members in
      members.map { (random.bits(at: UInt64($0)), $0) }.sorted { $0 < $1 }.map(\.1)
    }
  }

  /// The stream of random numbers that belongs to splits.
  private static let stream: UInt64 = 0x73_706C_6974
}

extension Table {
  /// The class of each row in a column, numbered by first appearance: strata for `Split`. `nil` when the schema's
  /// task is regression.
  public func strata(_ schema: Schema) throws -> [Int32]? {
    guard schema.task == .classification else { return nil }
    let matched = try schema.match(self, needsTargets: true)
    return CategoryLookup(schema.classes).codes(matched.targets[0])
  }

  /// This table cut in two, stratified by class when the task is classification.
  ///
  /// Errors: as of `Split` and of `Schema`'s inference, which finds the task.
  public func split(
    testFraction fraction: Double, seed: UInt64, options: SchemaOptions = SchemaOptions()
  ) throws -> (train: Table, test: Table) {
    try split(testFraction: fraction, seed: seed, schema: Schema(inferredFrom: self, options: options))
  }

  /// The same for a schema that is known, as from a model file.
  public func split(
    testFraction fraction: Double, seed: UInt64, schema: Schema
  ) throws -> (train: Table, test: Table) {
    let split = try Split(rows: rows, testFraction: fraction, seed: seed, strata: try strata(schema))
    return (selectingRows(split.train), selectingRows(split.test))
  }

  /// This table cut in two, as data for `train`: the schema is that of the training part. `train(parts.train, test: parts.test)`
  /// trains on one and scores both.
  ///
  /// Errors: as of `split`, and `DataError` for columns that cannot be used.
  public func datasets(
    testFraction fraction: Double, seed: UInt64 = 0, options: SchemaOptions = SchemaOptions()
  ) throws -> (train: Dataset<Double>, test: Dataset<Double>) {
    let parts = try split(testFraction: fraction, seed: seed, options: options)
    let schema = try Schema(inferredFrom: parts.train, options: options)
    return (try schema.dataset(from: parts.train), try schema.dataset(from: parts.test))
  }
}
