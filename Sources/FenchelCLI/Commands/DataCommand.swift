import ArgumentParser
import Fenchel
import Foundation
import Synchronization

/// `fenchel data list | info NAME | fetch NAME`
struct DataCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "Known data sets: list them, describe one, fetch one.",
    subcommands: [List.self, Info.self, Fetch.self])

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "The data sets that have a name.")
    @OptionGroup var printing: OutputOptions

    func run() throws {
      let entries = DataCatalogue.entries.map(KnownSet.init)
      if printing.json { return Terminal.output(try JSONText.encode(entries, indented: true)) }
      var table = TextTable(
        ("name", .left), ("rows", .right), ("features", .right), ("target", .left), ("where", .left))
      for entry in entries {
        table.append(entry.name, entry.rows, String(entry.features), entry.target, entry.place)
      }
      Terminal.output(table.text)
    }
  }

  struct Info: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Describe a known data set, or any file of data.")
    @Argument(help: "A known name, or a file.") var name: String
    @OptionGroup(title: "Reading") var reading: ReadingOptions
    @OptionGroup var printing: OutputOptions

    func run() throws {
      let description = try TableDescription(try Loader.table(name, reading, printing), name: name)
      Terminal.output(
        printing.json ? try JSONText.encode(description, indented: true) : description.text)
    }
  }

  struct Fetch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Download a data set into ~/.cache/fenchel and check its SHA-256.",
      discussion: "An address in place of a name fetches that file: give --sha256 and --output with it.")

    @Argument(help: "A known name, or an http(s) address.") var name: String
    @Option(help: ArgumentHelp("Folder on the web that has the files.", valueName: "address"))
    var mirror: String?
    @Option(help: ArgumentHelp("Expected SHA-256 of the file at an address.", valueName: "digits"))
    var sha256: String?
    @Option(
      name: [.short, .long], help: ArgumentHelp("Where the file at an address goes.", valueName: "file"))
    var output: String?
    @OptionGroup var printing: OutputOptions

    func validate() throws {
      let isAddress = name.contains("://")
      guard !isAddress || (sha256 != nil && output != nil) else {
        throw ValidationError("an address needs --sha256 and --output")
      }
      if let sha256, sha256.count != 64 || !sha256.allSatisfy(\.isHexDigit) {
        throw ValidationError("--sha256 must be 64 hexadecimal digits")
      }
      if !isAddress && (sha256 != nil || output != nil) {
        throw ValidationError("--sha256 and --output go with an address, not with a name")
      }
    }

    func run() async throws {
      let meter = DownloadMeter(isQuiet: printing.quiet)
      let client = WebClient(progress: { meter.show("", $0, $1) })
      defer { meter.finish() }
      if let url = URL(string: name), name.contains("://"), let sha256, let output {
        try AtomicFile.check(output)
        let bytes = try client.bytes(of: url)
        let digest = SHA256.hexDigest(bytes)
        guard digest == sha256.lowercased() else {
          throw DownloadError(url, "SHA-256 is \(digest), \(sha256) was expected", isWrongContent: true)
        }
        return try AtomicFile.write(bytes, to: output)
      }
      let paths = try await fetchKnown(meter)
      meter.finish()
      Terminal.output(
        printing.json ? try JSONText.encode(paths, indented: true) : paths.joined(separator: "\n"))
    }

    /// The files of the data set, fetched where they were not there.
    private func fetchKnown(_ meter: DownloadMeter) async throws -> [String] {
      guard let entry = DataCatalogue.entry(name) else {
        let hint = Suggestion.phrase(for: name, among: DataCatalogue.entries.map(\.name))
        throw UsageError("there is no data set `\(name)` to fetch\(hint)")
      }
      guard !entry.isBuiltIn else {
        throw UsageError("\(name) is shipped with the program; there is nothing to fetch")
      }
      guard let root = DataCatalogue.cacheFolder else {
        throw UsageError("neither HOME nor XDG_CACHE_HOME is set: there is no folder to fetch into")
      }
      return try await entry.fetch(into: root, mirror: mirror, using: WebDownloader()) {
        file, received, total in
        meter.show(file, Int64(received), total.map { Int64($0) })
      }
    }
  }
}

/// Bytes received so far, on the terminal.
final class DownloadMeter: Sendable {
  private let isQuiet: Bool
  private let isShown = Atomic<Bool>(false)

  init(isQuiet: Bool) { self.isQuiet = isQuiet || !Terminal.isInteractive }

  func show(_ file: String, _ received: Int64, _ expected: Int64?) {
    guard !isQuiet else { return }
    isShown.store(true, ordering: .relaxed)
    let whole = expected.map { " of \(Format.bytes(Int($0)))" } ?? ""
    Terminal.write("\r\u{1b}[K\(file) \(Format.bytes(Int(received)))\(whole)", to: 2)
  }

  func finish() {
    if isShown.exchange(false, ordering: .relaxed) { Terminal.write("\r\u{1b}[K", to: 2) }
  }
}

/// A data set that has a name, as `data list` shows it.
struct KnownSet: Encodable {
  var name: String
  var rows: String
  var features: Int
  var target: String
  var place: String

  init(_ entry: DataCatalogue.Entry) {
    name = entry.name
    rows = entry.testRows.map { "\(entry.rows) + \($0)" } ?? String(entry.rows)
    features = entry.features
    target = entry.classes.map { "\($0) classes" } ?? (entry.features == 0 ? "a signal" : "a number")
    place =
      entry.isBuiltIn || entry.folder != nil ? entry.whereabouts : "not here: fenchel data fetch \(name)"
  }
}
