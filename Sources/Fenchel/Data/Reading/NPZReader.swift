/// Reads NPZ files (NumPy's zip of NPY arrays): `X` with n rows, and `y` with n numbers, n × c numbers or n texts.
/// Without `y` all columns are features. Other arrays are left alone, with a notice.
enum NPZReader {
  static func read(_ bytes: [UInt8], source: String, options: ReadOptions) throws -> Table {
    let archive = try ZipArchive(bytes, source: source)
    func member(_ names: [String]) -> ZipArchive.Member? {
      archive.members.first { names.contains($0.name) }
    }
    guard let features = member(["X.npy", "x.npy"]) else {
      let known = archive.members.isEmpty ? "it is empty" : "it holds \(listed(archive.members.map(\.name)))"
      throw DataError.malformed(Location(source), "there is no array X: \(known)")
    }
    let targets = member(["y.npy", "Y.npy"])
    var table = try featureTable(archive, features, options)
    if let targets { try append(targets, archive, options, to: &table) }
    let others = archive.members.filter { $0.name != features.name && $0.name != targets?.name }
    if !others.isEmpty { table.notices.append("arrays left alone: \(listed(others.map(\.name)))") }
    return table
  }

  private static func array(
    _ archive: ZipArchive, _ member: ZipArchive.Member, _ options: ReadOptions
  ) throws -> NPYReader.Content {
    let content = try archive.content(of: member, limit: options.memoryLimit)
    let name = "\(archive.source)(\(member.name))"
    return try NPYReader.array(content, 0..<content.count, source: name, limit: options.memoryLimit)
  }

  private static func featureTable(
    _ archive: ZipArchive, _ member: ZipArchive.Member, _ options: ReadOptions
  ) throws -> Table {
    guard case .numbers(let array) = try array(archive, member, options) else {
      throw DataError.malformed(Location(archive.source), "the array X must hold numbers")
    }
    try NPYReader.requireRows(array.rows, array.columns, archive.source)
    return Table(source: archive.source, sha256: "", array: array, targets: [])
  }

  private static func append(
    _ member: ZipArchive.Member, _ archive: ZipArchive, _ options: ReadOptions, to table: inout Table
  ) throws {
    var columns: [Column]
    switch try array(archive, member, options) {
    case .texts(let texts): columns = [.text(TextColumn(texts))]
    case .numbers(let array): columns = (0..<array.columns).map { .numeric(array, index: $0) }
    }
    let rows = columns.first?.rows ?? 0
    guard rows == table.rows else {
      throw DataError.malformed(
        Location(archive.source), "X has \(counted(table.rows, "row")), y has \(rows)")
    }
    let width = table.columns.count
    table.defaultTargets = Array(width..<width + columns.count)
    table.names += columns.count == 1 ? ["y"] : columns.indices.map { "y\($0)" }
    table.columns += columns
  }
}
