import Foundation
import Testing

@Suite struct GenerateCommandTests {
  private func json(_ data: Data?) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: data ?? Data()) as? [String: Any])
  }

  /// Images of 9 × 12 pixels in two folders.
  private func writeImages(_ tool: CommandLineTool, _ count: Int = 30) throws {
    for folder in ["a", "b"] {
      try FileManager.default.createDirectory(
        atPath: tool.path("faces/\(folder)"), withIntermediateDirectories: true)
    }
    for k in 0..<count {
      let pixels = (0..<108).map { UInt8(($0 * (k % 7 + 1) + k * k * 13 + ($0 / 9) * k) % 251) }
      try (Data("P5\n9 12\n255\n".utf8) + Data(pixels)).write(
        to: URL(fileURLWithPath: tool.path("faces/\(k % 2 == 0 ? "a" : "b")/\(k).pgm")))
    }
  }

  @Test func facesAreGenerated() throws {
    try CommandLineTool.inFolder { tool in
      try writeImages(tool)
      let line = "gan faces --sizes 3,9 --beta-ratio 0.01 --samples 10 --quiet"
      let run = try tool.shell("exec \"$FENCHEL\" \(line) --output out/put")
      #expect(run.code == 0 && run.error.isEmpty, "\(run.error)")
      for word in ["30 images of 9 × 12", "≤ β in every stage", "residual", "samples-9.png", "result.json"] {
        #expect(run.output.contains(word), "\(word) in \(run.output)")
      }
      let names = try FileManager.default.contentsOfDirectory(atPath: tool.path("out/put")).sorted()
      #expect(
        names == [
          "data-3.png", "data-9.png", "generator.safetensors", "result.json", "samples-3.pgm",
          "samples-3.png",
          "samples-9.pgm", "samples-9.png",
        ])
      // Four pictures across, three down, with lines of two pixels.
      let pgm = try #require(tool.contents("out/put/samples-9.pgm"))
      #expect(pgm.starts(with: Data("P5\n46 35\n255\n".utf8)))
      let png = try #require(tool.contents("out/put/samples-9.png"))
      #expect(png.starts(with: [0x89, 0x50, 0x4E, 0x47]))
      let report = try json(tool.contents("out/put/result.json"))
      let stages = try #require(report["stages"] as? [[String: Any]])
      #expect(report["images"] as? Int == 30 && stages.count == 2)
      for stage in stages {
        let (β, constraint) = (stage["beta"] as? Double ?? .nan, stage["constraint"] as? Double ?? .nan)
        #expect(stage["holds"] as? Bool == true && constraint <= β * (1 + 1e-9) && β > 0)
        #expect(stage["residual"] as? Double ?? 1 < 1e-10)
      }
      // The same files again, on one thread, over those that are there; another seed gives others.
      let again = try tool.shell("exec \"$FENCHEL\" \(line) --output out/put --threads 1 --json")
      let sameStages = try #require(try json(Data(again.output.utf8))["stages"] as? [[String: Any]])
      #expect(sameStages.map { $0["constraint"] as? Double } == stages.map { $0["constraint"] as? Double })
      #expect(tool.contents("out/put/samples-9.png") == png && tool.contents("out/put/samples-9.pgm") == pgm)
      let other = try tool.shell("exec \"$FENCHEL\" \(line) --output other --seed 1")
      #expect(other.code == 0 && tool.contents("other/samples-9.png") != png)
    }
  }

  @Test func networksAreGeneratorsToo() throws {
    try CommandLineTool.inFolder { tool in
      try writeImages(tool, 24)
      let run = try tool.run(
        "gan", "faces", "--generator", "relu", "--sizes", "2,4", "--beta-ratio", "0.05", "--quiet", "--json")
      #expect(run.code == 0 && run.error.isEmpty, "\(run.error)")
      let stages = try #require(try json(Data(run.output.utf8))["stages"] as? [[String: Any]])
      for stage in stages {
        let proof = try #require(stage["certificate"] as? [String: Any])
        #expect(proof["relativeGap"] as? Double ?? 1 <= 1e-4 && stage["neurons"] as? Int ?? 0 > 0)
        #expect(stage["residual"] as? Double ?? 1 < 0.05)
      }
      #expect(tool.files == ["faces", "generated"])
    }
  }

  @Test func dataSetsOfImagesHaveNames() throws {
    try CommandLineTool.inFolder { tool in
      let run = try tool.run("gan", "digits", "--quiet", "--beta-ratio", "0.05")
      #expect(run.code == 0 && run.output.contains("1797 images of 8 × 8"), "\(run.error)")
    }
  }

  /// A folder that is not here is one among the known data sets; one that is here comes first.
  @Test func foldersOfKnownDataHaveNames() throws {
    try CommandLineTool.inFolder { tool in
      try writeImages(tool)
      let own = [
        "FENCHEL_DATA": tool.path("data"), "HOME": tool.path("home"), "XDG_CACHE_HOME": tool.path("c"),
      ]
      func run(_ name: String) throws -> CommandLineTool.Result {
        try tool.run("gan", name, "--sizes", "4", "--quiet", "--output", "out", environment: own)
      }
      try FileManager.default.createDirectory(atPath: tool.path("data"), withIntermediateDirectories: true)
      try FileManager.default.moveItem(atPath: tool.path("faces"), toPath: tool.path("data/people"))
      let found = try run("people")
      #expect(found.code == 0 && found.output.contains("people · 30 images"), "\(found.error)")
      #expect(try run("nobody").code == 3)
      #expect(try run("").code == 2)
      try FileManager.default.createDirectory(atPath: tool.path("people"), withIntermediateDirectories: true)
      let here = try run("people")
      #expect(here.code == 3 && here.error.contains("no PGM images"), "\(here.error)")
    }
  }

  @Test func refusals() throws {
    try CommandLineTool.inFolder { tool in
      try writeImages(tool, 6)
      for folder in ["empty", "mixed", "damaged", "one", "same"] {
        try FileManager.default.createDirectory(atPath: tool.path(folder), withIntermediateDirectories: true)
      }
      try tool.write("P2\n2 2\n9\n1 2 3 4\n", to: "mixed/a.pgm")
      try tool.write("P2\n2 1\n9\n1 2\n", to: "mixed/b.pgm")
      try tool.write("P2\n2 2\n9\n1 2 3 4\n", to: "damaged/a.pgm")
      try tool.write("P5\n2 2\n255\nab", to: "damaged/b.pgm")
      try tool.write("P2\n2 2\n9\n1 2 3 4\n", to: "one/a.pgm")
      for name in ["a", "b"] { try tool.write("P2\n2 2\n9\n1 2 3 4\n", to: "same/\(name).pgm") }
      try tool.write("mine", to: "file")
      let before = tool.files
      for (arguments, code, message) in [
        ("faces --beta -1", 2, "--beta"), ("faces --beta nan", 2, "--beta"),
        ("faces --beta inf", 2, "--beta"),
        ("faces --beta-ratio -0.1", 2, "--beta-ratio"), ("faces --beta 1 --beta-ratio 1", 2, "exclude"),
        ("faces --beta-ratio 1 --sizes 4", 2, "not below"), ("faces --beta 1e9 --sizes 4", 2, "not below"),
        ("faces --sizes 8,4", 2, "rising"), ("faces --sizes 0", 2, "no size"),
        ("faces --sizes x", 2, "no size"),
        ("faces --sizes 4,10", 3, "10 × 10"), ("faces --noise 0", 2, "--noise"),
        ("faces --noise 6 --sizes 4", 2, "fewer than images"), ("faces --samples 0", 2, "--samples"),
        ("faces --threads 0", 2, "--threads"), ("faces --generator rellu", 2, "did you mean relu?"),
        ("faces --lambda-ratio 0.1", 2, "take --generator relu"),
        ("faces --patterns 9", 2, "take --generator relu"),
        ("faces --generator relu --patterns x", 2, "refine"),
        ("faces --generator relu --lambda-ratio 0", 2, "--lambda"),
        ("faces --output file", 2, "is no folder"), ("faces --output faces", 2, "folder of the data"),
        ("faces --sizes 4 --output file/x", 2, "cannot be made"), ("empty", 3, "no PGM images"),
        ("mixed", 3, "mixed/b.pgm: 2 × 1 pixels"), ("damaged", 3, "damaged/b.pgm"),
        ("one", 3, "at least two"),
        ("same", 3, "equal"), ("none", 3, "none"), ("iris", 3, "not known to be images"),
        ("file", 3, "file"), ("faces --max-memory 1e-7", 6, "the limit"),
        ("faces --sizes 4 --max-memory 1e-5", 6, "generator needs"), ("", 2, "data"),
      ] {
        let result = try tool.shell("exec \"$FENCHEL\" gan --quiet \(arguments)")
        #expect(
          result.code == Int32(code) && !result.wasKilled, "\(arguments): \(result.code) \(result.error)")
        #expect(result.error.contains(message), "\(arguments): \(result.error)")
        #expect(
          result.error.filter { $0 == "\n" }.count == 1 && result.output.isEmpty,
          "\(arguments): \(result.error)")
        #expect(tool.files == before, "\(arguments)")
      }
      #expect(tool.contents("file") == Data("mine".utf8))
    }
  }
}
