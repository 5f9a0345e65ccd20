/// What fetches bytes over the network; the library itself never does.
public protocol Downloader: Sendable {
  /// Writes what lies at `address` into the file `path` (made, or emptied first), reporting the bytes so far and
  /// in all. Throws when the transfer fails or the server answers with an error.
  func download(
    _ address: String, to path: String, progress: @Sendable (_ received: Int, _ total: Int?) -> Void
  ) async throws
}

/// A file to download, and how to know that it is the right one.
public struct RemoteFile: Sendable {
  public var name: String
  /// Addresses to try, in order.
  public var addresses: [String]
  public var bytes: Int
  /// SHA-256 of the file as it is downloaded.
  public var sha256: String
  /// SHA-256 of what it unpacks to: a file that somebody packed again is as good.
  public var unpackedSHA256: String?
  /// For a tar file: the members to keep, with their SHA-256.
  public var contents: [String: String] = [:]

  public init(
    name: String, addresses: [String], bytes: Int, sha256: String, unpackedSHA256: String? = nil,
    contents: [String: String] = [:]
  ) {
    self.name = name
    self.addresses = addresses
    self.bytes = bytes
    self.sha256 = sha256
    self.unpackedSHA256 = unpackedSHA256
    self.contents = contents
  }

  /// Throws unless the bytes are this file.
  package func verify(_ content: [UInt8], source: String) throws {
    let digest = SHA256.hexDigest(content)
    if digest == sha256 { return }
    if let unpackedSHA256, let unpacked = try? Inflate.gzip(content, name: source, limit: 1 << 31),
      SHA256.hexDigest(unpacked) == unpackedSHA256
    {
      return
    }
    throw DataError.malformed(
      Location(source),
      "SHA-256 is \(digest), not \(sha256): damaged or another file (\(content.count) bytes)")
  }
}

extension DataCatalogue.Entry {
  /// Downloads the files of the data set into `root`/name and checks them; those already there and right stay.
  ///
  /// With a `mirror`, files are taken from mirror/name/file. Each file is written under a temporary name, checked,
  /// then renamed: what bears its name is whole. Returns the paths.
  ///
  /// Errors: `DataError` for what is wrong with the last address tried.
  public func fetch(
    into root: String, mirror: String? = nil, using downloader: any Downloader,
    progress: @Sendable (_ file: String, _ received: Int, _ total: Int?) -> Void = { _, _, _ in }
  ) async throws -> [String] {
    guard !isBuiltIn else { return [] }
    let folder = "\(root)/\(name)"
    try DownloadFolder.makeFolder(folder)
    defer { DownloadFolder.removeIfEmpty(folder) }
    DownloadFolder.removeLeftovers(in: folder)
    var paths: [String] = []
    for file in files {
      let wanted = file.contents.isEmpty ? [file.name] : file.contents.keys.sorted()
      if !wanted.allSatisfy({ isRight("\(folder)/\($0)", $0, file) }) {
        try await fetch(file, folder, mirror, downloader) { progress(file.name, $0, $1) }
      }
      paths += wanted.map { "\(folder)/\($0)" }
    }
    return paths
  }

  private func isRight(_ path: String, _ member: String, _ file: RemoteFile) -> Bool {
    guard let content = try? InputFile.contents(of: path, limit: 1 << 31) else { return false }
    if let digest = file.contents[member] { return SHA256.hexDigest(content) == digest }
    return (try? file.verify(content, source: path)) != nil
  }

  private func fetch(
    _ file: RemoteFile, _ folder: String, _ mirror: String?, _ downloader: any Downloader,
    _ progress: @Sendable (Int, Int?) -> Void
  ) async throws {
    let addresses = mirror.map { ["\($0)/\(name)/\(file.name)"] } ?? file.addresses
    var failure: (any Error)?
    for address in addresses {
      let temporary = DownloadFolder.temporaryPath(for: "\(folder)/\(file.name)")
      do {
        defer { DownloadFolder.remove(temporary) }
        try await downloader.download(address, to: temporary, progress: progress)
        let content = try InputFile.contents(of: temporary, limit: 1 << 31)
        try file.verify(content, source: address)
        if file.contents.isEmpty {
          try DownloadFolder.publish(temporary, as: "\(folder)/\(file.name)")
        } else {
          try unpack(content, file, folder, source: address)
        }
        return
      } catch is CancellationError {
        throw CancellationError()
      } catch {
        failure = error
      }
    }
    throw failure ?? DataError.unreadable(source: file.name, reason: "no address is known for it")
  }

  private func unpack(_ content: [UInt8], _ file: RemoteFile, _ folder: String, source: String) throws {
    let tar = try Inflate.gzip(content, name: source, limit: 1 << 31)
    let members = try TarArchive.members(of: tar, named: Set(file.contents.keys), source: source)
    for (member, digest) in file.contents {
      guard let range = members[member] else {
        throw DataError.malformed(Location(source), "the archive has no member \(member)")
      }
      let bytes = Array(tar[range])
      guard SHA256.hexDigest(bytes) == digest else {
        throw DataError.malformed(Location(source), "member \(member) is damaged: its SHA-256 is wrong")
      }
      try AtomicFile.write(bytes, to: "\(folder)/\(member)")
    }
  }
}

/// The members of a tar file, by the last part of their names.
enum TarArchive {
  /// Where the wanted members' bytes lie.
  static func members(
    of bytes: [UInt8], named wanted: Set<String>, source: String
  ) throws -> [String: Range<Int>] {
    var found: [String: Range<Int>] = [:]
    var position = 0
    while position + 512 <= bytes.count, bytes[position] != 0 {
      let path = String(decoding: bytes[position..<position + 100].prefix { $0 != 0 }, as: UTF8.self)
      let digits = bytes[position + 124..<position + 135].filter { (0x30...0x37).contains($0) }
      let size = digits.reduce(0) { $0 << 3 | Int($1 - 0x30) }
      let start = position + 512
      guard size <= bytes.count - start else {
        throw DataError.malformed(Location(source), "the tar archive ends inside \(quoted(path))")
      }
      let name = String(path.split(separator: "/").last ?? "")
      if wanted.contains(name) { found[name] = start..<start + size }
      position = start + (size + 511) / 512 * 512
    }
    return found
  }
}
