/// Decimal numbers in files: `[+-] digits [. digits] [e [+-] digits]` with at least one digit before the
/// exponent, and nothing else (no `inf`, hexadecimal digits, thousands separators or decimal commas).
///
/// The result is the nearest Double, ties to even, for any number of digits; the machine's locale is not asked.
/// A number too small becomes 0, one too large is refused. Cost: a few nanoseconds up to 19 digits.
package enum DecimalNumber {
  package enum Outcome: Sendable, Equatable {
    case number
    case notANumber
    case tooLarge
  }

  /// Reads the number that fills the bytes `start..<end` of `bytes`.
  @inline(__always)
  static func parse(
    _ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int, into value: inout Double
  ) -> Outcome {
    var position = start
    var negative = false
    if position < end, bytes[position] == 0x2D || bytes[position] == 0x2B {
      negative = bytes[position] == 0x2D
      position += 1
    }
    var digits: UInt64 = 0
    let integerStart = position
    while position < end {
      let digit = bytes[position] &- 0x30
      guard digit < 10 else { break }
      digits = digits &* 10 &+ UInt64(digit)
      position += 1
    }
    var count = position - integerStart
    var exponent = 0
    if position < end, bytes[position] == 0x2E {
      position += 1
      let fractionStart = position
      while position < end {
        let digit = bytes[position] &- 0x30
        guard digit < 10 else { break }
        digits = digits &* 10 &+ UInt64(digit)
        position += 1
      }
      exponent = fractionStart - position
      count -= exponent
    }
    guard count > 0 else { return .notANumber }
    if position < end {
      guard let power = parseExponent(bytes, position, end) else { return .notANumber }
      exponent += power
    }
    if count > 19 { return parseSlowly(bytes, start, end, into: &value) }
    guard let magnitude = nearest(digits, exponent) else {
      return parseSlowly(bytes, start, end, into: &value)
    }
    value = negative ? -magnitude : magnitude
    return .number
  }

  /// The number in `text`, or `nil`.
  package static func parse(_ text: String) -> (Double, Outcome) {
    var value = 0.0
    var text = text
    let outcome = text.withUTF8 { utf8 -> Outcome in
      guard let base = utf8.baseAddress else { return .notANumber }
      return parse(base, 0, utf8.count, into: &value)
    }
    return (value, outcome)
  }

  /// The exponent after `e`, clamped to ±100000, when it fills the bytes.
  private static func parseExponent(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Int? {
    var position = start
    guard bytes[position] | 0x20 == 0x65 else { return nil }
    position += 1
    var negative = false
    if position < end, bytes[position] == 0x2D || bytes[position] == 0x2B {
      negative = bytes[position] == 0x2D
      position += 1
    }
    guard position < end else { return nil }
    var power = 0
    while position < end {
      let digit = bytes[position] &- 0x30
      guard digit < 10 else { return nil }
      power = min(power * 10 + Int(digit), 100_000)
      position += 1
    }
    return negative ? -power : power
  }

  /// The Double nearest to w · 10^q, or `nil` for |q| > 27.
  @inline(__always)
  private static func nearest(_ w: UInt64, _ q: Int) -> Double? {
    if w <= 1 << 53, q.magnitude <= 22 {
      return q < 0 ? Double(w) / exactPower(-q) : Double(w) * exactPower(q)
    }
    guard q.magnitude <= 27 else { return w == 0 ? 0 : nil }
    return q < 0 ? quotient(w, -q) : product(w, q)
  }

  @inline(__always)
  private static func exactPower(_ q: Int) -> Double { powersOfTen.withUnsafeBufferPointer { $0[q] } }

  /// w · 5^q as a 128-bit integer, rounded once, times 2^q.
  private static func product(_ w: UInt64, _ q: Int) -> Double {
    let (high, low) = w.multipliedFullWidth(by: powersOfFive[q])
    if high == 0 { return Double(low) * exactPowerOfTwo(q) }
    let shift = high.leadingZeroBitCount
    let top = shift == 0 ? high : high << UInt64(shift) | low >> UInt64(64 - shift)
    let rest = shift == 0 ? low : low << UInt64(shift)
    return rounded(top, sticky: rest != 0) * exactPowerOfTwo(q + 64 - shift)
  }

  /// w / 5^q to 62 bits and a remainder, rounded once, times 2^−q.
  private static func quotient(_ w: UInt64, _ q: Int) -> Double {
    guard w != 0 else { return 0 }
    let divisor = powersOfFive[q]
    let (a, b) = (w.leadingZeroBitCount, divisor.leadingZeroBitCount)
    let (x, y) = (w << UInt64(a), divisor << UInt64(b))
    let (bits, remainder) = y.dividingFullWidth((x >> 1, x << 63))
    return rounded(bits, sticky: remainder != 0) * exactPowerOfTwo(b - a - 63 - q)
  }

  /// The integer `bits` (at least 55 bits long) with something more behind it, rounded to 53 bits: a set last
  /// bit stands for the rest, which lies below the rounding position.
  @inline(__always)
  private static func rounded(_ bits: UInt64, sticky: Bool) -> Double { Double(sticky ? bits | 1 : bits) }

  @inline(__always)
  private static func exactPowerOfTwo(_ n: Int) -> Double {
    Double(bitPattern: UInt64(1023 + n) << 52)
  }

  private static func parseSlowly(
    _ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int, into value: inout Double
  ) -> Outcome {
    let text = String(decoding: UnsafeBufferPointer(start: bytes + start, count: end - start), as: UTF8.self)
    guard let number = Double(text) else { return .notANumber }
    if number.isInfinite { return .tooLarge }
    value = number
    return .number
  }

  private static let powersOfTen: [Double] = (0...22).map { exponent in
    (0..<exponent).reduce(1.0) { power, _ in power * 10 }
  }

  private static let powersOfFive: [UInt64] = (0...27).map { exponent in
    (0..<exponent).reduce(1) { power, _ in power * 5 }
  }
}
