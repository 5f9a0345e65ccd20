import Fenchel
import LinearAlgebra
import Testing

/// The big sets, where this machine has them.
@Suite struct RealDataTests {
  private static func has(_ name: String) -> Bool { DataCatalogue.entry(name)?.folder != nil }

  private func read(_ name: String, _ part: DataPart) throws -> Table {
    var options = ReadOptions()
    options.part = part
    return try Table.read(name, options: options)
  }

  @Test(
    .enabled(if: has("mnist"), "mnist is not here (set FENCHEL_DATA, or: fenchel data fetch mnist)"))
  func mnist() throws {
    let train = try read("mnist", .train)
    #expect(train.rows == 60_000 && train.numbers("label")?.prefix(5) == [5, 0, 4, 1, 9])
    let schema = try Schema(inferredFrom: train)
    #expect(schema.width == 784 && schema.imageShape == ImageShape(channels: 1, height: 28, width: 28))
    let test = try read("mnist", .test)
    let data = try schema.dataset(from: test, as: Float.self)
    let sum = data.features.storage.reduce(0.0) { sum, pixel in sum + Double(pixel) }
    #expect(sum == 264_923_200)
    #expect(data.rows == 10_000)
  }

  @Test(
    .enabled(if: has("fashion-mnist"), "fashion-mnist is not here (set FENCHEL_DATA, or fetch it)"),
    arguments: [(DataPart.train, 6000), (.test, 1000)])
  func fashion(part: DataPart, count: Int) throws {
    let labels = try read("fashion-mnist", part).numbers("label") ?? []
    #expect((0..<10).allSatisfy { k in labels.count { $0 == Double(k) } == count })
  }

  @Test(.enabled(if: has("cifar-10"), "cifar-10 is not here (set FENCHEL_DATA, or fetch it)"))
  func cifar() throws {
    #expect(try read("cifar-10", .train).numbers("label")?.prefix(5) == [6, 9, 9, 4, 1])
    let test = try read("cifar-10", .test)
    #expect(test.numbers("label")?.prefix(5) == [3, 8, 8, 0, 6])
    #expect(test.rows == 10_000 && test.columns.count == 3073)
  }
}
