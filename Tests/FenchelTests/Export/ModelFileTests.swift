import Fenchel
import LinearAlgebra
import Testing

/// A model of a few kilobytes: five rows, two features, two sampled patterns.
private func smallModel(_ patterns: PatternChoice = .sampled(2)) throws -> ModelFile {
  let table = Table(
    source: "five rows", names: ["a", "b", "y"],
    columns: [
      .numbers([0, 1, 2, 3, 4.5]), .numbers([1, -1, 0.5, 2, 0]), .numbers([0.5, 1.5, 2.25, 3, 5]),
    ])
  var options = SchemaOptions()
  options.task = .regression
  let data: Dataset<Double> = try Schema(inferredFrom: table, options: options).dataset(from: table)
  var settings = TrainingSettings()
  settings.patterns = patterns
  settings.model = .gatedReLU
  return try train(data, settings: settings).model
}

private func decoded(_ bytes: [UInt8]) -> ModelFile? { try? ModelFile(decoding: bytes) }

/// The model with a part of its file exchanged, and a checksum that fits.
private func forged(_ change: (inout Safetensors) -> Void) throws -> [UInt8] {
  var file = try Safetensors(decoding: smallModel().encoded())
  change(&file)
  return file.encoded()
}

@Suite struct ModelFileTests {
  @Test(arguments: [PatternChoice.sampled(2), .gates(Matrix(rows: [[1, 0], [-1, 2]]))])
  func whatIsWrittenReadsBack(patterns: PatternChoice) throws {
    let model = try smallModel(patterns)
    let bytes = try model.encoded()
    let read = try ModelFile(decoding: bytes)
    #expect(read.network == model.network)
    #expect(read.schema == model.schema)
    #expect(read.scaling == model.scaling)
    #expect(read.report == model.report)
    #expect(read.settings.patterns == patterns)
    #expect(read.certificate == model.certificate)
    #expect(try read.encoded() == bytes)
  }

  @Test(arguments: Activation.names + ["leaky-relu:0.25", "soft-threshold:0.5"])
  func everyActivationReadsBack(name: String) throws {
    var model = try smallModel()
    let activation = try #require(Activation(name))
    model.network = try Network(layers: [
      .dense(Dense(weights: Matrix(rows: [[1, -2, 0.5], [0.25, 3, -1]]))), .activation(activation),
      .dense(Dense(weights: Matrix(rows: [[1], [2], [-1]]))),
    ])
    #expect(try ModelFile(decoding: model.encoded()).network == model.network)
  }

  @Test func everyTruncationIsAnError() throws {
    let bytes = try smallModel().encoded()
    for count in 0..<bytes.count {
      #expect(throws: ModelFileError.self) { try ModelFile(decoding: Array(bytes[..<count])) }
    }
  }

  @Test func everyByteFlipIsAnErrorOrChangesNothing() throws {
    let model = try smallModel()
    let bytes = try model.encoded()
    for index in bytes.indices {
      for mask: UInt8 in [0x01, 0x10, 0x80, 0xff] {
        var damaged = bytes
        damaged[index] ^= mask
        guard let read = decoded(damaged) else { continue }
        #expect(read.network == model.network && read.report == model.report, "byte \(index)")
      }
    }
  }

  @Test func aNewerFormatNamesItsMaker() throws {
    let bytes = try forged { file in
      file.metadata["format"] = "2"
      file.metadata["fenchel"] = "9.1.0"
    }
    let error = #expect(throws: ModelFileError.self) { try ModelFile(decoding: bytes, source: "m") }
    #expect(error == .newer(path: "m", madeBy: "9.1.0"))
    #expect(error?.description.contains("9.1.0") == true)
  }

  @Test(arguments: ["format", "fenchel", "network", "schema", "scaling", "report"])
  func missingOrOddMetadataAreErrors(key: String) throws {
    for value in [nil, "", "null", "{}", "[]", "{\"a\":1,\"a\":1}", String(repeating: "[", count: 100_000)] {
      let bytes = try forged { $0.metadata[key] = value }
      #expect(throws: ModelFileError.self, "\(key) = \(value ?? "nil")") { try ModelFile(decoding: bytes) }
    }
  }

  @Test(arguments: [Double.nan, .infinity, -.infinity])
  func weightsThatAreNoNumbersAreErrors(value: Double) throws {
    for name in ["layer.0.weight", "layer.0.gates", "certificate.theta"] {
      let bytes = try forged { file in
        guard let tensor = file.tensors[name], case .float64(var values) = tensor.values else {
          Issue.record("no tensor \(name)")
          return
        }
        values[0] = value
        file.tensors[name] = Tensor(shape: tensor.shape, .float64(values))
      }
      #expect(throws: ModelFileError.self) { try ModelFile(decoding: bytes) }
    }
  }

  /// Parts that are well formed and do not belong together must not reach the products.
  @Test func partsThatDoNotFitAreErrors() throws {
    let changes: [(inout Safetensors) -> Void] = [
      { $0.tensors["layer.0.gates"] = Tensor(Matrix(2, 4, fill: 1)) },
      { $0.tensors["layer.0.gates"] = Tensor(Matrix(0, 0)) },
      { $0.tensors["layer.0.gates"] = Tensor(shape: [1 << 40, 1 << 20, 0], .float64([])) },
      { $0.tensors["layer.0.gates"] = Tensor(shape: [3], .float64([1, 2, 3])) },
      { $0.tensors["layer.0.gates"] = Tensor(shape: [1, 1], .uint8([1])) },
      { $0.tensors["layer.0.weight"] = nil },
      { $0.metadata["network"] = #"[{"kind":"relu"}]"# },
      { $0.metadata["network"] = #"[{"kind":"perceptron"}]"# },
      { $0.metadata["network"] = "[]" },
      { $0.metadata["scaling"] = $0.metadata["scaling"]?.replacing("\"scale\":[", with: "\"scale\":[0,") },
      {
        $0.metadata["scaling"] =
          #"{"features":{"mean":[0,0],"scale":[0,1]},"targets":{"mean":[0],"scale":[1]}}"#
      },
      {
        $0.metadata["scaling"] =
          #"{"features":{"mean":[0],"scale":[1]},"targets":{"mean":[0],"scale":[1]}}"#
      },
      { $0.metadata["schema"] = $0.metadata["schema"]?.replacing("regression", with: "classification") },
    ]
    for (index, change) in changes.enumerated() {
      let bytes = try forged(change)
      #expect(throws: ModelFileError.self, "change \(index)") { try ModelFile(decoding: bytes) }
    }
  }

  @Test func aFileOfOthersIsNotAModel() throws {
    let bytes = Safetensors(tensors: ["a": Tensor(shape: [1], .uint8([1]))]).encoded()
    #expect(throws: ModelFileError.self) { try ModelFile(decoding: bytes) }
    #expect(throws: ModelFileError.self) { try ModelFile(contentsOf: "/no/such/model") }
    #expect(throws: ModelFileError.self) { try ModelFile(contentsOf: "/") }
  }

  @Test func reportsSurviveNumbersThatJSONDoesNotHave() throws {
    var model = try smallModel()
    model.report.certificate?.dual = -.infinity
    model.report.network.objective = .nan
    model.report.train.accuracy = .nan
    model.report.train.rmse = .infinity
    let read = try ModelFile(decoding: model.encoded())
    #expect((read.report.certificate?.dual ?? .nan).isNaN && read.report.network.objective.isNaN)
    #expect(read.report.train.rmse == .infinity && read.report.train.accuracy?.isNaN == true)
  }
}
