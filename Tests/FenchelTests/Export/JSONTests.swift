import Fenchel
import Testing

@Suite struct JSONTests {
  @Test(arguments: [
    ("null", JSON.null), (" [1, -2.5e3]\n", .array([.number("1"), .number("-2.5e3")])),
    (
      #"{"a":{"b":[true,false]}}"#, .object(["a": .object(["b": .array([.boolean(true), .boolean(false)])])])
    ),
    (#""\"\\\/\b\f\n\r\té\ud83d\ude00é""#, .string("\"\\/\u{8}\u{c}\n\r\té😀é")),
    ("{}", .object([:])), ("[]", .array([])), (#""\u0000""#, .string("\0")),
  ])
  func valuesAreRead(text: String, expected: JSON) throws {
    #expect(try JSON(parsing: text) == expected)
  }

  @Test(arguments: [
    "", " ", "{", "[1,]", "{\"a\":1,}", "{\"a\" 1}", "{a:1}", "01", "1.", ".5", "+1", "1e", "-", "tru", "nan",
    "Infinity", "\"", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\n\"",
    "1 2", "[1] x", #"{"a":1,"a":2}"#, #"{"a":1,"\u0061":2}"#, "\"\\u00g0\"",
  ])
  func anythingElseIsAnError(text: String) {
    #expect(throws: JSONError.self) { try JSON(parsing: text) }
  }

  @Test func bytesThatAreNotUTF8AreAnError() {
    for bytes: [UInt8] in [[0x22, 0xff, 0x22], [0x22, 0xc0, 0x80, 0x22], [0x22, 0xed, 0xa0, 0x80, 0x22]] {
      #expect(throws: JSONError.self) { try JSON(parsing: bytes) }
    }
  }

  @Test(arguments: ["[", "{\"a\":"])
  func deepNestingIsAnErrorNotATrap(opening: String) {
    #expect(throws: JSONError.self) { try JSON(parsing: String(repeating: opening, count: 100_000)) }
  }

  @Test func quotedTextReadsBack() throws {
    for text in ["", "plain", "\"\\\n\r\t\0\u{1f}\u{7f}", "é😀\u{2028}"] {
      #expect(try JSON(parsing: JSON.quoted(text)) == .string(text))
    }
  }

  @Test func onlyNaturalNumbersAreNatural() throws {
    #expect(JSON.number("12").natural == 12)
    for text in ["-1", "1.0", "1e2", "99999999999999999999"] { #expect(JSON.number(text).natural == nil) }
  }
}
