import LinearAlgebra

extension Table {
  /// Reads a table from a file, a folder, standard input (`-`, CSV unless `options.format` says otherwise) or a
  /// known data set.
  ///
  /// A known name (`DataCatalogue`) wins over a file of that name; write `./name` for the file. The format of a
  /// file follows from its ending: `.csv`, `.tsv`, `.libsvm`, `.svm`, `.npy`, `.npz`, each with `.gz` or
  /// without. Memory: the file, its unpacked form and the table, each at most a constant times the unpacked size.
  ///
  /// Errors: `DataError`.
  public static func read(_ location: String, options: ReadOptions = ReadOptions()) throws -> Table {
    if let known = DataCatalogue.entry(location) { return try known.read(options) }
    if location == "-" {
      let bytes = try InputFile.contents(of: "-", limit: options.memoryLimit)
      return try parse(bytes, source: "standard input", format: options.format ?? .csv, options: options)
    }
    if InputFile.kind(location).isFolder {
      return try FolderReader.read(location, source: location, options: options)
    }
    guard let format = options.format ?? FileFormat(path: location) else {
      throw unknownFormat(location)
    }
    let bytes = try InputFile.contents(of: location, limit: options.memoryLimit)
    return try parse(
      bytes, source: location, format: format, isPacked: location.hasSuffix(".gz"), options: options)
  }

  /// Reads a table from the bytes of a file. `isPacked` demands gzip; otherwise gzip is recognised by itself.
  public static func parse(
    _ bytes: [UInt8], source: String, format: FileFormat, isPacked: Bool = false,
    options: ReadOptions = ReadOptions()
  ) throws -> Table {
    let packed = isPacked || Inflate.isGzip(bytes)
    let content = packed ? try Inflate.gzip(bytes, name: source, limit: options.memoryLimit) : bytes
    var digest = ""
    var result = Result<Table, any Error>.failure(DataError.unreadable(source: source, reason: "not read"))
    withUnsafeMutablePointer(to: &digest) { digest in
      withUnsafeMutablePointer(to: &result) { result in
        let places = (Place(pointer: digest), Place(pointer: result))
        Parallel.forEach(tiles: 2) { tile in
          if tile == 1 {
            places.0.pointer.pointee = SHA256.hexDigest(bytes)
          } else {
            places.1.pointer.pointee = Result { try decoded(content, source, format, options) }
          }
        }
      }
    }
    var table = try result.get()
    table.sha256 = digest
    return table
  }

  private static func decoded(
    _ content: [UInt8], _ source: String, _ format: FileFormat, _ options: ReadOptions
  ) throws -> Table {
    switch format {
    case .csv, .tsv:
      return try DelimitedReader.read(content, source: source, format: format, options: options)
    case .libsvm: return try LIBSVMReader.read(content, source: source, options: options)
    case .npy: return try NPYReader.read(content, source: source, options: options)
    case .npz: return try NPZReader.read(content, source: source, options: options)
    }
  }

  private static func unknownFormat(_ location: String) -> DataError {
    if InputFile.kind(location).exists {
      return .unreadable(
        source: location,
        reason: "the ending says no known format (.csv, .tsv, .libsvm, .svm, .npy, .npz, with or without .gz)"
      )
    }
    return .unreadable(
      source: location,
      reason:
        "no such file, and no known data set (\(DataCatalogue.entries.map(\.name).joined(separator: ", ")))")
  }
}

/// A place that one tile writes while another writes elsewhere.
private struct Place<Value>: @unchecked Sendable {
  let pointer: UnsafeMutablePointer<Value>
}
