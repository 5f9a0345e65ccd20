import Foundation
import Testing

/// Runs the built program as another process, as a person or a script does.
struct CommandLineTool {
  struct Result {
    var code: Int32
    var output: String
    var error: String
    /// Whether a signal that nobody handled ended the process.
    var wasKilled: Bool
  }

  /// A folder of its own, which is also the working directory of the program.
  let folder: URL

  /// Calls `body` with a tool in a new folder, which is removed afterwards.
  static func inFolder<R>(_ body: (CommandLineTool) throws -> R) throws -> R {
    let name = "fenchel-cli-\(UInt64.random(in: 0...UInt64.max))"
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(name)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(CommandLineTool(folder: folder))
  }

  /// The program, beside the test bundle.
  static let program: URL = {
    let bundle = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
    return bundle.deletingLastPathComponent().appendingPathComponent("fenchel")
  }()

  func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

  func write(_ text: String, to name: String) throws {
    try Data(text.utf8).write(to: folder.appendingPathComponent(name))
  }

  func contents(_ name: String) -> Data? { FileManager.default.contents(atPath: path(name)) }

  var files: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted() }

  /// Runs `fenchel` with the arguments and waits for its end.
  @discardableResult
  func run(_ arguments: String..., input: String = "", environment: [String: String] = [:]) throws -> Result {
    try run(executable: CommandLineTool.program, arguments, input: input, environment: environment)
  }

  /// The same for arguments in an array.
  func run(_ arguments: [String]) throws -> Result {
    try run(executable: CommandLineTool.program, arguments, input: "", environment: [:])
  }

  /// Runs a line of shell in which `$FENCHEL` is the program.
  func shell(_ line: String) throws -> Result {
    try run(
      executable: URL(fileURLWithPath: "/bin/sh"), ["-c", line], input: "",
      environment: ["FENCHEL": CommandLineTool.program.path])
  }

  /// Waits for the end of a process; one that takes too long is killed, and the test fails.
  static func wait(for process: Process, seconds: Double = 120) {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while process.isRunning, ContinuousClock.now < deadline { usleep(2000) }
    if process.isRunning {
      Issue.record("no end after \(seconds) s: \(process.arguments ?? [])")
      kill(process.processIdentifier, SIGKILL)
    }
    process.waitUntilExit()
  }

  private func run(
    executable: URL, _ arguments: [String], input: String, environment: [String: String]
  ) throws -> Result {
    let process = Process()
    process.executableURL = executable
    process.arguments = arguments
    process.currentDirectoryURL = folder
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    let names = (0..<3).map { ".stream-\($0)-\(UInt32.random(in: 0...UInt32.max))" }
    try write(input, to: names[0])
    for name in names[1...] { try write("", to: name) }
    let input = try FileHandle(forReadingFrom: folder.appendingPathComponent(names[0]))
    let streams = try names[1...].map { try FileHandle(forWritingTo: folder.appendingPathComponent($0)) }
    process.standardInput = input
    process.standardOutput = streams[0]
    process.standardError = streams[1]
    try process.run()
    CommandLineTool.wait(for: process)
    for stream in [input] + streams { try? stream.close() }
    let texts = names[1...].map { String(decoding: contents($0) ?? Data(), as: UTF8.self) }
    for name in names { try? FileManager.default.removeItem(atPath: path(name)) }
    return Result(
      code: process.terminationStatus, output: texts[0], error: texts[1],
      wasKilled: process.terminationReason == .uncaughtSignal)
  }
}
