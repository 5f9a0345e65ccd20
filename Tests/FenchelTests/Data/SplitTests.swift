import Fenchel
import Testing

@Suite struct SplitTests {
  private let strata: [Int32] = (0..<100).map { $0 < 80 ? 0 : $0 < 99 ? 1 : 2 }

  @Test func classesKeepTheirShares() throws {
    let split = try Split(rows: 100, testFraction: 0.25, seed: 5, strata: strata)
    #expect((split.train + split.test).sorted() == Array(0..<100))
    #expect(split.test.count { strata[$0] == 0 } == 20)
    #expect(split.test.count { strata[$0] == 1 } == 5)
    #expect(!split.test.contains(99), "a class of one row stays in training")
  }

  @Test func theSeedDecides() throws {
    let first = try Split(rows: 50, testFraction: 0.2, seed: 1)
    #expect(try Split(rows: 50, testFraction: 0.2, seed: 1) == first)
    #expect(try Split(rows: 50, testFraction: 0.2, seed: 2) != first)
  }

  @Test func foldsTestEveryRowOnce() throws {
    let folds = try Split.folds(5, rows: 100, seed: 3, strata: strata)
    #expect(folds.flatMap(\.test).sorted() == Array(0..<100))
    for fold in folds {
      #expect(Set(fold.train).isDisjoint(with: fold.test) && fold.train.count == 80)
      #expect(fold.test.count { strata[$0] == 0 } == 16)
    }
  }

  @Test func fractionsAndFoldsOutOfRange() {
    for fraction in [0, 1, -0.5, .nan, 2] {
      expectError(["--test: the fraction must lie between 0 and 1"]) {
        try Split(rows: 10, testFraction: fraction, seed: 1)
      }
    }
    expectError(["leaves one part empty"]) { try Split(rows: 1, testFraction: 0.5, seed: 1) }
    expectError(["--folds: 11 folds of 10 rows"]) { try Split.folds(11, rows: 10, seed: 1) }
    expectError(["--folds: 1 folds"]) { try Split.folds(1, rows: 10, seed: 1) }
  }

  @Test func tablesAreCutByClass() throws {
    let (train, test) = try Table.read("iris").split(testFraction: 0.2, seed: 7)
    #expect(train.rows == 120 && test.rows == 30)
    let schema = try Schema(inferredFrom: train)
    guard case .classes(let indices, 3) = try schema.dataset(from: test, as: Double.self).targets else {
      Issue.record("the task of iris is classification")
      return
    }
    let counts = (0..<3).map { k in indices.count { $0 == Int32(k) } }
    #expect(counts == [10, 10, 10])
  }

  @Test func bothPartsHaveTheSchemaOfTheFirst() throws {
    let table = try Table.read("iris")
    let (train, test) = try table.datasets(testFraction: 0.2, seed: 7)
    let parts = try table.split(testFraction: 0.2, seed: 7)
    #expect(train.rows == parts.train.rows && test.rows == parts.test.rows)
    let schema = try Schema(inferredFrom: parts.train)
    #expect(train.schema == schema && test.schema == schema)
    let same: Dataset<Double> = try train.schema.dataset(from: parts.test)
    #expect(test.features == same.features)
    #expect(throws: DataError.self) { try table.datasets(testFraction: 1) }
  }
}
