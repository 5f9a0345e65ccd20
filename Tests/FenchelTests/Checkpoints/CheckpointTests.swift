import ConvexOptimization
import Fenchel
import FoundationEssentials
import LinearAlgebra
import Testing

/// Checkpoints that are damaged, or of another training, are refused in one line; none of them traps.
@Suite struct CheckpointTests {
  private let run = ResumableRun(.mlp) { ($0.batchSize, $0.hidden, $0.epochs) = (40, [2], 1) }

  private func checkpoint(_ run: ResumableRun) throws -> Checkpoint {
    try withFolder { folder in
      _ = try train(
        run.data(), settings: run.settings, checkpoints: CheckpointKeeper(path: folder + "/c"))
      return try Checkpoint(contentsOf: folder + "/c")
    }
  }

  /// The message of going on with a checkpoint.
  private func refusal(_ checkpoint: Checkpoint, _ run: ResumableRun) throws -> String {
    let data = try run.data()
    do {
      _ = try train(
        data, settings: run.settings,
        checkpoints: CheckpointKeeper(path: "/dev/null", interval: 1e9, resuming: checkpoint))
    } catch let error as CheckpointError {
      #expect(!error.description.contains("\n"))
      return error.description
    }
    return "taken up"
  }

  @Test func everyByteCounts() throws {
    try withFolder { folder in
      let bytes = try checkpoint(run).encoded()
      for place in stride(from: 0, to: bytes.count, by: 7) {
        var flipped = bytes
        flipped[place] ^= 1 << UInt8(place % 8)
        try write(flipped, folder + "/c")
        #expect(throws: CheckpointError.self, "byte \(place)") { try Checkpoint(contentsOf: folder + "/c") }
        try write(Array(bytes[..<place]), folder + "/c")
        #expect(throws: CheckpointError.self, "cut at \(place)") { try Checkpoint(contentsOf: folder + "/c") }
      }
    }
  }

  @Test func otherFiles() throws {
    try withFolder { folder in
      let model = try train(run.data(), settings: run.settings).model
      try model.write(to: folder + "/m")
      #expect(throws: CheckpointError.model(path: folder + "/m")) {
        try Checkpoint(contentsOf: folder + "/m")
      }
      #expect(throws: CheckpointError.self) { try Checkpoint(contentsOf: folder + "/absent") }
      #expect(throws: CheckpointError.self) { try Checkpoint(contentsOf: folder) }
      for (key, value) in [
        ("fenchel", "0.0.9"), ("checkpoint", "\(Checkpoint.formatVersion - 1)"),
        ("checkpoint", "\(Checkpoint.formatVersion + 1)"),
      ] {
        var file = try Safetensors(decoding: checkpoint(run).encoded())
        file.metadata[key] = value
        try write(file.encoded(), folder + "/c")
        #expect {
          try Checkpoint(contentsOf: folder + "/c")
        } throws: { "\($0)".contains("made by version") }
      }
      try checkpoint(run).write(to: folder + "/c")
      #expect { try ModelFile(contentsOf: folder + "/c") } throws: { "\($0)".contains("--resume") }
    }
  }

  /// Tensors that are missing, too many, of other shapes or types, or hold numbers that make no sense.
  @Test(arguments: ResumeTests.runs)
  func tensorsThatDoNotFit(run: ResumableRun) throws {
    let good = try checkpoint(run)
    for (name, tensor) in good.state {
      var other = good
      other.state[name] = nil
      #expect(try refusal(other, run).contains("not a usable checkpoint"), "without \(name)")
      other.state[name] = Tensor(shape: [1], .uint8([1]))
      #expect(try refusal(other, run).contains("not a usable checkpoint"), "\(name) of another kind")
      if case .int64 = tensor.values {
        for number in [-1, Int64.max, 1 << 50] {
          other.state[name] = Tensor(shape: [], .int64([number]))
          #expect(try refusal(other, run).contains("not a usable checkpoint"), "\(name) = \(number)")
        }
        // Other numbers in range must not trap, whatever comes out.
        other.state[name] = Tensor(shape: [], .int64([12345]))
        _ = try? refusal(other, run)
      }
    }
    var other = good
    other.state["what"] = Tensor(shape: [], .int64([1]))
    #expect(try refusal(other, run).contains("what belongs to no such training"))
  }

  @Test func otherSettings() throws {
    let good = try checkpoint(run)
    func refusal(_ change: (inout TrainingSettings) -> Void) throws -> String {
      var other = run
      change(&other.settings)
      return try self.refusal(good, other)
    }
    #expect(try refusal { $0.layers?.learningRate = 0.5 }.contains("learning-rate unset, not 0.5"))
    #expect(try refusal { $0.layers?.hidden = [3] }.contains("hidden 2, not 3"))
    #expect(try refusal { $0.seed = 6 }.contains("seed 5, not 6"))
    #expect(try refusal { $0.model = .contrastive }.contains("model mlp, not contrastive"))
    #expect(try refusal { $0.precision = .double }.contains("precision float, not double"))
    #expect(try refusal { $0.layers?.schedule = .inverseSquareRoot }.contains("schedule constant"))
    #expect(try refusal { $0.loss = .squared }.contains("loss softmax, not squared"))
    #expect(try refusal { $0.loss = .softmax } == "taken up")
    #expect(try refusal { ($0.threads, $0.timeLimit, $0.maxMemory) = (1, 1e6, 1e12) } == "taken up")
  }

  @Test func otherData() throws {
    let good = try checkpoint(run)
    let keeper = { CheckpointKeeper(path: "c", interval: 1e9, resuming: good) }
    var changes: [(inout Dataset<Double>) -> Void] = []
    changes.append { $0.sha256 = "other" }
    changes.append { $0 = $0.selectingRows(Array(0..<89)) }
    changes.append { $0.sampleWeights[3] = 5 }
    changes.append { $0.features[0, 0] += 1 }
    for change in changes {
      var data = try run.data()
      change(&data)
      #expect(throws: CheckpointError.data(path: "c", source: "iris")) {
        try train(data, settings: run.settings, checkpoints: keeper())
      }
    }
    var convex = TrainingSettings()
    convex.patterns = .sampled(3)
    #expect(throws: CheckpointError.convexProgram(.relu)) {
      try train(run.data(), settings: convex, checkpoints: keeper())
    }
  }
}
