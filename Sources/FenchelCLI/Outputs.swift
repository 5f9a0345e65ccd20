import Fenchel
import Foundation

/// Places that a command writes to, checked before the work begins.
enum Outputs {
  /// Fails where the path cannot be written, or is one of the inputs.
  static func check(_ path: String, differsFrom inputs: [String?]) throws {
    try AtomicFile.check(path)
    for case let input? in inputs where isSameFile(path, input) {
      throw UsageError("\(path) is also an input and would be overwritten; write somewhere else")
    }
  }

  /// What will be said of a file once it is written, in the width of labels.
  static func verb(for path: String) -> String {
    var info = stat()
    let isThere = stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFREG
    return isThere ? "replaced     " : "written      "
  }

  private static func isSameFile(_ first: String, _ second: String) -> Bool {
    var (a, b) = (stat(), stat())
    guard stat(first, &a) == 0, stat(second, &b) == 0 else { return false }
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_mode & S_IFMT == S_IFREG
  }
}

/// What a command reads.
enum Inputs {
  static func require(_ source: String?) throws -> String {
    guard let source, !source.isEmpty else {
      throw UsageError(
        "name the data: a file, a folder, - for standard input, or a known name such as digits")
    }
    return source
  }
}

/// The folder of a run: `run.json` and `model.safetensors`. One process at a time may use it.
final class RunFolder {
  private let path: String
  private let lock: Int32

  init(_ path: String) throws {
    self.path = path
    if mkdir(path, 0o777) != 0 && errno != EEXIST {
      let reason = String(cString: strerror(errno))
      throw FileWriteError(path: path, reason: .badPath("the run folder cannot be made: \(reason)"))
    }
    lock = open(path + "/.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard lock >= 0 else {
      let reason = String(cString: strerror(errno))
      throw FileWriteError(path: path, reason: .refused("the run folder cannot be locked: \(reason)"))
    }
    guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
      throw UsageError("\(path): another process is using this run folder; choose another or wait")
    }
  }

  deinit { close(lock) }

  var model: String { path + "/model.safetensors" }
  var checkpoint: String { path + "/" + Checkpoint.nameInFolder }

  func write(_ report: TrainingReport) throws {
    let text = try JSONText.encode(report, indented: true) + "\n"
    try AtomicFile.write(Array(text.utf8), to: path + "/run.json")
  }
}
