import ConvexOptimization
import Fenchel
import FoundationEssentials
import LinearAlgebra
import Testing

/// The same data in memory and left in their file: the same model, bit for bit.
@Suite struct StreamedTrainingTests {
  /// 3000 rows of text with numbers, a category, classes, weights (some of them 0) and a column of no use.
  static let text: String = {
    var random = TestGenerator(5)
    var lines = ["a,b,colour,id,w,y"]
    for row in 0..<3000 {
      let (a, b) = (Double.random(in: -3...3, using: &random), Double.random(in: 0...1e6, using: &random))
      let colour = ["red", "green", "blue"].randomElement(using: &random) ?? ""
      let weight = row % 50 < 2 ? 0 : row % 7 == 0 ? 2.5 : 1
      let y = a * a + b / 1e6 + (colour == "red" ? 1 : 0)
      lines.append("\(a),\(b),\(colour),n\(row % 40),\(weight),\(y > 4 ? "high" : y > 2 ? "mid" : "low")")
    }
    return lines.joined(separator: "\n") + "\n"
  }()

  static func settings(_ model: ModelKind, _ change: (inout TrainingSettings) -> Void = { _ in })
    -> TrainingSettings
  {
    var settings = TrainingSettings()
    settings.model = model
    var layers = LayerSettings(for: model)
    (layers.hidden, layers.epochs, layers.batchSize) = ([12, 7], 3, 200)
    settings.layers = layers
    change(&settings)
    return settings
  }

  /// The models of both ways, with test data, but for what the report says of the ways.
  private func expectSame(
    _ location: String, _ options: SchemaOptions, _ settings: TrainingSettings, testFraction: Double? = 0.2
  ) throws {
    var read = ReadOptions()
    (read.textColumns, read.pieceBytes) = (Set(options.categorical), 5000)
    let table = try Table.read(location, options: read)
    let streamed = try StreamedTable.open(location, options: read)
    var (whole, held) = (table, nil as Table?)
    var (data, test): (StreamedData, StreamedData?)
    if let testFraction {
      (whole, held) = try table.split(testFraction: testFraction, seed: 3, options: options)
      (data, test) = try StreamedData.split(streamed, testFraction: testFraction, seed: 3, options: options)
    } else {
      (data, test) = (try StreamedData(streamed, options: options), nil)
    }
    let schema = try Schema(inferredFrom: whole, options: options)
    #expect(data.schema == schema && data.rows == whole.rows)
    let inMemory = try train(
      schema.dataset(from: whole), test: held.map { try schema.dataset(from: $0) }, settings: settings)
    let outOfFile = try train(data, test: test, settings: settings)
    #expect(inMemory.status == .completed && outOfFile.report.data.isStreamed == true)
    var same = outOfFile.model
    same.report.data.isStreamed = nil
    (same.report.warnings, same.report.seconds) = (inMemory.report.warnings, 0)
    #expect(same.network == inMemory.model.network, "\(settings.model)")
    #expect(same.withoutTimes == inMemory.model.withoutTimes, "\(same.report) \(inMemory.report)")
  }

  @Test(arguments: [ModelKind.mlp, .fenchel, .lpom, .contrastive], [Precision.float, .double])
  func textWithClasses(model: ModelKind, precision: Precision) throws {
    try withFolder { folder in
      try write([UInt8](Self.text), folder + "/t.csv")
      var options = SchemaOptions()
      (options.categorical, options.ignore, options.weights) = (["colour"], ["id"], "w")
      try expectSame(folder + "/t.csv", options, Self.settings(model) { $0.precision = precision })
    }
  }

