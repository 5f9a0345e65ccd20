import LinearAlgebra

extension StreamedTable {
  /// Opens a file, an IDX folder or a known data set. Packed files are unpacked into a scratch file first, and files of
  /// text turned into one of numbers. Cost: a pass over the file for its SHA-256, and two more over text.
  ///
  /// - Throws: `DataError`; `StreamError.format` for data that cannot be read row by row; `FileWriteError` where there is
  ///   no room for a scratch file.
  public static func open(_ location: String, options: ReadOptions = ReadOptions()) throws -> StreamedTable {
    if let known = DataCatalogue.entry(location) {
      guard !known.isBuiltIn else { throw StreamError.format(source: location, "is inside the program") }
      return try openFolder(known.foundFolder, source: location, options: options)
    }
    if InputFile.kind(location).isFolder {
      return try openFolder(location, source: location, options: options)
    }
    guard let format = options.format ?? FileFormat(path: location), location != "-" else {
      throw StreamError.format(source: location, "cannot be read row by row")
    }
    switch format {
    case .npy: return try openArray(location)
    case .csv, .tsv:
      let (file, sha256) = try unpacked(location)
      return try DelimitedStream.open(
        file, sha256: sha256, source: location, format: format, options: options)
    case .libsvm, .npz:
      throw StreamError.format(source: location, "a .\(format.rawValue) file cannot be read row by row")
    }
  }

  /// Rows and columns of data as far as that can be said at a glance: exactly of arrays, by the first lines of text. Nil for
  /// what cannot be streamed, or not even opened.
  public static func glance(_ location: String, options: ReadOptions = ReadOptions()) -> (
    rows: Int, columns: Int
  )? {
    if let known = DataCatalogue.entry(location) {
      return known.isBuiltIn
        ? nil : (options.part == .train ? known.rows : known.testRows ?? known.rows, known.features + 1)
    }
    if InputFile.kind(location).isFolder {
      guard let (images, _) = try? imagesAndLabels(location, options.part),
        let header = try? IDXHeader(file: PlainFile(path: images)), !images.hasSuffix(".gz")
      else { return nil }
      return (header.rows, header.columns + 1)
    }
    guard let file = try? PlainFile(path: location),
      let format = options.format ?? FileFormat(path: location),
      !location.hasSuffix(".gz")
    else { return nil }
    switch format {
    case .npy: return (try? NPYHeader(file: file)).map { ($0.shape.first ?? 0, $0.columns) }
    case .csv, .tsv: return DelimitedStream.glance(file)
    case .libsvm, .npz: return nil
    }
  }

  private static func openArray(_ path: String) throws -> StreamedTable {
    let (file, sha256) = try unpacked(path)
    let header = try NPYHeader(file: file)
    func fail(_ problem: String) -> DataError { .malformed(Location(path), problem) }
    guard (1...8).contains(header.shape.count), let count = header.count, header.kind != .unicode else {
      throw fail("an array of numbers of one or more dimensions is needed")
    }
    guard !header.isFortranOrder || header.shape.count == 1 else {
      throw StreamError.format(source: path, "the array is in Fortran order: its rows are not in one piece")
    }
    let (needed, overflow) = count.multipliedReportingOverflow(by: header.size)
    guard !overflow else { throw fail("the shape \(header.shape) is too large") }
    guard needed == file.size - header.dataStart else {
      throw fail(
        "the shape \(header.shape) needs \(needed) bytes of data, the file has \(file.size - header.dataStart)"
      )
    }
    let columns = header.columns
    try NPYReader.requireRows(header.shape[0], columns, path)
    let rows = RowFile(
      file: file, start: header.dataStart, rowBytes: columns * header.size, rows: header.shape[0])
    let part = Part(file: rows) { bytes, count in
      let array = NumericArray(count, columns, NPYReader.elements(bytes, header.rows(count), count, columns))
      return (0..<columns).map { .numeric(array, index: $0) }
    }
    let frame = Table(
      source: path, sha256: sha256, array: NumericArray(0, columns, .double([])), targets: [columns - 1])
    return StreamedTable(frame: frame, parts: [part])
  }

  // MARK: IDX folders

