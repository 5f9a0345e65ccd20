import Fenchel
import Foundation
import Testing

/// Data that are odd and yet no error are solved to the tolerance, with finite weights and a note where it helps.
@Suite struct OddDataTests {
  @Test(arguments: [
    ("a,b,y\n1,7,0.5\n2,7,1.5\n3,7,2\n", "", "constant column, of no use: \"b\""),
    ("a,b,y\n1,1,0.5\n2,2,1.5\n4,4,2\n", "", "columns \"a\" and \"b\" are equal"),
    (
      "a,b,c,y\n1,2,3,1.5\n2,1,3,0\n3,3,6,2\n4,1,5,1\n0,1,1,3\n", "", "collinear columns: \"a\", \"b\", \"c\""
    ),
    ("a,b,y\n1,3,1.5\n2,5,0\n3,7,2\n4,9,1\n", "--no-bias", "collinear columns: \"a\", \"b\""),
    ("a,b,y\n1,2,0.5\n", "", "a single row"), ("a,b,c,d,y\n1,2,0,4,0.5\n2,1,1,1,1.5\n", "", ""),
    ("a,y\n1,0.5\n2,0.5\n3,0.5\n", "", ""), ("a,y\n1,0.5\n1,1.5\n1,2.5\n", "", "constant"),
    ("a,y\n1,0.5\n1,1.5\n1,2.7\n", "", "constant"), ("a,y\n0,0.5\n0,1.5\n0,2.7\n", "", "constant"),
    ("a,y\n1,0.5\n1,1.5\n1,2.7\n", "--patterns exact", "constant"),
    ("a,y\n3,k\n3,l\n3,m\n3,m\n3,k\n3,l\n", "", "constant"),
    ("a,y\n0,0.5\n0,1.5\n0,2.7\n", "--no-standardise --no-bias", "constant"),
    (
      "a,y\n0,1.116\n0,-0.183\n0,1.3725\n-1,-1.5064\n0,-0.0515\n",
      "--loss absolute --lambda-ratio 0.1 --tolerance 1e-6", ""
    ),
    ("a,y\n1,k\n2,l\n3,k\n", "", "classes of a single row: \"l\""),
    ("a,b,y\n1e300,1,0.5\n-1e300,2,1.5\n2e300,1,2.5\n", "", ""),
    ("a,b,y\n1.7e308,1,0.5\n-1.7e308,2,1.5\n1e308,1,2.5\n", "", ""),
    ("a,b,y\n1e-300,1,0.5\n-1e-300,2,1.5\n2e-300,1,2.5\n", "", ""),
    ("a,b,y\n4e-320,1,0.5\n-2e-320,2,1.5\n5e-324,1,2.5\n", "", ""),
    ("a,b,y\n1e300,1e-300,0.5\n-1e300,3e-300,1.5\n2e300,1e-300,2.5\n", "", ""),
    ("a,b,y\n1e-320,3e-320,0.5\n-2e-320,1e-320,1.5\n4e-320,-2e-320,2.5\n", "--no-standardise", ""),
    (
      "a,b,y\n1e-320,3e-320,0.5\n-2e-320,1e-320,1.5\n4e-320,-2e-320,2.5\n",
      "--no-standardise --patterns exact", ""
    ),
    ("a,y\n1e-320,0.5\n-2e-320,1.5\n4e-320,2.5\n", "--no-bias --patterns exact", ""),
    ("a,y\n1,1e300\n2,-1e300\n4,1.5e300\n", "--task regression", ""),
    ("a,y\n1,1e-300\n2,-1e-300\n4,1.5e-300\n", "", ""),
    ("a,w,y\n1,1e-300,0.5\n2,2e-300,1.5\n3,1e-300,2.5\n", "--weights w", ""),
    ("a,w,y\n1,1,0.5\n2,0,1.5\n3,1e-3,2.5\n", "--weights w", ""),
  ])
  func isSolved(text: String, arguments: String, note: String) throws {
    try CommandLineTool.inFolder { tool in
      try tool.write(text, to: "data.csv")
      for model in ["relu", "gated-relu"] {
        let result = try tool.shell(
          "exec \"$FENCHEL\" train data.csv -o m --model \(model) \(arguments)")
        #expect(result.code == 0 && !result.wasKilled, "\(model): \(result.error)\(result.output)")
        let notes = result.error.split(separator: "\n").filter { $0.hasPrefix("fenchel: note: ") }
        #expect(notes.contains { $0.contains(note) } == !note.isEmpty, "\(result.error)")
        let certificate = try #require(try ModelFile(contentsOf: tool.path("m")).report.certificate)
        #expect(certificate.relativeGap <= 1e-4 && certificate.primal.isFinite, "\(certificate)")
        #expect(try tool.run("verify", "m", "data.csv").code == 0)
        #expect(try tool.run("predict", "m", "data.csv").output.contains("nan") == false)
      }
    }
  }

  @Test func aModelThatExistsIsReplaced() throws {
    try CommandLineTool.inFolder { tool in
      try tool.write("a,y\n1,0.5\n2,1.5\n3,2\n", to: "data.csv")
      try tool.write("old", to: "m")
      #expect(try tool.run("train", "data.csv", "-o", "m").code == 0)
      #expect(try ModelFile(contentsOf: tool.path("m")).report.samples == 3)
      #expect(tool.files == ["data.csv", "m"])
    }
  }
}