  @Test(arguments: [ModelKind.mlp, .fenchel])
  func arraysWithNumbers(model: ModelKind) throws {
    try withFolder { folder in
      let x: Matrix<Double> = Philox(seed: 9).normalMatrix(2500, 6)
      try write(npy(x.converted(to: Float.self)), folder + "/a.npy")
      try expectSame(folder + "/a.npy", SchemaOptions(), Self.settings(model))
      try expectSame(
        folder + "/a.npy", SchemaOptions(),
        Self.settings(model) { ($0.standardise, $0.bias, $0.loss) = (false, false, .huber) },
        testFraction: nil)
      var several = SchemaOptions()
      several.targets = ["4", "-1"]
      try expectSame(folder + "/a.npy", several, Self.settings(model))
    }
  }

  @Test(arguments: [ModelKind.mlp, .fenchel, .lpom])
  func images(model: ModelKind) throws {
    try withFolder { folder in
      try writeImages(2300, to: folder)
      let optimizer: Optimizer = model == .mlp ? .kfac : .adam
      try expectSame(folder, SchemaOptions(), Self.settings(model) { $0.layers?.optimizer = optimizer })
    }
  }

  /// A checkpoint of data in memory goes on as a stream, and the other way round.
  @Test(arguments: [ModelKind.mlp, .fenchel])
  func aRunChangesItsWay(model: ModelKind) throws {
    try withFolder { folder in
      try writeImages(1500, to: folder)
      let settings = Self.settings(model)
      let table = try Table.read(folder)
      let data: Dataset<Double> = try Schema(inferredFrom: table).dataset(from: table)
      let streamed = try StreamedData(StreamedTable.open(folder), options: SchemaOptions())
      let whole = try train(data, settings: settings).model.network
      var kept: [Checkpoint] = []
      let keeper = CheckpointKeeper(path: folder + "/c", interval: 0)
      keeper.observer = { kept.append($0) }
      #expect(try train(data, settings: settings, checkpoints: keeper).model.network == whole)
      let fromMemory = kept[kept.count / 2]
      kept = []
      _ = try train(streamed, settings: settings, checkpoints: keeper)
      for (checkpoint, isStreamed) in [(fromMemory, true), (kept[kept.count / 2], false)] {
        let later = CheckpointKeeper(path: folder + "/d", resuming: checkpoint)
        let end =
          isStreamed
          ? try train(streamed, settings: settings, checkpoints: later)
          : try train(data, settings: settings, checkpoints: later)
        #expect(end.model.network == whole)
      }
    }
  }

