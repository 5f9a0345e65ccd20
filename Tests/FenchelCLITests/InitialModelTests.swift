import Fenchel
import Foundation
import Testing

/// `train --init`, as processes.
@Suite struct InitialModelTests {
  private func writeData(_ tool: CommandLineTool, _ name: String, rows: Range<Int>, header: String = "a,b,y")
    throws
  {
    let lines = rows.map { k in
      let (a, b) = (Double(k % 7) * 30 - 90, Double(k * k % 11) / 3 - 1.5)
      return "\(a),\(b),\(max(0, a - b) + 0.25 * b + 1)"
    }
    try tool.write(([header] + lines).joined(separator: "\n") + "\n", to: name)
  }

  @Test func aTrainingGoesOnFromAModel() throws {
    try CommandLineTool.inFolder { tool in
      try writeData(tool, "data.csv", rows: 0..<40)
      try writeData(tool, "more.csv", rows: 20..<50)
      let first = try tool.run(
        "train", "data.csv", "--model", "lifted", "--hidden", "5", "--epochs", "3", "-o", "m")
      #expect(first.code == 0, "\(first.error)")
      let second = try tool.run(
        "train", "more.csv", "--target", "y", "--test", "0.2", "--model", "mlp", "--init", "m", "--epochs",
        "2", "-o", "n")
      #expect(second.code == 0 && second.output.contains("from m"), "\(second.error)")
      let (m, n) = (try ModelFile(contentsOf: tool.path("m")), try ModelFile(contentsOf: tool.path("n")))
      #expect(m.scaling == n.scaling && m.schema == n.schema && m.network != n.network)
      #expect(n.settings.layers?.hidden == [5] && n.settings.layers?.initialModel == "m")
      #expect(try tool.run("predict", "n", "more.csv").code == 0)
    }
  }

  @Test func whatDoesNotFitIsOneLine() throws {
    try CommandLineTool.inFolder { tool in
      try writeData(tool, "data.csv", rows: 0..<40)
      try writeData(tool, "other.csv", rows: 0..<40, header: "a,c,y")
      try tool.write("no model", to: "text")
      #expect(
        try tool.run("train", "data.csv", "--model", "mlp", "--hidden", "5", "--epochs", "1", "-o", "m").code
          == 0)
      #expect(
        try tool.run("train", "data.csv", "--model", "gated-relu", "--patterns", "5", "-o", "g").code == 0)
      let files = tool.files
      for (arguments, message, code) in [
        ("data.csv --init m --hidden 6 --activation tanh", "2-5-1 with relu, but", 2),
        ("data.csv --init m --hidden 6 --activation tanh", "2-6-1 with tanh", 2),
        ("data.csv --init m --hidden 5,5", "2-5-5-1", 2), ("data.csv --init m --no-bias", "--no-bias", 2),
        ("data.csv --init m --no-standardise", "--no-standardise", 2),
        ("data.csv --init m --target b", "--target", 2), ("data.csv --init m --ignore b", "--ignore", 2),
        ("data.csv --init m --loss poisson", "scaled targets", 2), ("data.csv --init g", "gated-relu", 2),
        ("data.csv --init m -o m", "overwritten", 2), ("data.csv --init text", "text", 4),
        ("data.csv --init absent", "absent", 4), ("other.csv --init m", "\"b\" is missing", 3),
        ("data.csv --init m --model gated-relu", "not for the model gated-relu", 2),
      ] {
        let model = arguments.contains("--model") ? "" : "--model fenchel"
        let result = try tool.shell("exec \"$FENCHEL\" train \(arguments) \(model)")
        #expect(result.code == Int32(code) && !result.wasKilled, "\(arguments): \(result.error)")
        #expect(result.error.contains(message), "\(arguments): \(result.error)")
        #expect(result.error.filter { $0 == "\n" }.count == 1 && result.output.isEmpty, "\(result.error)")
        #expect(tool.files == files, "\(arguments)")
      }
    }
  }
}
