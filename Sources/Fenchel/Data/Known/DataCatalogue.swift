/// The data sets that are known by name: those inside the program, and those looked for in `$FENCHEL_DATA`, then
/// in `~/.cache/fenchel`, each in a folder of its name.
public enum DataCatalogue {
  /// A data set and where it comes from.
  public struct Entry: Sendable {
    public let name: String
    public let title: String
    /// Rows of the training part (or of all), and of the test part if there is one.
    public let rows: Int
    public let testRows: Int?
    public let features: Int
    public let classes: Int?
    public let licence: String
    public let origin: String
    /// Files to download; empty for those inside the program.
    public let files: [RemoteFile]

    public init(
      name: String, title: String, rows: Int, testRows: Int?, features: Int, classes: Int?, licence: String,
      origin: String, files: [RemoteFile]
    ) {
      self.name = name
      self.title = title
      self.rows = rows
      self.testRows = testRows
      self.features = features
      self.classes = classes
      self.licence = licence
      self.origin = origin
      self.files = files
    }

    public var task: LearningTask { classes == nil ? .regression : .classification }
    public var isBuiltIn: Bool { files.isEmpty }
  }

  public static let entries: [Entry] = [
    digits, iris, wine, breastCancer, diabetes, ecg, mnist, fashionMNIST, cifar10,
  ]

  /// The entry with that name.
  public static func entry(_ name: String) -> Entry? { entries.first { $0.name == name } }

  /// The folder into which `fetch` downloads: `~/.cache/fenchel` (`$XDG_CACHE_HOME/fenchel` where that is set).
  public static var cacheFolder: String? {
    if let cache = InputFile.environment("XDG_CACHE_HOME"), cache.hasPrefix("/") { return "\(cache)/fenchel" }
    return InputFile.environment("HOME").map { "\($0)/.cache/fenchel" }
  }

  /// The folders that are searched, in order.
  public static var searchPath: [String] {
    [InputFile.environment("FENCHEL_DATA"), cacheFolder].compactMap { $0 }
  }
}

extension DataCatalogue.Entry {
  /// The folder in which the data set was found, or `nil` (also for one inside the program).
  public var folder: String? {
    guard !isBuiltIn else { return nil }
    return DataCatalogue.searchPath.map { "\($0)/\(name)" }.first { DownloadFolder.hasFiles($0) }
  }

  /// The folder in which the data set was found.
  ///
  /// Errors: `DataError.unreadable` when it is not on this machine.
  var foundFolder: String {
    get throws {
      if let folder { return folder }
      let places =
        DataCatalogue.searchPath.isEmpty ? "" : " in \(DataCatalogue.searchPath.joined(separator: ", "))"
      throw DataError.unreadable(
        source: name, reason: "not found\(places); get it with: fenchel data fetch \(name)")
    }
  }

  /// Where the data set is: "inside the program", a folder, or "not found".
  public var whereabouts: String { isBuiltIn ? "inside the program" : folder ?? "not found" }

  /// Reads the data set; of one in two parts the part that `options.part` names.
  ///
  /// Errors: `DataError`, also when it is not on this machine or has no test part.
  public func read(_ options: ReadOptions = ReadOptions()) throws -> Table {
    if let builtIn = BuiltInData(rawValue: name) {
      guard options.part == .train else {
        throw DataError.unsuitable(source: name, "it has no test part; hold rows back with --test FRACTION")
      }
      return try builtIn.read(options)
    }
    let folder = try foundFolder
    var table = try FolderReader.read(folder, source: name, options: options)
    let expected = options.part == .train ? rows : testRows ?? rows
    if table.rows != expected { table.notices.append("\(table.rows) of \(expected) rows are in \(folder)") }
    return table
  }
}
