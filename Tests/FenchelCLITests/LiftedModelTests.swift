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

  /// The report holds every number that the training used, and no other; blocks are solved where alternations are asked for.
  @Test(arguments: [
    ("fenchel --batch-size 50", "average,alternations,gamma,growth,last-gamma,momentum,relaxation"),
    ("fenchel --batch-size 50 --numbers alternations=2", "alternations,gamma,growth,last-gamma"),
    ("fenchel --batch-size 150 --numbers rho=0.1", "last-rho,rho"), ("lifted", "last-rho,rho"),
  ])
  func reportsHoldTheNumbers(options: String, names: String) throws {
    try CommandLineTool.inFolder { tool in
      let run = try tool.shell(
        "exec \"$FENCHEL\" train iris --hidden 5 --epochs 3 --json --quiet --model \(options)"
      )
      #expect(run.code == 0, "\(run.error)")
      let report = try #require(
        try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
      let settings = try #require(report["settings"] as? [String: Any])
      let layers = try #require(settings["layers"] as? [String: Any])
      let numbers = try #require(layers["numbers"] as? [String: Double])
      #expect(numbers.keys.sorted() == names.split(separator: ",").map(String.init).sorted())
      if options.contains("rho") { #expect(numbers["rho"] == 0.1) }
      #expect(numbers["alternations"] ?? 0 == (options.contains("alternations") ? 2 : 0))
    }
  }

  @Test(arguments: ["mlp", "contrastive", "lpom"])
  func earlyStoppingKeepsTheBestEpoch(model: String) throws {
    try CommandLineTool.inFolder { tool in
      let arguments =
        "train iris --hidden 30 --epochs 4000 --batch-size 20 --early-stopping 4:0.3 --model \(model)"
      let text = try tool.shell("exec \"$FENCHEL\" \(arguments) -o a")
      #expect(text.code == 0 && text.output.contains(", weights of epoch "), "\(text.error)")
      let run = try tool.shell("exec \"$FENCHEL\" \(arguments) -o b --json --quiet")
      let report = try #require(
        try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
      let history = try #require(report["history"] as? [[String: Any]])
      let held = history.compactMap { $0["validationLoss"] as? Double }
      let best = try #require(report["bestEpoch"] as? Int)
      #expect(held.count == history.count && held.count == best + 4 && held[best - 1] == held.min())
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