  /// The model that training goes on from gives schema and scaling in both ways.
  @Test func fromAnotherModel() throws {
    try withFolder { folder in
      try write([UInt8](Self.text), folder + "/t.csv")
      var options = SchemaOptions()
      (options.categorical, options.ignore, options.weights) = (["colour"], ["id"], "w")
      var read = ReadOptions()
      read.textColumns = ["colour"]
      let table = try Table.read(folder + "/t.csv", options: read)
      let schema = try Schema(inferredFrom: table, options: options)
      let data: Dataset<Double> = try schema.dataset(from: table)
      let first = try train(data.selectingRows(Array(0..<500)), settings: Self.settings(.fenchel)).model
      let start = try InitialModel(first, source: "m")
      var settings = Self.settings(.mlp)
      settings.layers = start.layers(for: .mlp)
      settings.layers?.batchSize = 300
      let streamed = StreamedData(try StreamedTable.open(folder + "/t.csv", options: read), schema: schema)
      #expect(
        try train(data, settings: settings, from: start).model.network
          == train(streamed, settings: settings, from: start).model.network)
    }
  }

  @Test func refusals() throws {
    try withFolder { folder in
      try writeImages(300, to: folder)
      let table = try StreamedTable.open(folder)
      let data = try StreamedData(table, options: SchemaOptions())
      func refusal(_ settings: TrainingSettings) -> String {
        do {
          _ = try train(data, settings: settings)
          return "trained"
        } catch { return "\(error)" }
      }
      for model in ModelKind.allCases where model.isConvexProgram || model.needsAllSamples {
        #expect(refusal(Self.settings(model)).contains("\(model.rawValue) needs all data in memory"))
      }
      let cases: [(ModelKind, String, (inout TrainingSettings) -> Void)] = [
        (.mlp, "l-bfgs", { $0.layers?.optimizer = .lbfgs }),
        (.mlp, "lifted", { $0.layers?.initialiser = .lifted }),
        (.mlp, "--batch-size", { $0.layers?.batchSize = 300 }),
        (.fenchel, "dual", { $0.layers?.dualSteps = 1 }), (.fenchel, "gradient", { $0.loss = .hinge }),
        (.mlp, "needs", { $0.maxMemory = 1e4 }),
      ]
      for (model, why, change) in cases {
        let found = refusal(Self.settings(model, change))
        #expect(found.contains(why), "\(found)")
      }
      var medians = SchemaOptions()
      medians.imputesMedian = true
      #expect(throws: StreamError.self) { try StreamedData(table, options: medians) }
      let cancellation = Cancellation()
      cancellation.request()
      #expect(throws: StreamError.interrupted) {
        try train(data, settings: Self.settings(.mlp), cancellation: cancellation)
      }
    }
  }

  /// Missing numbers, unseen classes and the like are found in the first pass, with their line.
  @Test(arguments: [
    ("a,y\n1,0.5\n,1.5\n3,2\n4,1\n", "t.csv:3: row 2: column \"a\" is missing"),
    ("a,y\n1,0.5\n2,1.5\n3,\n4,1\n", "t.csv:4: row 3: the target \"y\" is missing"),
    ("a,y\n1,0.5\n2,x\n3,1\n", "class"), ("a,y\n1,1\n2,0\n3,1\n", "--task"),
    ("a,y\n1,p\n2,p\n3,p\n", "only class"),
    ("a,y\nr,0.5\n2,1\n3,1\n", "t.csv:2"),
  ])
  func badRows(text: String, expected: String) throws {
    try withFolder { folder in
      try write([UInt8](text), folder + "/t.csv")
      func message(_ body: () throws -> Void) -> String {
        do { try body() } catch { return "\(error)" }
        return "none"
      }
      let settings = Self.settings(.mlp) { $0.layers?.batchSize = 2 }
      let streamed = message {
        _ = try train(
          StreamedData(StreamedTable.open(folder + "/t.csv"), options: SchemaOptions()), settings: settings)
      }
      let whole = message {
        let table = try Table.read(folder + "/t.csv")
        let data: Dataset<Double> = try Schema(inferredFrom: table).dataset(from: table)
        _ = try train(data, settings: settings)
      }
      if expected != "class" { #expect(streamed.contains(expected), "\(streamed)") }
      let (first, second) = (streamed.prefix { $0 != "(" }, whole.prefix { $0 != "(" })
      #expect(first.prefix(60) == second.prefix(60), "\(streamed) \(whole)")
    }
  }
}

/// An array of numbers as NumPy writes it.
func npy(_ x: Matrix<Float>) -> [UInt8] {
  var header = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(x.rows), \(x.columns)), }"
  header += String(repeating: " ", count: 117 - header.utf8.count) + "\n"
  var bytes: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0]
  bytes += [UInt8(header.utf8.count & 255), UInt8(header.utf8.count >> 8)] + Array(header.utf8)
  x.storage.withUnsafeBytes { bytes += $0 }
  return bytes
}

/// Images of 4 × 5 pixels with their classes, as an IDX folder.
func writeImages(_ count: Int, to folder: String) throws {
  func word(_ value: Int) -> [UInt8] {
    [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
  }
  let random = Philox(seed: 4)
  let pixels = (0..<count * 20).map { UInt8(truncatingIfNeeded: random.bits(at: UInt64($0))) }
  let labels = (0..<count).map { pixels[$0 * 20] / 64 }
  try write([0, 0, 8, 3] + word(count) + word(4) + word(5) + pixels, folder + "/train-images-idx3-ubyte")
  try write([0, 0, 8, 1] + word(count) + labels, folder + "/train-labels-idx1-ubyte")
}
