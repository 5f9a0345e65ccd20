import Fenchel
import FoundationEssentials
import LinearAlgebra
import Testing

@Suite struct DataCatalogueTests {
  @Test(arguments: [
    ("digits", 1797, 64, 10), ("iris", 150, 4, 3), ("wine", 178, 13, 3), ("breast-cancer", 569, 30, 2),
    ("diabetes", 442, 10, 0),
  ])
  func builtInSets(name: String, rows: Int, features: Int, classes: Int) throws {
    let table = try Table.read(name)
    let schema = try Schema(inferredFrom: table)
    let data: Dataset<Double> = try schema.dataset(from: table)
    #expect(data.features.rows == rows && data.features.columns == features)
    #expect(schema.classes.count == classes)
    let entry = try #require(DataCatalogue.entry(name))
    #expect(entry.rows == rows && entry.features == features && entry.classes ?? 0 == classes)
    #expect(entry.isBuiltIn && !entry.licence.isEmpty && entry.task == schema.task)
  }

  @Test func knownValues() throws {
    let iris = try Table.read("iris")
    #expect(iris.numbers("petal_width")?.prefix(3) == [0.2, 0.2, 0.2])
    #expect(iris.texts("species")?.last == "virginica")
    let cancer = try Table.read("breast-cancer")
    #expect(cancer.texts("diagnosis")?.count { $0 == "malignant" } == 212)
    let diabetes = try Table.read("diabetes")
    #expect(diabetes.numbers("age")?.first == 59 && diabetes.numbers("progression")?.first == 151)
    let digits = try Table.read("digits")
    #expect(digits.imageShape == ImageShape(channels: 1, height: 8, width: 8))
    #expect(digits.numbers("digit")?.prefix(4) == [0, 1, 2, 3])
    expectError(["iris: it has no test part"]) {
      var options = ReadOptions()
      options.part = .test
      return try Table.read("iris", options: options)
    }
  }

  private let good = RemoteFile(
    name: "part.bin", addresses: ["mem:bad", "mem:good"], bytes: 4, sha256: SHA256.hexDigest([UInt8]("good")))

  private func content(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(filePath: path))) }

  private func entry(_ files: [RemoteFile]) -> DataCatalogue.Entry {
    DataCatalogue.Entry(
      name: "sample", title: "", rows: 1, testRows: nil, features: 1, classes: 2, licence: "", origin: "",
      files: files)
  }

  @Test func fetchTriesEveryAddressAndKeepsOnlyTheRightFile() async throws {
    let folder = try makeFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try FileManager.default.createDirectory(atPath: "\(folder)/sample", withIntermediateDirectories: true)
    try write([1], "\(folder)/sample/.part.bin.99999999.part")
    let memory = MemoryDownloader(["mem:bad": [UInt8]("evil"), "mem:good": [UInt8]("good")])
    let paths = try await entry([good]).fetch(into: folder, using: memory)
    #expect(paths == ["\(folder)/sample/part.bin"])
    #expect(try content(paths[0]) == [UInt8]("good"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: "\(folder)/sample") == ["part.bin"])
    // What is there and right is not fetched again.
    _ = try await entry([good]).fetch(into: folder, using: MemoryDownloader([:]))
  }

  @Test func aWrongFileLeavesNothingBehind() async throws {
    let folder = try makeFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let memory = MemoryDownloader(["m/sample/part.bin": [UInt8]("evil")])
    let error = await #expect(throws: DataError.self) {
      _ = try await entry([good]).fetch(into: folder, mirror: "m", using: memory)
    }
    #expect(error?.description.contains("m/sample/part.bin: SHA-256 is") == true)
    #expect(!FileManager.default.fileExists(atPath: "\(folder)/sample"))
  }

  @Test func archivesAreUnpacked() async throws {
    let folder = try makeFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let tar = [UInt8](base64: Fixtures.tarGz)
    var file = RemoteFile(
      name: "a.tar.gz", addresses: ["mem"], bytes: tar.count, sha256: SHA256.hexDigest(tar))
    file.contents = [
      "data_batch_1.bin": SHA256.hexDigest([UInt8]("one")),
      "test_batch.bin": SHA256.hexDigest([UInt8]("two!")),
    ]
    let paths = try await entry([file]).fetch(into: folder, using: MemoryDownloader(["mem": tar]))
    #expect(paths.map { URL(filePath: $0).lastPathComponent } == ["data_batch_1.bin", "test_batch.bin"])
    #expect(try content(paths[1]) == [UInt8]("two!"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: "\(folder)/sample").count == 2)
    file.contents["missing.bin"] = ""
    await #expect(throws: DataError.self) {
      _ = try await entry([file]).fetch(into: folder, using: MemoryDownloader(["mem": tar]))
    }
  }

  @Test func aFilePackedAgainIsAsGood() throws {
    let packed = [UInt8](base64: Fixtures.gzCsv)
    let file = RemoteFile(
      name: "a.gz", addresses: [], bytes: 0, sha256: "other",
      unpackedSHA256: SHA256.hexDigest([UInt8]("a,b\n1,2\n3,4\n")))
    try file.verify(packed, source: "a.gz")
    expectError(["a.gz: SHA-256 is"]) { try file.verify([UInt8]("x"), source: "a.gz") }
  }
}

/// Serves downloads from memory.
private struct MemoryDownloader: Downloader {
  let contents: [String: [UInt8]]

  init(_ contents: [String: [UInt8]]) { self.contents = contents }

  func download(
    _ address: String, to path: String, progress: @Sendable (_ received: Int, _ total: Int?) -> Void
  ) async throws {
    guard let bytes = contents[address] else {
      throw DataError.unreadable(source: address, reason: "the server answered 404")
    }
    try write(bytes, path)
    progress(bytes.count, bytes.count)
  }
}
