/// How files are read.
public struct ReadOptions: Sendable {
  /// Columns whose entries stay text even if they all look like numbers (so that `01` is not `1`).
  public var textColumns: Set<String> = []
  /// Whether the first line of a CSV or TSV file names the columns.
  public var hasHeader = true
  /// Most bytes that one file may take in memory.
  public var memoryLimit: Int = ReadOptions.defaultMemoryLimit
  /// Which part of a data set that has two to read.
  public var part: DataPart = .train
  /// The format, where the name of the file does not say it.
  public var format: FileFormat?
  /// Bytes of text that a stream reads at a time.
  package var pieceBytes = 1 << 22

  public init() {}

  /// Four fifths of the memory that the process may take.
  public static var defaultMemoryLimit: Int { InputFile.availableMemory / 5 * 4 }
}

/// The two parts in which the well-known image sets come.
public enum DataPart: String, Sendable, CaseIterable {
  case train
  case test
}

/// The formats that a single file can have.
public enum FileFormat: String, Sendable, CaseIterable {
  case csv
  case tsv
  case libsvm
  case npy
  case npz

  /// The format that the ending of a file name says, `.gz` left aside.
  public init?(path: String) {
    let name = path.hasSuffix(".gz") ? path.dropLast(3) : path[...]
    guard let dot = name.lastIndex(of: ".") else { return nil }
    switch name[name.index(after: dot)...].lowercased() {
    case "csv": self = .csv
    case "tsv", "tab": self = .tsv
    case "libsvm", "svm": self = .libsvm
    case "npy": self = .npy
    case "npz": self = .npz
    default: return nil
    }
  }
}
