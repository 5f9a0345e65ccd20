import Fenchel
import FoundationEssentials
import LinearAlgebra
import Testing

@Suite struct SchemaTests {
  private func options(_ change: (inout SchemaOptions) -> Void = { _ in }) -> SchemaOptions {
    var options = SchemaOptions()
    change(&options)
    return options
  }

  private func dataset(
    _ text: String, _ change: (inout SchemaOptions) -> Void = { _ in }
  ) throws -> Dataset<Double> {
    let table = try parsed(text)
    return try Schema(inferredFrom: table, options: options(change)).dataset(from: table)
  }

  @Test func theTaskFollowsFromTheTarget() throws {
    #expect(try dataset("a,y\n1,u\n2,v\n").schema.task == .classification)
    #expect(try dataset("a,y\n1,1.5\n2,2\n").schema.task == .regression)
    #expect(try dataset("a,y,z\n1,1,2\n2,3,4\n") { $0.targets = ["y", "z"] }.schema.task == .regression)
    let many = (0...20).map { "1,\($0)" }.joined(separator: "\n")
    #expect(try dataset("a,y\n" + many).schema.task == .regression)
    #expect(try dataset("a,y\n1,3e200\n2,1e200\n").schema.task == .regression)
    #expect(try dataset("a,y\n1,-1\n2,1\n") { $0.task = .classification }.schema.classes == ["-1", "1"])
    #expect(
      try dataset("a,y\n1,-1\n2,1\n") { $0.task = .regression }.targets == .values(Matrix(column: [-1, 1])))
  }

  @Test(arguments: ["a,y\n1,-1\n2,1\n", "a,y\n1,0\n2,1\n", "a,y\n1,3\n2,3\n"])
  func integersCouldBeEither(text: String) {
    expectError(["f: the target \"y\" holds only the integers", "--task classification or --task regression"])
    {
      try dataset(text)
    }
  }

  @Test func classesAreOrderedAsNumbersOrElseByBytes() throws {
    #expect(
      try dataset("a,y\n1,10\n2,9\n3,-1\n") { $0.task = .classification }.schema.classes == ["-1", "9", "10"])
    let text = try dataset("a,y\n1,b\n2,10\n3,9\n4,ä\n5,B\n")
    #expect(text.schema.classes == ["10", "9", "B", "b", "ä"])
    #expect(text.targets == .classes([3, 0, 1, 4, 2], count: 5))
    #expect(text.targets.matrix?.row(0) == [0, 0, 0, 1, 0])
    let two = try dataset("a,y\n1,no\n2,yes\n")
    #expect(two.targets.signs == Matrix(column: [-1, 1]))
  }

  @Test func categoriesBecomeColumns() throws {
    let data = try dataset("c,a,y\nred,1,1.5\nblue,2,2\nred,3,3\n") { $0.categorical = ["c"] }
    #expect(data.schema.featureNames == ["c=blue", "c=red", "a"])
    #expect(data.features == Matrix(rows: [[0, 1, 1], [1, 0, 2], [0, 1, 3]]))
  }

  @Test func laterTablesAreMatchedByName() throws {
    let trained = try dataset("c,a,skip,y\nred,1,x,1.5\nblue,2,x,2\n") {
      $0.categorical = ["c"]
      $0.ignore = ["skip"]
    }
    let schema = trained.schema
    let later = try parsed("extra,y,a,c\n0,1.5,7,green\n0,2.5,8,blue\n")
    let data: Dataset<Double> = try schema.dataset(from: later)
    #expect(data.features == Matrix(rows: [[0, 0, 7], [1, 0, 8]]))
    #expect(data.notices.count == 2 && data.notices[0] == "columns left alone: \"extra\"")
    #expect(data.notices[1].contains("unseen in training, such as \"green\""))
    let bare: Dataset<Double> = try schema.dataset(from: parsed("a,c\n1,red\n"), targets: .ignored)
    #expect(bare.targets == .none && bare.notices.isEmpty)
    expectError(["f: columns \"c\", \"a\" are missing; the file has \"b\", \"y\""]) {
      try schema.dataset(from: parsed("b,y\n1,2\n"), as: Double.self)
    }
    expectError(["column \"y\" is missing"]) {
      try schema.dataset(from: parsed("a,c\n1,red\n"), as: Double.self)
    }
    expectError(["f:2:1: column \"a\": \"x\" is not a number"]) {
      try schema.dataset(from: parsed("a,c\nx,red\n"), as: Double.self, targets: .ignored)
    }
  }

  @Test func filesWithoutNamesAreMatchedByPosition() throws {
    let trained = try parsed("1.5,2,0.5\n3,4,1\n") { $0.hasHeader = false }
    let schema = try Schema(inferredFrom: trained)
    func later(_ text: String) throws -> Matrix<Double> {
      try schema.dataset(from: parsed(text) { $0.hasHeader = false }, targets: .ignored).features
    }
    #expect(try later("5,6\n") == Matrix(rows: [[5, 6]]))
    #expect(try later("5,6,9\n") == Matrix(rows: [[5, 6]]))
    expectError(["f: 4 columns, but the model was trained on 3 (or 2 without the target)"]) {
      try later("5,6,9,1\n")
    }
    let first = try Schema(inferredFrom: trained, options: options { $0.targets = ["0"] })
    let shifted: Dataset<Double> = try first.dataset(
      from: parsed("5,6\n") { $0.hasHeader = false }, targets: .ignored)
    #expect(shifted.features == Matrix(rows: [[5, 6]]))
  }

  @Test func libsvmFilesMayBeNarrowerOrWider() throws {
    let schema = try Schema(
      inferredFrom: parsed("1 1:1 3:3\n-1 2:2\n", .libsvm), options: options { $0.task = .classification })
    let narrow: Dataset<Double> = try schema.dataset(from: parsed("1 1:5\n", .libsvm))
    #expect(narrow.features == Matrix(rows: [[5, 0, 0]]))
    let wide: Dataset<Double> = try schema.dataset(from: parsed("-1 2:1 9:5\n", .libsvm))
    #expect(wide.features == Matrix(rows: [[0, 1, 0]]) && wide.notices.count == 1)
  }

  @Test func missingEntriesAreErrorsUnlessImputed() throws {
    let text = "a,c,y\n1,u,1.5\n,u,2\n3,,3\n9,v,4\n,v,4\n"
    expectError(["f:3: row 2: column \"a\" is missing (2 such entries in all)", "--impute median"]) {
      try dataset(text) { $0.ignore = ["c"] }
    }
    expectError(["f:4: row 3: column \"c\" is missing, as in 1 row of 5"]) {
      try dataset(text) { ($0.ignore, $0.categorical) = (["a"], ["c"]) }
    }
    let data = try dataset(text) { ($0.categorical, $0.imputesMedian) = (["c"], true) }
    #expect(data.features.column(0) == [1, 3, 3, 9, 3])
    #expect(data.features.row(2) == [3, 1, 0])
    let schema = data.schema
    let later: Dataset<Double> = try schema.dataset(from: parsed("a,c,y\nNA,?,1\n"))
    #expect(later.features == Matrix(rows: [[3, 1, 0]]))
    expectError(["f:3: row 2: the target \"y\" is missing, as in 1 row of 3"]) {
      try dataset("a,y\n1,2.5\n2,\n3,4\n")
    }
    expectError(["f:3: row 2: the class in column \"y\" is missing"]) { try dataset("a,y\n1,u\n2,\n3,v\n") }
  }

  @Test func infiniteEntriesInBinaryFiles() throws {
    let table = Table(source: "f.npy", columns: [.numbers([1, .infinity, .nan]), .numbers([0.5, 1, 2])])
    expectError(["f.npy: row 2: column \"x0\" is infinite (2 such entries in all)"]) {
      try Schema(inferredFrom: table).dataset(from: table, as: Double.self)
    }
    let target = Table(source: "f.npy", columns: [.numbers([1, 2]), .numbers([0.5, -.infinity])])
    expectError(["row 2: the target \"x1\" is infinite"]) {
      try Schema(inferredFrom: target).dataset(from: target, as: Double.self)
    }
    let large = Table(source: "f.npy", columns: [.numbers([1e300, 2]), .numbers([0.5, 1])])
    expectError(["row 1: column \"x0\" is infinite or too large for Float (the only such entry)"]) {
      try Schema(inferredFrom: large).dataset(from: large, as: Float.self)
    }
  }

  @Test func weights() throws {
    let data = try dataset("a,w,y\n1,2,0.5\n2,0,1\n") { $0.weights = "w" }
    #expect(data.sampleWeights == [2, 0] && data.schema.featureNames == ["a"])
    expectError(["f:3: row 2: the weight in column \"w\" is negative"]) {
      try dataset("a,w,y\n1,2,0.5\n2,-1,1\n") { $0.weights = "w" }
    }
    expectError(["f:2: row 1: the weight in column \"w\" is missing"]) {
      try dataset("a,w,y\n1,NA,0.5\n2,1,1\n") { $0.weights = "w" }
    }
    expectError(["all weights in column \"w\" are zero"]) {
      try dataset("a,w,y\n1,0,0.5\n2,0,1\n") { $0.weights = "w" }
    }
    expectError(["f:2:3: column \"w\": \"x\" is not a number"]) {
      try dataset("a,w,y\n1,x,0.5\n2,0,1\n") { $0.weights = "w" }
    }
  }

  @Test func classWeights() throws {
    let table = try parsed("a,w,y\n1,1,u\n2,1,u\n3,2,u\n4,1,v\n")
    let schema = try Schema(inferredFrom: table, options: options { $0.weights = "w" })
    let balanced: Dataset<Double> = try schema.dataset(from: table, classWeights: .balanced)
    #expect(balanced.sampleWeights == [0.625, 0.625, 1.25, 2.5])
    let given: Dataset<Double> = try schema.dataset(from: table, classWeights: ClassWeights("v=3"))
    #expect(given.sampleWeights == [1, 1, 2, 3])
    expectError(["has no class \"z\"; the classes are \"u\", \"v\""]) {
      try schema.dataset(from: table, as: Double.self, classWeights: ClassWeights("z=1"))
    }
    expectError(["\"v\" is not of the form class=weight"]) { try ClassWeights("v") }
    expectError(["class \"v\" must be a number of at least 0"]) { try ClassWeights("v=-1") }
    expectError(["class \"v\" appears twice"]) { try ClassWeights("v=1,v=2") }
  }

  @Test func rolesAndColumnsThatDoNotFit() {
    let text = "a,b,y\n1,2,0.5\n2,3,1\n"
    let cases: [((inout SchemaOptions) -> Void, String)] = [
      ({ $0.targets = ["z"] }, "there is no column \"z\": the columns are \"a\", \"b\", \"y\""),
      ({ $0.targets = ["7"] }, "there is no column 7: the columns are 0 to 2"),
      ({ $0.targets = ["y", "2"] }, "column \"y\" is named twice as a target"),
      ({ ($0.targets, $0.ignore) = (["y"], ["y"]) }, "is both a target and ignored"),
      ({ $0.ignore = ["y"] }, "is the target by default but has another use"),
      ({ ($0.targets, $0.weights) = (["y"], "y") }, "holds weights and has another use"),
      ({ $0.ignore = ["a", "b"] }, "no column is left to be a feature"),
      ({ $0.categorical = ["y"] }, "cannot be categorical"),
      ({ ($0.targets, $0.task) = (["a", "y"], .classification) }, "classification has one target"),
    ]
    for (change, part) in cases { expectError([part]) { try dataset(text, change) } }
    expectError(["no column is left to be a feature"]) { try dataset("y\n0.5\n1\n") }
  }

  @Test func oneClassOneRowUnseenClass() throws {
    expectError(["the only class is \"u\"; at least two"]) { try dataset("a,y\n1,u\n2,u\n") }
    let data = try dataset("a,y\n1,u\n2,v\n3,v\n")
    #expect(data.oddities() == ["classes of a single row: \"u\""])
    expectError(["f:2: row 1: class \"w\" is unknown; the classes are \"u\", \"v\""]) {
      try data.schema.dataset(from: parsed("a,y\n1,w\n"), as: Double.self)
    }
    #expect(try dataset("a,y\n1,2.5\n").oddities() == ["there is a single row to learn from"])
  }

  @Test func oddColumnsAreNoticed() throws {
    let data = try dataset("a,b,c,y\n1,5,1,0.5\n2,5,2,1\n3,5,3,2\n")
    #expect(
      data.oddities() == ["1 constant column, of no use: \"b\"", "columns \"a\" and \"c\" are equal"])
  }

  @Test func collinearColumnsAreNoticed() throws {
    func lines(_ columns: Int, _ entry: (Int, [Double]) -> Double) throws -> [String] {
      var random = TestGenerator(7)
      let rows = (0..<40).map { _ in
        let free = (0..<columns).map { _ in Double.random(in: -1...1, using: &random) }
        return ((0..<columns).map { "\(entry($0, free))" } + ["\(free[0])"]).joined(separator: ",")
      }
      let names = (0..<columns).map { "x\($0)" } + ["y"]
      return try dataset(names.joined(separator: ",") + "\n" + rows.joined(separator: "\n")).oddities()
    }
    #expect(try lines(5) { j, x in x[j] }.isEmpty)
    #expect(
      try lines(5) { j, x in j == 3 ? 1e6 * (x[0] - 2 * x[2]) + 5e7 : x[j] }
        == ["collinear columns: \"x0\", \"x2\", \"x3\""])
    #expect(try lines(5) { j, x in j == 3 ? x[0] + 1e-6 * x[3] : x[j] }.isEmpty)
    let two = try lines(6) { j, x in j == 1 ? 1e300 * x[0] : j == 4 ? x[3] - x[5] : x[j] }
    #expect(two.count == 1 && two[0].hasSuffix(", and 1 more such set"))
    #expect(try lines(41) { j, x in x[j] }.isEmpty)
  }

  @Test func tooManyCategoriesAreRefusedWithTheirSize() throws {
    let rows = (0..<3000).map { "k\($0),\($0).5" }.joined(separator: "\n")
    let table = try parsed("c,y\n" + rows)
    let schema = try Schema(inferredFrom: table, options: options { $0.categorical = ["c"] })
    expectError(["a feature matrix of 3000 rows and 3000 columns needs 69 MiB"]) {
      try schema.dataset(from: table, as: Double.self, memoryLimit: 1 << 20)
    }
  }

  @Test func theSchemaSurvivesItsModelFile() throws {
    let schema = try dataset("c,a,w,y\nred,1,1,u\nblue,2,1,v\n") {
      ($0.categorical, $0.weights, $0.imputesMedian) = (["c"], "w", true)
    }.schema
    let bytes = try JSONEncoder().encode(schema)
    #expect(try JSONDecoder().decode(Schema.self, from: bytes) == schema)
    var broken = schema
    broken.features[0].position = 99
    let damaged = try JSONEncoder().encode(broken)
    #expect(throws: DecodingError.self) { try JSONDecoder().decode(Schema.self, from: damaged) }
    #expect(schema.textColumns == ["c", "y"])
  }

  @Test func weightedMedian() {
    #expect(Median.weighted([3, 1, 2], nil) == 2)
    #expect(Median.weighted([4, 1, 2, 3], nil) == 2.5)
    #expect(Median.weighted([1, 2, 3], [1, 1, 2]) == 2.5)
    #expect(Median.weighted([1, .nan, 3], [0, 5, 2]) == 3)
    #expect(Median.weighted([.nan], nil) == nil)
    #expect(Median.weighted([1e308, 1.5e308], nil) == 1.25e308)
  }
}
