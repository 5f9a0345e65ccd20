import Foundation
import Testing

@Suite struct ForecastCommandTests {
  private func json(_ text: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  /// A signal with a kink in its law: s = 1 − 1.6 |s|.
  private func tent(_ n: Int) -> [Double] {
    var values = [0.2]
    while values.count < n { values.append(1 - 1.6 * abs(values[values.count - 1])) }
    return values
  }

  private func csv(_ values: [String], header: String = "volt") -> String {
    ([header] + values).joined(separator: "\n") + "\n"
  }

  @Test func aSignalIsForecastSavedAndVerified() throws {
    try CommandLineTool.inFolder { tool in
      let values = tent(300)
      try tool.write(csv(values.map { "\($0)" }), to: "s.csv")
      let line =
        "forecast s.csv --window 3 --horizon 5 --test 0.3 --bound none --quiet --compare-epochs 20 --save m "
        + "--output f.csv --figure f.svg --windows w.csv"
      let run = try tool.shell("exec \"$FENCHEL\" \(line)")
      #expect(run.code == 0 && run.error.isEmpty, "\(run.error)")
      for word in ["certificate", "relu", "linear", "last", "sgd", "adam", "1 step", "held out", "f.svg"] {
        #expect(run.output.contains(word), "\(word) in \(run.output)")
      }
      #expect(tool.files == ["f.csv", "f.svg", "m", "s.csv", "w.csv"])
      let svg = String(decoding: tool.contents("f.svg") ?? Data(), as: UTF8.self)
      #expect(svg.hasPrefix("<svg") && svg.contains("relu") && svg.contains("5 steps ahead"))
      // The same bits on one thread, as JSON.
      let report = try json(tool.shell("exec \"$FENCHEL\" \(line) --threads 1 --json").output)
      #expect(report["horizon"] as? Int == 5 && report["trainingWindows"] as? Int == 207)
      let methods = try #require(report["methods"] as? [[String: Any]])
      #expect(methods.compactMap { $0["name"] as? String } == ["relu", "linear", "last", "sgd", "adam"])
      #expect(methods.allSatisfy { ($0["steps"] as? [[String: Any]])?.count == 5 })
      // The model predicts what comes next, by the names of the columns or without them.
      let proof = try tool.run("verify", "m", "w.csv")
      #expect(proof.code == 0 && proof.output.contains("holds"), "\(proof.error)")
      let window = values.suffix(3).map { "\($0)" }.joined(separator: ",")
      try tool.write("lag_3,lag_2,lag_1\n\(window)\n", to: "named.csv")
      try tool.write("\(window)\n", to: "plain.csv")
      let named = try tool.run("predict", "m", "named.csv", "--quiet")
      let plain = try tool.run("predict", "m", "plain.csv", "--no-header", "--quiet")
      let future = try #require((report["future"] as? [[String: Any]])?.first?["value"] as? Double)
      for result in [named, plain] {
        let lines = result.output.split(separator: "\n")
        // Readers of JSON may round a number's last digit.
        #expect(lines.count == 2 && lines[0] == "next", "\(result)")
        #expect(abs((lines.last.flatMap { Double($0) } ?? .nan) - future) <= 1e-14, "\(result) \(future)")
      }
    }
  }

  @Test func theElectrocardiogramIsKnownByName() throws {
    try CommandLineTool.inFolder { tool in
      let run = try tool.run(
        "forecast", "ecg", "--samples", "600", "--compare", "linear", "--lambda-ratio", "0.05", "--bound",
        "none",
        "--quiet")
      #expect(run.code == 0 && run.output.contains("600 samples"), "\(run.error)")
      #expect(!run.output.contains("adam") && tool.files == ["model.safetensors"])
      let list = try tool.run("data", "list")
      #expect(list.output.contains("ecg"))
    }
  }

  @Test func refusals() throws {
    try CommandLineTool.inFolder { tool in
      let good = tent(60).map { "\($0)" }
      try tool.write(csv(good), to: "s.csv")
      try tool.write(csv(Array(good.prefix(20))), to: "short.csv")
      try tool.write(csv(good.prefix(30) + ["nan"] + good.suffix(29)), to: "nan.csv")
      try tool.write(csv(good.prefix(30) + ["1e400"] + good.suffix(29)), to: "huge.csv")
      try tool.write(csv(good.prefix(30) + ["hi"] + good.suffix(29)), to: "text.csv")
      try tool.write(csv([String](repeating: "2", count: 90)), to: "flat.csv")
      try tool.write("volt\n", to: "empty.csv")
      for (arguments, code, message) in [
        ("s.csv --window 0", 2, "--window 0"), ("s.csv --window -1", 2, "--window"),
        ("s.csv --window x", 2, "--window"), ("s.csv --horizon 0", 2, "--horizon 0"),
        ("s.csv --samples 0", 2, "--samples 0"), ("s.csv --samples 61", 2, "60"),
        ("s.csv --test 0", 2, "--test"), ("s.csv --test 1", 2, "--test"), ("s.csv --test nan", 2, "--test"),
        ("s.csv --window 3 --column amp", 3, "volt"), ("s.csv --window 3 --column 4", 3, "0 to 0"),
        ("short.csv --window 15", 3, "20 samples are too few"), ("s.csv --window 1000000000", 3, "too few"),
        ("s.csv --window 3 --horizon 1000000000", 3, "too few"), ("nan.csv --window 3", 3, "nan.csv:32"),
        ("huge.csv --window 3", 3, "huge.csv:32"), ("text.csv --window 3", 3, "hi"),
        ("flat.csv --window 3", 3, "nothing to forecast"), ("empty.csv --window 3", 3, "empty.csv"),
        ("none.csv", 3, "none.csv"), ("", 2, "name the data"),
        ("s.csv --window 3 --model mlp", 2, "no convex program"),
        ("s.csv --window 3 --loss logistic", 2, "not for signals"),
        ("s.csv --compare linar", 2, "did you mean linear?"), ("s.csv --compare sgd,sgd", 2, "once"),
        ("s.csv --compare-epochs 0", 2, "--compare-epochs"), ("s.csv --compare-rate -1", 2, "--compare-rate"),
        ("s.csv --windo 3", 2, "--window"), ("s.csv --output s.csv", 2, "also an input"),
        ("s.csv --save a --output a", 2, "one file"), ("s.csv --figure none/f.svg", 2, "no such folder"),
        ("s.csv --window 3 --max-memory 1e-6", 6, "the limit is"),
      ] {
        let result = try tool.shell("exec \"$FENCHEL\" forecast --quiet \(arguments)")
        #expect(
          result.code == Int32(code) && !result.wasKilled, "\(arguments): \(result.code) \(result.error)")
        #expect(result.error.contains(message), "\(arguments): \(result.error)")
        #expect(
          result.error.filter { $0 == "\n" }.count == 1 && result.output.isEmpty,
          "\(arguments): \(result.error)")
        #expect(!tool.files.contains("model.safetensors"), "\(arguments)")
      }
    }
  }

  @Test func aConfigFileMayHoldTheOptions() throws {
    try CommandLineTool.inFolder { tool in
      try tool.write(csv(tent(80).map { "\($0)" }), to: "s.csv")
      try tool.write(
        "data: s.csv\nwindow: 3\nhorizon: 2\ncompare: [linear, last]\nbound: none\ntest: 0.4\nsave: m\n",
        to: "c.yaml")
      let run = try tool.run("forecast", "--config", "c.yaml", "--quiet", "--compare", "last")
      #expect(run.code == 0 && run.output.contains("last") && !run.output.contains("linear"), "\(run.error)")
      #expect(tool.files == ["c.yaml", "m", "s.csv"])
    }
  }
}
