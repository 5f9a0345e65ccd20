import Fenchel
import LinearAlgebra

/// Reads data as the options say.
struct Loader {
  var columns: ColumnOptions
  var reading: ReadingOptions
  var printing: OutputOptions
  var settings: TrainingSettings
  /// The model whose way of reading tables is to be followed, where training goes on from one.
  var start: InitialModel?

  /// The table behind a location, as `--format` and `--header` say.
  static func table(
    _ location: String, _ reading: ReadingOptions, _ printing: OutputOptions, part: DataPart = .train,
    textColumns: Set<String> = [], memoryLimit: Int? = nil
  ) throws -> Table {
    var options = ReadOptions()
    options.hasHeader = reading.header
    options.format = reading.format.flatMap { FileFormat(rawValue: $0.rawValue) }
    options.part = part
    options.textColumns = textColumns
    if let memoryLimit { options.memoryLimit = memoryLimit }
    return try Table.read(location, options: options)
  }

  /// The rows to train on and, where `test` names a file, a fraction or nothing for sets with a test part of their
  /// own, those to test on. The schema is that of the training rows.
  func trainingData(from location: String, test: String?) throws -> (Dataset<Double>, Dataset<Double>?) {
    let options = try schemaOptions()
    let text = Set(options.categorical).union(start?.model.schema.textColumns ?? [])
    let table = try Loader.joined(
      Loader.table(location, reading, printing, textColumns: text, memoryLimit: memoryLimit),
      targetFile: columns.targetFile, reading, printing)
    let (trainTable, testTable) = try parts(of: table, location, test, options)
    let schema = try startSchema(trainTable, options) ?? Schema(inferredFrom: trainTable, options: options)
    var training: Dataset<Double> = try schema.dataset(
      from: trainTable, classWeights: options.classWeights, memoryLimit: memoryLimit)
    training.notices += training.oddities()
    let testing: Dataset<Double>? = try testTable.map {
      try schema.dataset(from: $0, memoryLimit: memoryLimit)
    }
    return (training, testing)
  }

  /// The schema of the model that training goes on from. Options that say how columns are read must agree with it.
  private func startSchema(_ table: Table, _ options: SchemaOptions) throws -> Schema? {
    guard let start else { return nil }
    guard columns.saysRoles else { return start.model.schema }
    try checkRoles(Schema(inferredFrom: table, options: options), of: table.source, start)
    return start.model.schema
  }

  /// Throws where a schema gives the columns other roles than a model did.
  func checkRoles(_ schema: Schema, of source: String, _ start: InitialModel) throws {
    guard schema.hasSameRoles(as: start.model.schema) else {
      throw UsageError(
        "the options read the columns of \(source) in another way than \(start.source) did; leave --target, "
          + "--task, --weights, --ignore and --categorical to the model of --init")
    }
  }

  var memoryLimit: Int { settings.memoryLimit }

  /// The part of the data that a trained model is asked about: the test part of a known set that has one.
  static func partToScore(_ source: String) -> DataPart {
    DataCatalogue.entry(source)?.testRows == nil ? .train : .test
  }

  /// The data of a table read as a model's schema says.
  static func dataset(
    _ location: String, schema: Schema, _ reading: ReadingOptions, _ printing: OutputOptions,
    targets: TargetPolicy, part: DataPart = .train, targetFile: String? = nil
  ) throws -> Dataset<Double> {
    let table = try joined(
      table(location, reading, printing, part: part, textColumns: schema.textColumns), targetFile: targetFile,
      reading, printing)
    return try schema.dataset(from: table, targets: targets)
  }

  func schemaOptions() throws -> SchemaOptions {
    var options = SchemaOptions()
    options.targets = commaSeparated(columns.target)
    options.ignore = commaSeparated(columns.ignore)
    options.categorical = commaSeparated(columns.categorical)
    options.imputesMedian = columns.impute == .median
    options.weights = columns.weights
    options.classWeights = try columns.classWeights()
    options.task = columns.task.flatMap { LearningTask(rawValue: $0.rawValue) }
    return options
  }

  /// The table with the columns of `--target-file` after its own.
  static func joined(
    _ table: Table, targetFile: String?, _ reading: ReadingOptions, _ printing: OutputOptions
  ) throws -> Table {
    guard let targetFile else { return table }
    let targets = try Loader.table(targetFile, reading, printing)
    guard targets.rows == table.rows else {
      throw DataError.unsuitable(
        source: targetFile, "\(targets.rows) rows of targets for \(table.rows) rows of data")
    }
    let first = table.columns.count
    var joined = Table(
      source: table.source, names: table.names + targets.names.map { "target \($0)" },
      columns: table.columns + targets.columns,
      defaultTargets: Array(first..<first + targets.columns.count))
    joined.sha256 = table.sha256
    joined.hasNames = table.hasNames
    return joined
  }

  /// The test part of a known set; nil where there is none.
  static func ifPresent<Part>(_ read: () throws -> Part) throws -> Part? {
    do { return try read() } catch DataError.noTestPart { return nil }
  }

  private func parts(
    of table: Table, _ location: String, _ test: String?, _ options: SchemaOptions
  ) throws -> (Table, Table?) {
    guard let test else {
      guard let entry = DataCatalogue.entry(location), entry.testRows != nil else { return (table, nil) }
      return (
        table,
        try Self.ifPresent {
          try Loader.table(location, reading, printing, part: .test, memoryLimit: memoryLimit)
        }
      )
    }
    guard let fraction = Double(test) else {
      return (table, try Loader.table(test, reading, printing, memoryLimit: memoryLimit))
    }
    guard fraction > 0, fraction < 1 else {
      throw UsageError("--test \(test) must be a file, or a fraction between 0 and 1")
    }
    let schema = try start?.model.schema ?? Schema(inferredFrom: table, options: options)
    let parts = try table.split(testFraction: fraction, seed: settings.seed, schema: schema)
    return (parts.train, parts.test)
  }
}

/// The gates in a file: `.npy`, or `.csv` without a header; one vector a row.
func readGates(_ path: String) throws -> Matrix<Double> {
  var options = ReadOptions()
  options.hasHeader = false
  let table = try Table.read(path, options: options)
  var gates = Matrix<Double>(table.rows, table.columns.count)
  for (j, column) in table.columns.enumerated() {
    guard let numbers = column.numbers else {
      throw DataError.unsuitable(source: path, "column \(j + 1) of the gates is not numeric")
    }
    gates.setColumn(j, numbers)
  }
  return gates
}
