import Fenchel
import Testing

@Suite struct DecimalNumberTests {
  private func expectSame(_ text: String) {
    let (value, outcome) = DecimalNumber.parse(text)
    guard let expected = Double(text) else {
      Issue.record("the test's own token \(text) is no number")
      return
    }
    if expected.isInfinite {
      #expect(outcome == .tooLarge, "\(text)")
    } else {
      #expect(outcome == .number && value.bitPattern == expected.bitPattern, "\(text)")
    }
  }

  @Test func everyDoubleReadsBackFromItsShortestForm() {
    var generator = TestGenerator(1)
    for _ in 0..<20_000 {
      let value = Double(bitPattern: generator.next())
      if value.isFinite { expectSame(value.description) }
      expectSame(Double.random(in: -10...10, using: &generator).description)
    }
  }

  @Test func digitsAndExponentsOfAnyLengthAreRoundedToNearest() {
    var generator = TestGenerator(2)
    for _ in 0..<40_000 {
      let count = Int.random(in: 1...24, using: &generator)
      var digits = (0..<count).map { _ in String(Int.random(in: 0...9, using: &generator)) }
      if Bool.random(using: &generator) {
        digits.insert(".", at: Int.random(in: 0...count, using: &generator))
      }
      let sign = ["", "-", "+"].randomElement(using: &generator) ?? ""
      let exponent = Bool.random(using: &generator) ? "e\(Int.random(in: -40...40, using: &generator))" : ""
      expectSame(sign + digits.joined() + exponent)
    }
  }

  @Test func tiesGoToEven() {
    for text in [
      "9007199254740993", "9007199254740995", "90071992547409930e-1", "900719925474099.3e1",
      "4503599627370496.5", "4503599627370497.5", "4503599627370498.5", "1e23", "8.5e22", "0.5e-26",
      "18446744073709551615", "9999999999999999999e27", "9999999999999999999e-27", "1e-27", "0e400", "-0",
      "123456789012345678e-23", "5e-324", "2e-324", "1.7976931348623157e308", "1.7976931348623159e308",
      "1e400",
    ] {
      expectSame(text)
    }
  }

  @Test func acceptedForms() {
    for (text, value) in [
      ("1.", 1.0), (".5", 0.5), ("-.5E+1", -5), ("007", 7), ("1E2", 100), ("12345678", 12_345_678),
    ] {
      let result = DecimalNumber.parse(text)
      #expect(result.1 == .number && result.0 == value, "\(text)")
    }
  }

  @Test(arguments: [
    "", ".", "-", "+", "e5", ".e5", "1e", "1e+", "1,5", "1 000", "0x1p3", "0x10", "inf", "-inf", "nan",
    "1_000", "1.5.2",
    "--1", "1-", "１", "1e5.0", "12345678x", "1\0",
  ])
  func everythingElseIsRefused(text: String) {
    #expect(DecimalNumber.parse(text).1 == .notANumber)
  }
}
