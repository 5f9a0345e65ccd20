import Fenchel
import FoundationEssentials

/// The folder that findings go to, each experiment's in a folder of its name.
public struct FindingsFolder: Sendable {
  public let path: String

  /// Makes the folder where it is not there.
  ///
  /// - Throws: `FileWriteError` where it cannot be one.
  public init(_ path: String) throws {
    self.path = path
    try Self.make(path)
  }

  /// Writes `result.json`, `curves.csv` and `objectives.csv` where there are such curves, every chart as SVG and every
  /// picture as PNG; other files stay as they are.
  ///
  /// - Returns: the paths of what was written.
  /// - Throws: `FileWriteError`.
  public func write(_ report: ExperimentReport, _ findings: Findings) throws -> [String] {
    let folder = "\(path)/\(report.experiment)"
    try Self.make(folder)
    var files: [String] = []
    func write(_ bytes: [UInt8], _ name: String) throws {
      try AtomicFile.write(bytes, to: "\(folder)/\(name)")
      files.append("\(folder)/\(name)")
    }
    func write(_ text: String, _ name: String) throws { try write(Array(text.utf8), name) }
    if !findings.curves.isEmpty { try write(findings.curves.csv, "curves.csv") }
    if !findings.descents.isEmpty { try write(findings.descents.csv, "objectives.csv") }
    for (name, chart) in findings.charts { try write(chart.svg, "\(name).svg") }
    for (name, bitmap) in findings.pictures { try write(bitmap.png, "\(name).png") }
    var report = report
    report.files = files
    try write(try JSONText.encode(report, indented: true) + "\n", "result.json")
    return files
  }

  private static func make(_ path: String) throws {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw FileWriteError(path: path, reason: .badPath("no such folder, and it cannot be made"))
    }
  }
}

extension [LearningCurve] {
  /// One row an epoch of every curve, for any reader of CSV.
  var csv: String {
    var lines = ["method,seed,epoch,seconds,accuracy"]
    for curve in self {
      let name = quotedField(curve.method)
      for point in curve.points {
        lines.append(
          "\(name),\(curve.seed),\(point.epoch),\(point.seconds),\(point.accuracy)")
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
