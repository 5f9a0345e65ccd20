import ConvexOptimization
import Fenchel
import LinearAlgebra
import Testing

@Suite struct GeneratorFileTests {
  /// A generator of a few kilobytes: pictures of 2 × 2 and 3 × 3 pixels.
  private static func small(_ kind: GeneratorKind = .linear) throws -> GeneratorFile {
    var settings = GeneratorSettings()
    (settings.kind, settings.sizes, settings.β) = (kind, [2, 3], .ratio(0.2))
    let images = GenerativeTrainingTests.blobs(12, height: 6, width: 6)
    return GeneratorFile(try GenerativeTraining(settings).run(images))
  }

  /// The generator with a part of its file exchanged, and a checksum that fits.
  private func forged(_ change: (inout Safetensors) -> Void) throws -> [UInt8] {
    var file = try Safetensors(decoding: Self.small().encoded())
    change(&file)
    return file.encoded()
  }

  @Test(arguments: [GeneratorKind.linear, .relu])
  func whatIsWrittenReadsBack(kind: GeneratorKind) throws {
    let file = try Self.small(kind)
    let bytes = try file.encoded()
    let read = try GeneratorFile(decoding: bytes)
    #expect(read == file && read.generator.stages.count == 2)
    #expect(try read.encoded() == bytes)
    let noise = file.generator.noise(5, seed: 8)
    #expect(read.generator.pictures(noise) == file.generator.pictures(noise))
  }

  @Test func everyTruncationIsAnError() throws {
    let bytes = try Self.small().encoded()
    for count in 0..<bytes.count {
      #expect(throws: ModelFileError.self) { try GeneratorFile(decoding: Array(bytes[..<count])) }
    }
  }

  @Test func everyByteFlipIsAnErrorOrChangesNothing() throws {
    let file = try Self.small()
    let bytes = try file.encoded()
    for index in bytes.indices {
      for mask: UInt8 in [0x01, 0x80, 0xff] {
        var damaged = bytes
        damaged[index] ^= mask
        guard let read = try? GeneratorFile(decoding: damaged) else { continue }
        #expect(read == file, "byte \(index)")
      }
    }
  }

  @Test func aNewerFormatNamesItsMaker() throws {
    let bytes = try forged { ($0.metadata["generator"], $0.metadata["fenchel"]) = ("2", "9.1.0") }
    let error = #expect(throws: ModelFileError.self) { try GeneratorFile(decoding: bytes, source: "g") }
    #expect(error == .newer(path: "g", madeBy: "9.1.0"))
  }

  /// Parts that are well formed and do not belong together must not reach the products.
  @Test func partsThatDoNotFitAreErrors() throws {
    func stages(_ text: String, _ other: String) -> (inout Safetensors) -> Void {
      { $0.metadata["stages"] = $0.metadata["stages"]?.replacing(text, with: other) }
    }
    let changes: [(inout Safetensors) -> Void] = [
      { $0.metadata["generator"] = nil }, { $0.metadata["generator"] = "x" },
      { $0.metadata["fenchel"] = "nothing" },
      { $0.metadata["stages"] = "[]" }, { $0.metadata["stages"] = nil }, { $0.metadata["stages"] = "{" },
      { $0.metadata["report"] = "{}" }, { $0.metadata["report"] = nil },
      stages("\"size\":2", "\"size\":3"), stages("\"size\":3", "\"size\":1"),
      stages("\"size\":3", "\"size\":4611686018427387904"), stages("\"size\":3", "\"size\":-3"),
      stages("\"scale\":1,", "\"scale\":0,"), stages("\"scale\":1,", "\"scale\":-1,"),
      { $0.metadata["report"] = $0.metadata["report"]?.replacing("\"noise\":", with: "\"noise\":1") },
      { $0.metadata["report"] = $0.metadata["report"]?.replacing("\"noise\":", with: "\"noise\":-") },
      { $0.tensors["stage.0.mean"] = nil }, { $0.tensors["stage.1.directions"] = nil },
      { $0.tensors["stage.0.mean"] = Tensor(Matrix(1, 4, fill: 1)) },
      { $0.tensors["stage.0.mean"] = Tensor(shape: [4], .float64([0, 1, .nan, 0])) },
      { $0.tensors["stage.1.directions"] = Tensor(Matrix(1, 9, fill: 1)) },
      { $0.tensors["stage.1.directions"] = Tensor(Matrix(2, 8, fill: 1)) },
      { $0.tensors["stage.1.layer.0.weight"] = nil },
      { file in
        guard let weights = file.tensors["stage.1.layer.0.weight"]?.matrix else { return }
        let wider = Matrix(weights.rows + 1, weights.columns, fill: 1.0)
        file.tensors["stage.1.layer.0.weight"] = Tensor(wider)
      },
      { file in
        guard let weights = file.tensors["stage.1.layer.0.weight"]?.matrix else { return }
        let wider = Matrix(weights.rows, weights.columns + 1, fill: 1.0)
        file.tensors["stage.1.layer.0.weight"] = Tensor(wider)
      },
    ]
    for (index, change) in changes.enumerated() {
      let bytes = try forged(change)
      #expect(try bytes != Self.small().encoded(), "change \(index) changed nothing")
      #expect(throws: ModelFileError.self, "change \(index)") { try GeneratorFile(decoding: bytes) }
    }
  }

  @Test func filesOfOtherContentAreNamed() throws {
    let bytes = try Self.small().encoded()
    let asModel = #expect(throws: ModelFileError.self) { try ModelFile(decoding: bytes, source: "g") }
    #expect(asModel?.description.contains("a generator of pictures") == true)
    let model = Safetensors(metadata: ["format": "1", "fenchel": "0.1.0"]).encoded()
    let asGenerator = #expect(throws: ModelFileError.self) { try GeneratorFile(decoding: model, source: "m") }
    #expect(asGenerator?.description.contains("a model of a network") == true)
    let other = Safetensors(tensors: ["a": Tensor(shape: [1], .uint8([1]))]).encoded()
    #expect(throws: ModelFileError.self) { try GeneratorFile(decoding: other) }
    #expect(throws: ModelFileError.self) { try GeneratorFile(contentsOf: "/no/such/generator") }
    #expect(throws: ModelFileError.self) { try SavedModel(contentsOf: "/no/such/generator") }
  }
}
