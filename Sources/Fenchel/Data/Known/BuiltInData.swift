import CDatasets
import LinearAlgebra

/// The data sets inside the program.
enum BuiltInData: String, CaseIterable {
  case digits
  case iris
  case wine
  case breastCancer = "breast-cancer"
  case diabetes
  case ecg

  /// The table, with names for its columns.
  func read(_ options: ReadOptions) throws -> Table {
    switch self {
    case .digits:
      let pixels = (0..<64).map { "pixel_\($0 / 8)_\($0 % 8)" }
      var table = try delimited(fenchel_digits(), header: pixels + ["digit"], options)
      table.imageShape = ImageShape(channels: 1, height: 8, width: 8)
      return table
    case .iris: return try labelled(fenchel_iris(), Self.irisNames + ["species"], options)
    case .wine: return try labelled(fenchel_wine(), Self.wineNames + ["cultivar"], options)
    case .breastCancer:
      return try labelled(fenchel_breast_cancer(), Self.cancerNames + ["diagnosis"], options)
    case .diabetes: return try diabetes(options)
    case .ecg: return try electrocardiogram(options)
    }
  }

  private static let irisNames = ["sepal_length", "sepal_width", "petal_length", "petal_width"]

  private static let wineNames = [
    "alcohol", "malic_acid", "ash", "alcalinity_of_ash", "magnesium", "total_phenols", "flavanoids",
    "nonflavanoid_phenols", "proanthocyanins", "color_intensity", "hue", "od280_od315", "proline",
  ]

  private static let cancerNames = ["mean", "error", "worst"].flatMap { statistic in
    [
      "radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave_points",
      "symmetry", "fractal_dimension",
    ].map { "\(statistic)_\($0)" }
  }

  private static let diabetesNames = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]

  private func bytes(_ file: fenchel_dataset_file) -> [UInt8] {
    Array(UnsafeBufferPointer(start: file.bytes, count: file.count))
  }

  private func text(_ file: fenchel_dataset_file, _ options: ReadOptions) throws -> [UInt8] {
    let raw = bytes(file)
    return Inflate.isGzip(raw) ? try Inflate.gzip(raw, name: rawValue, limit: options.memoryLimit) : raw
  }

  /// A file without a header, given one.
  private func delimited(
    _ file: fenchel_dataset_file, header: [String], _ options: ReadOptions, dropping lines: Int = 0
  ) throws -> Table {
    let content = try text(file, options).split(separator: 0x0A, omittingEmptySubsequences: true)
    var named = Array(header.joined(separator: ",").utf8)
    for line in content.dropFirst(lines) { named += [0x0A] + line }
    var table = try DelimitedReader.read(named, source: rawValue, format: .csv, options: plain(options))
    table.sha256 = SHA256.hexDigest(bytes(file))
    table.declaredTask = .classification
    table.firstLine = nil
    table.lines = nil
    return table
  }

  /// A file whose first line is `n,d,class names…` and whose last column counts classes from 0.
  private func labelled(
    _ file: fenchel_dataset_file, _ header: [String], _ options: ReadOptions
  ) throws -> Table {
    var table = try delimited(file, header: header, options, dropping: 1)
    let first = try text(file, options).prefix { $0 != 0x0A }.filter { $0 != 0x0D }
    let classes = String(decoding: first, as: UTF8.self).split(separator: ",").dropFirst(2).map(String.init)
    let codes = table.columns[header.count - 1].numbers ?? []
    table.columns[header.count - 1] = .text(
      TextColumn(codes.map { classes.indices.contains(Int($0)) ? classes[Int($0)] : nil }))
    return table
  }

  /// Two files: ten columns apart by blanks, and the target.
  private func diabetes(_ options: ReadOptions) throws -> Table {
    let inputs = try text(fenchel_diabetes_data(), options).split(separator: 0x0A)
    let targets = try text(fenchel_diabetes_target(), options).split(separator: 0x0A)
    var joined = Array((Self.diabetesNames + ["progression"]).joined(separator: ",").utf8)
    for (input, target) in zip(inputs, targets) {
      joined += [0x0A] + input.split(separator: 0x20).joined(separator: [0x2C]) + [0x2C] + target
    }
    var table = try DelimitedReader.read(joined, source: rawValue, format: .csv, options: plain(options))
    table.sha256 = SHA256.hexDigest(bytes(fenchel_diabetes_data()) + bytes(fenchel_diabetes_target()))
    table.declaredTask = .regression
    table.firstLine = nil
    return table
  }

  /// An NPZ file with one array of 11-bit samples: 200 steps a millivolt, 1024 for 0.
  private func electrocardiogram(_ options: ReadOptions) throws -> Table {
    let file = bytes(fenchel_ecg())
    let archive = try ZipArchive(file, source: rawValue)
    guard let member = archive.members.first else {
      throw DataError.malformed(Location(rawValue), "the archive is empty")
    }
    let content = try archive.content(of: member, limit: options.memoryLimit)
    let array = try NPYReader.array(
      content, 0..<content.count, source: rawValue, limit: options.memoryLimit)
    guard case .numbers(let samples) = array else {
      throw DataError.malformed(Location(rawValue), "the archive holds no numbers")
    }
    let millivolts = (0..<samples.rows).map { (samples[$0, 0] - 1024) / 200 }
    var table = Table(source: rawValue, names: ["millivolt"], columns: [.numbers(millivolts)])
    table.sha256 = SHA256.hexDigest(file)
    table.declaredTask = .regression
    return table
  }

  private func plain(_ options: ReadOptions) -> ReadOptions {
    var plain = options
    plain.hasHeader = true
    plain.textColumns = []
    return plain
  }
}
