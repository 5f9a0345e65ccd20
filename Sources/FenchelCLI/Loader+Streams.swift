import Fenchel

extension Loader {
  /// Whether rows are to stay in their file: asked for, or where memory would not hold them all and the training can do
  /// with batches.
  func readsInBatches(_ location: String, isAskedFor: Bool) -> Bool {
    if isAskedFor { return true }
    guard columns.classWeight == nil, columns.impute == nil,
      let (rows, width) = StreamedTable.glance(location, options: readOptions()),
      (try? settings.checkStream(rows: rows)) != nil
    else { return false }
    let element = settings.precision == .float ? 4.0 : 8
    // As read, as features, scaled, with the constant of the bias; and in the precision of the training.
    return Double(rows) * Double(width) * (4 * 8 + 2 * element) > Double(memoryLimit)
  }

  /// The rows to train on and to test on, as `trainingData` finds them, but left in their files.
  ///
  /// - Throws: `UsageError` for options that need all rows at once.
  func streamedData(from location: String, test: String?) throws -> (StreamedData, StreamedData?) {
    guard columns.classWeight == nil, columns.impute == nil else {
      throw UsageError(
        "\(columns.impute == nil ? "--class-weight" : "--impute") needs all rows in memory; leave it away for data in a stream"
      )
    }
    let options = try schemaOptions()
    let table = try table(location, targetFile: columns.targetFile, .train)
    if let fraction = test.flatMap({ Double($0) }) {
      guard fraction > 0, fraction < 1 else {
        throw UsageError("--test \(fraction) must be a file, or a fraction between 0 and 1")
      }
      let parts = try StreamedData.split(
        table, testFraction: fraction, seed: settings.seed, options: options, schema: start?.model.schema)
      return (parts.train, parts.test)
    }
    let training = try startSchema(table, options) ?? StreamedData(table, options: options)
    let hasTestPart = DataCatalogue.entry(location)?.testRows != nil
    let testing =
      try test.map { try self.table($0, targetFile: nil, .train) }
      ?? (hasTestPart ? Self.ifPresent { try self.table(location, targetFile: nil, .test) } : nil)
    return (training, testing.map { StreamedData($0, schema: training.schema) })
  }

  private func startSchema(_ table: StreamedTable, _ options: SchemaOptions) throws -> StreamedData? {
    guard let start else { return nil }
    let data = StreamedData(table, schema: start.model.schema)
    guard columns.saysRoles else { return data }
    try checkRoles(StreamedData(table, options: options).schema, of: table.source, start)
    return data
  }

  private func table(_ location: String, targetFile: String?, _ part: DataPart) throws -> StreamedTable {
    var options = readOptions()
    options.part = part
    options.textColumns = Set(try schemaOptions().categorical).union(start?.model.schema.textColumns ?? [])
    let table = try StreamedTable.open(location, options: options)
    return try targetFile.map { try table.joined(with: StreamedTable.open($0, options: options)) } ?? table
  }

  private func readOptions() -> ReadOptions {
    var options = ReadOptions()
    options.hasHeader = reading.header
    options.format = reading.format.flatMap { FileFormat(rawValue: $0.rawValue) }
    options.memoryLimit = memoryLimit
    return options
  }
}
