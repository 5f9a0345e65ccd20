/// Reads data sets that are folders of files: IDX pairs (MNIST's names) and CIFAR binaries, each packed with
/// gzip or not.
struct FolderReader {
  let folder: String
  let source: String
  let options: ReadOptions
  private var hash = SHA256()

  /// The part of the data set that `options.part` names; `source` is what messages and the table call it.
  static func read(_ folder: String, source: String, options: ReadOptions) throws -> Table {
    var reader = FolderReader(folder: folder, source: source, options: options)
    var table = try reader.table()
    table.source = source
    table.sha256 = reader.hash.hexDigest()
    return table
  }

  private init(folder: String, source: String, options: ReadOptions) {
    self.folder = folder
    self.source = source
    self.options = options
  }

  private mutating func table() throws -> Table {
    let isTrain = options.part == .train
    for separator in ["-", "."] {
      let stem = isTrain ? "train" : "t10k"
      if let images = path("\(stem)-images\(separator)idx3-ubyte") {
        return try imagesAndLabels(images, "\(stem)-labels\(separator)idx1-ubyte")
      }
    }
    if isTrain, path("data_batch_1.bin") != nil { return try batches() }
    if !isTrain, let test = path("test_batch.bin") {
      return try CIFARReader.table(try content(test), labels: 1, source: test)
    }
    if let records = path(isTrain ? "train.bin" : "test.bin") {
      return try CIFARReader.table(try content(records), labels: 2, source: records)
    }
    guard isTrain else { throw DataError.noTestPart(source: source) }
    throw DataError.unreadable(
      source: source,
      reason:
        "the folder holds no data set that is known (train-images-idx3-ubyte, data_batch_1.bin or train.bin)")
  }

  private mutating func imagesAndLabels(_ images: String, _ labelName: String) throws -> Table {
    guard let labels = path(labelName) else {
      throw DataError.unreadable(source: source, reason: "\(labelName) is missing beside \(images)")
    }
    return try IDXReader.table(
      images: (try content(images), images), labels: (try content(labels), labels), source: source,
      limit: options.memoryLimit)
  }

  /// The training batches 1 to 5 of CIFAR-10; later ones may be absent, which is noticed.
  private mutating func batches() throws -> Table {
    var bytes: [UInt8] = []
    var found = 0
    while found < 5, let batch = path("data_batch_\(found + 1).bin") {
      bytes += try content(batch)
      found += 1
    }
    var table = try CIFARReader.table(bytes, labels: 1, source: "\(folder)/data_batch_1…\(found).bin")
    if found < 5 { table.notices.append("only \(found) of the 5 training batches are in \(folder)") }
    return table
  }

  /// The path of a file of the folder, packed or not.
  private func path(_ name: String) -> String? {
    ["\(folder)/\(name)", "\(folder)/\(name).gz"].first { InputFile.kind($0) == (true, false) }
  }

  private mutating func content(_ path: String) throws -> [UInt8] {
    let bytes = try InputFile.contents(of: path, limit: options.memoryLimit)
    hash.update(bytes)
    return path.hasSuffix(".gz") ? try Inflate.gzip(bytes, name: path, limit: options.memoryLimit) : bytes
  }
}