  private static func openFolder(_ folder: String, source: String, options: ReadOptions) throws
    -> StreamedTable
  {
    let (images, labels) = try imagesAndLabels(folder, options.part)
    var hash = SHA256()
    let pixels = try openIDX(images, &hash)
    let classes = try openIDX(labels, &hash)
    guard classes.header.shape.count == 1 else {
      throw DataError.malformed(
        Location(labels), "labels must have one dimension, not \(classes.header.shape)")
    }
    guard classes.header.rows == pixels.header.rows else {
      throw DataError.malformed(
        Location(labels),
        "\(classes.header.rows) labels for the \(pixels.header.rows) rows of \(printable(images))")
    }
    var frame = IDXReader.table(
      pixels: NumericArray(0, pixels.header.columns, .bytes([])), shape: pixels.header.shape,
      classes: NumericArray(0, 1, .bytes([])), source: source)
    frame.sha256 = hash.hexDigest()
    return StreamedTable(frame: frame, parts: [pixels.part, classes.part])
  }

  private static func openIDX(_ path: String, _ hash: inout SHA256) throws -> (header: IDXHeader, part: Part)
  {
    let file = try unpacked(path) { hash.update($0) }
    let header = try IDXHeader(file: file)
    try header.check(dataBytes: file.size - header.dataStart, path)
    let rows = RowFile(
      file: file, start: header.dataStart, rowBytes: header.columns * header.size, rows: header.rows)
    return (
      header,
      Part(file: rows) { bytes, count in
        let array = try header.numbers(bytes, rows: count, source: path)
        return (0..<header.columns).map { .numeric(array, index: $0) }
      }
    )
  }

  private static func imagesAndLabels(_ folder: String, _ part: DataPart) throws -> (String, String) {
    let stem = part == .train ? "train" : "t10k"
    for separator in ["-", "."] {
      let names = ["images\(separator)idx3-ubyte", "labels-idx1-ubyte"].map { "\(folder)/\(stem)-\($0)" }
      let paths = names.map { name in [name, name + ".gz"].first { InputFile.kind($0) == (true, false) } }
      if let images = paths[0], let labels = paths[1] { return (images, labels) }
    }
    guard part == .train else { throw DataError.noTestPart(source: folder) }
    throw StreamError.format(source: folder, "the folder holds no IDX images and labels")
  }

  // MARK: Packed files

  private static func unpacked(_ path: String) throws -> (file: PlainFile, sha256: String) {
    var hash = SHA256()
    let file = try unpacked(path) { hash.update($0) }
    return (file, hash.hexDigest())
  }

  /// The file, of a packed one its content in a scratch file; `update` sees the bytes of the file itself.
  private static func unpacked(_ path: String, _ update: ([UInt8]) -> Void) throws -> PlainFile {
    let file = try PlainFile(path: path)
    try file.forEachPiece { update($0) }
    guard Inflate.isGzip(try file.bytes(0..<2)) else {
      guard !path.hasSuffix(".gz") else {
        throw DataError.malformed(Location(path), "is not a gzip file, although its name ends in .gz")
      }
      return file
    }
    var scratch = try ScratchFile()
    let packed = try GzipPieces(name: path)
    try file.forEachPiece { try packed.take($0) { try scratch.append($0) } }
    try packed.finish()
    return try scratch.finished(name: path)
  }
}

extension NPYHeader {
  /// The header of a file.
  init(file: PlainFile) throws {
    var reader = ByteReader(try file.bytes(0..<(1 << 20) + 16), source: file.name)
    try self.init(&reader)
  }

  /// Entries of a row.
  var columns: Int { shape.first == 0 ? 0 : (count ?? 0) / (shape.first ?? 1) }

  /// The header of some rows alone, end to end.
  func rows(_ count: Int) -> NPYHeader {
    var header = self
    header.shape = [count, columns]
    (header.dataStart, header.isFortranOrder) = (0, false)
    return header
  }
}

extension IDXHeader {
  /// The header of a file.
  init(file: PlainFile) throws {
    var reader = ByteReader(try file.bytes(0..<64), source: file.name)
    try self.init(&reader)
  }
}
