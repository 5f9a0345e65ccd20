import Foundation
import Testing

@Suite struct ReproduceTests {
  @Test func theListNamesEveryExperiment() throws {
    try CommandLineTool.inFolder { tool in
      let text = try tool.run("reproduce", "list")
      #expect(text.code == 0 && text.output.contains("gu-2019/figure-1") && text.output.contains("arXiv"))
      let names = try JSONDecoder().decode(
        [String].self, from: Data(try tool.run("reproduce", "list", "--json").output.utf8))
      #expect(names.contains("askari-2018/table-1"))
      for name in names { #expect(text.output.contains(name)) }
      #expect(tool.files.isEmpty)
    }
  }

  @Test func aQuickRunPrintsAndWrites() throws {
    try CommandLineTool.inFolder { tool in
      let run = try tool.run(
        "reproduce", "gu-2019/deep-networks", "--quick", "--seeds", "1", "--output", "out/put")
      #expect(run.code == 0, "\(run.error)")
      for word in ["Adam", "not the paper’s images", "left open by the paper", "epochs.svg", "method"] {
        #expect(run.output.contains(word), "\(word) in \(run.output)")
      }
      #expect(tool.files == ["out"])
      let chart = try #require(tool.contents("out/put/gu-2019/deep-networks/seconds.svg"))
      #expect(String(decoding: chart, as: UTF8.self).hasPrefix("<svg"))
      // Once more into the same folder, for a program to read.
      let json = try tool.run(
        "reproduce", "gu-2019/deep-networks", "--quick", "--seeds", "1", "--output", "out/put", "--json",
        "--quiet")
      #expect(json.code == 0 && json.error.isEmpty)
      let reports = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [[String: Any]]
      let report = try #require(reports?.first)
      #expect(
        report["experiment"] as? String == "gu-2019/deep-networks" && report["isQuick"] as? Bool == true)
      #expect((report["files"] as? [String])?.count == 4)
    }
  }

  @Test func dataThatAreNotThereAreNamedWithTheirRemedy() throws {
    try CommandLineTool.inFolder { tool in
      let nowhere = [
        "FENCHEL_DATA": tool.path("none"), "HOME": tool.path("home"), "XDG_CACHE_HOME": tool.path("cache"),
      ]
      let run = try tool.run("reproduce", "gu-2019/figure-2", environment: nowhere)
      #expect(run.code == 3)
      #expect(
        run.error.contains("mnist: not found") && run.error.contains("fenchel data fetch mnist"),
        "\(run.error)")
      #expect(run.output.isEmpty)
      let quick = try tool.run(
        "reproduce", "gu-2019/deep-networks", "--quick", "--seeds", "1", environment: nowhere)
      #expect(quick.code == 0, "\(quick.error)")
    }
  }

  @Test func anInterruptedRunWritesWhatItHas() throws {
    try CommandLineTool.inFolder { tool in
      let run = try tool.shell(
        "\"$FENCHEL\" reproduce all --quick --seeds 200 --output out --quiet & "
          + "while [ ! -d out ]; do sleep 0.05; done; sleep 0.5; kill -TERM $!; wait $!")
      #expect(run.code == 143, "\(run.error)")
      #expect(run.output.contains("stopped before the end"), "\(run.output)")
      let result = try #require(tool.contents("out/askari-2018/figure-1/result.json"))
      #expect(String(decoding: result, as: UTF8.self).contains("\"isComplete\" : false"))
    }
  }

  @Test func aFolderThatIsAFileIsRefused() throws {
    try CommandLineTool.inFolder { tool in
      try tool.write("mine", to: "out")
      let run = try tool.run("reproduce", "gu-2019", "--quick", "--output", "out")
      #expect(run.code == 2 && run.error.contains("out"), "\(run.error)")
      #expect(tool.contents("out") == Data("mine".utf8))
    }
  }
}
