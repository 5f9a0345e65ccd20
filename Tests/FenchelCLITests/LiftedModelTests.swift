import Foundation
import Testing

/// What lifted models offer beside training: the dual's estimate, and a rule of prediction.
@Suite struct LiftedModelTests {
  @Test func theDualIsCalledAnEstimate() throws {
    try CommandLineTool.inFolder { tool in
      let arguments = "train iris --model fenchel --hidden 5 --epochs 3 --dual-steps 2"
      let text = try tool.shell("exec \"$FENCHEL\" \(arguments)")
      #expect(text.code == 0, "\(text.error)")
      let line = try #require(text.output.split(separator: "\n").first { $0.hasPrefix("dual ") })
      #expect(line.contains("an estimate, not a bound"), "\(line)")
      let result = try tool.shell("exec \"$FENCHEL\" \(arguments) --json --quiet")
      let report = try #require(
        try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
      let dual = try #require(report["lagrangianDual"] as? [String: Any])
      let ascent = try #require(dual["ascent"] as? [[String: Any]])
      #expect(dual["kind"] as? String == "estimate" && (1...3).contains(ascent.count))
      #expect(ascent.allSatisfy { Set($0.keys) == ["lambda", "value", "divergences", "network"] })
      let (value, network) = (
        try #require(dual["value"] as? Double), try #require(dual["network"] as? Double)
      )
      #expect(value <= network * (1 + 1e-6) && value > 0)
    }
  }

  @Test func theRuleIsAnOption() throws {
    try CommandLineTool.inFolder { tool in
      #expect(
        try tool.shell(
          "exec \"$FENCHEL\" train iris --model lifted --hidden 8,5 --epochs 15 --lambda 0.5 -o m"
        ).code == 0)
      #expect(try tool.shell("exec \"$FENCHEL\" train iris --model mlp --epochs 1 -o other").code == 0)
      let forward = try tool.run("predict", "m", "iris")
      #expect(try tool.run("predict", "m", "iris", "--rule", "feed-forward").output == forward.output)
      let lifted = try tool.run("predict", "m", "iris", "--rule", "lifted")
      #expect(lifted.code == 0 && lifted.output.split(separator: "\n").count == 151, "\(lifted.error)")
      for (arguments, message) in [
        ("other iris --rule lifted", "feed-forward"), ("m iris --rule lift", "did you mean lifted?"),
      ] {
        let result = try tool.shell("exec \"$FENCHEL\" predict \(arguments)")
        #expect(result.code == 2 && result.output.isEmpty, "\(result.error)")
        #expect(result.error.contains(message) && result.error.filter { $0 == "\n" }.count == 1)
      }
    }
  }
}
