#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The folder that downloads go to: temporary names, publishing of checked files, leftovers.
enum DownloadFolder {
  private static let ending = ".part"

  /// A hidden name beside `path` that no other process uses.
  static func temporaryPath(for path: String) -> String {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    let folder = parts.dropLast().joined(separator: "/")
    return "\(folder)/.\(parts.last ?? "file").\(getpid())\(ending)"
  }

  /// Syncs the file at `temporary` and gives it its name.
  static func publish(_ temporary: String, as path: String) throws {
    let descriptor = open(temporary, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(temporary, "cannot be opened") }
    let synced = fsync(descriptor)
    close(descriptor)
    guard synced == 0, rename(temporary, path) == 0 else { throw failure(path, "cannot be written") }
  }

  static func remove(_ path: String) { unlink(path) }

  /// Whether the path is a folder with a file in it that is not hidden.
  static func hasFiles(_ path: String) -> Bool {
    guard let stream = opendir(path) else { return false }
    defer { closedir(stream) }
    while let entry = readdir(stream) {
      if entry.pointee.d_name.0 != CChar(UInt8(ascii: ".")) { return true }
    }
    return false
  }

  /// Removes a folder without files, as a failed download leaves it.
  static func removeIfEmpty(_ path: String) { rmdir(path) }

  /// Makes a folder and those above it.
  static func makeFolder(_ path: String) throws {
    var prefix = path.hasPrefix("/") ? "/" : ""
    for part in path.split(separator: "/") {
      prefix += prefix.isEmpty || prefix.hasSuffix("/") ? part : "/\(part)"
      if mkdir(prefix, 0o755) != 0 && !InputFile.kind(prefix).isFolder {
        throw failure(prefix, "cannot be made")
      }
    }
  }

  /// Removes temporary files of processes that have ended.
  static func removeLeftovers(in folder: String) {
    guard let stream = opendir(folder) else { return }
    defer { closedir(stream) }
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard name.hasPrefix("."), name.hasSuffix(ending) else { continue }
      let owner = name.dropLast(ending.count).split(separator: ".").last.flatMap { Int32($0) }
      if let owner, owner > 0, owner != getpid(), kill(owner, 0) != 0, errno == ESRCH {
        remove("\(folder)/\(name)")
      }
    }
  }

  private static func failure(_ path: String, _ what: String) -> DataError {
    .unreadable(source: path, reason: "\(what): \(String(cString: strerror(errno)))")
  }
}
