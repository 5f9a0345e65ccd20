import Foundation
import Testing

/// `fenchel train` on data that do not fit into the memory that it may take.
@Suite struct StreamCommandTests {
  /// An array of single-precision numbers, rows × 100, the last column a function of the first ones.
  private func writeArray(_ rows: Int, to tool: CommandLineTool) throws {
    var header = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(rows), 100), }"
    header += String(repeating: " ", count: 117 - header.utf8.count) + "\n"
    var bytes = Data([0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0] + Array(header.utf8))
    var row = [Float](repeating: 0, count: 100)
    for k in 0..<rows {
      for j in 0..<99 { row[j] = Float((k &* 7919 &+ j &* 104_729 &+ k &* j) % 1000) / 1000 }
      row[99] = abs(row[0] - row[1]) + row[2]
      row.withUnsafeBytes { bytes.append(contentsOf: $0) }
    }
    try bytes.write(to: tool.folder.appendingPathComponent("a.npy"))
  }

  /// 80 MB of numbers trained on in less memory than they take, by themselves, without being asked to.
  @Test(arguments: ["mlp", "fenchel"])
  func moreDataThanMemory(model: String) throws {
    try CommandLineTool.inFolder { tool in
      try writeArray(200_000, to: tool)
      let result = try tool.run(
        "train", "a.npy", "--model", model, "--hidden", "8", "--epochs", "1", "--max-memory", "0.06",
        "--json",
        "--quiet")
      #expect(result.code == 0, "\(result.error)")
      let report = try #require(
        JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
      let peak = try #require(report["peakMemoryBytes"] as? Int)
      #expect(peak < 64_000_000, "\(peak) bytes for \(80_000_000)")
      #expect((report["data"] as? [String: Any])?["streamed"] as? Bool == true)
    }
  }

  /// What single precision cannot hold is refused as it is of data in memory.
  @Test(arguments: ["", "--stream"])
  func numbersBeyondSinglePrecision(option: String) throws {
    try CommandLineTool.inFolder { tool in
      try tool.write("a,y\n" + (0..<40).map { "\($0)e38,\($0 % 5).5\n" }.joined(), to: "t.csv")
      for (model, code) in [("mlp", 3), ("fenchel", 3), ("mlp --precision double", 0)] {
        let result = try tool.shell(
          "exec \"$FENCHEL\" train t.csv --no-standardise --batch-size 10 --quiet -o m \(option) --model \(model)"
        )
        #expect(result.code == Int32(code) || model.hasSuffix("double"), "\(model): \(result.error)")
        #expect(result.error.contains("single precision") == (code == 3), "\(model): \(result.error)")
      }
    }
  }

  @Test func refusals() throws {
    try CommandLineTool.inFolder { tool in
      try tool.write("a,b,y\n" + (0..<50).map { "\($0),\($0 % 7),\($0 % 5).5\n" }.joined(), to: "t.csv")
      for (arguments, code, message) in [
        ("t.csv --model mlp --batch-size 10", 0, ""), ("t.csv --model mlp --batch-size 10 --test 0.3", 0, ""),
        ("t.csv --model mlp --batch-size 10 --test t.csv", 0, ""), ("t.csv", 2, "relu"),
        ("t.csv --model mlp --batch-size 50", 2, "--batch-size"), ("t.csv --model lifted", 2, "lifted"),
        ("t.csv --model mlp --optimizer l-bfgs", 2, "l-bfgs"),
        ("t.csv --model mlp --batch-size 10 --early-stopping 3", 2, "early stopping"),
        ("t.csv --model mlp --impute median", 2, "--impute"),
        ("t.csv --model mlp --class-weight balanced", 2, "--class-weight"),
        ("digits --model mlp", 3, "inside the program"), ("absent.csv --model mlp", 3, "absent.csv"),
        ("t.csv --model mlp --batch-size 10 --max-memory 1e-7", 6, "needs"),
        ("t.csv --model mlp --batch-size 10 --test 2", 2, "--test"),
        ("- --format csv --model mlp", 3, "row by row"),
      ] {
        let result = try tool.shell("exec \"$FENCHEL\" train --quiet --stream -o m \(arguments)")
        #expect(result.code == Int32(code) && !result.wasKilled, "\(arguments): \(result.error)")
        #expect(message.isEmpty || result.error.contains(message), "\(arguments): \(result.error)")
        if code != 0 { #expect(result.error.filter { $0 == "\n" }.count == 1, "\(result.error)") }
      }
    }
  }

  /// A file that is cut while it is read: an error in one line, and no model.
  @Test func aFileThatShrinks() throws {
    try CommandLineTool.inFolder { tool in
      try writeArray(20_000, to: tool)
      let process = Process()
      process.executableURL = CommandLineTool.program
      process.arguments = [
        "train", "a.npy", "--stream", "--model", "mlp", "--hidden", "50", "--epochs", "1000", "--batch-size",
        "100",
      ]
      process.currentDirectoryURL = tool.folder
      try tool.write("", to: "error")
      process.standardError = try FileHandle(forWritingTo: tool.folder.appendingPathComponent("error"))
      process.standardOutput = FileHandle.nullDevice
      try process.run()
      usleep(1_500_000)
      #expect(truncate(tool.path("a.npy"), 1_000_000) == 0)
      CommandLineTool.wait(for: process)
      let text = String(decoding: tool.contents("error") ?? Data(), as: UTF8.self)
      #expect(process.terminationReason == .exit && process.terminationStatus == 3, "\(text)")
      #expect(text.contains("was changed while it was read") && tool.contents("model.safetensors") == nil)
    }
  }
}
