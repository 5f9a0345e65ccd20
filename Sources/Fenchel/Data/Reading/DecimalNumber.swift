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
    let outcome = parsePrefix(bytes, &position, end, into: &value)
    return position == end ? outcome : .notANumber
  }

  /// Reads the number that begins at `position`, which moves behind it.
  @inline(__always)
  static func parsePrefix(
    _ bytes: UnsafePointer<UInt8>, _ position: inout Int, _ end: Int, into value: inout Double
  ) -> Outcome {
    let start = position
    var negative = false
    if position < end, bytes[position] == 0x2D || bytes[position] == 0x2B {
      negative = bytes[position] == 0x2D
      position += 1
    }
    var digits: UInt64 = 0
    let integerStart = position
    readDigits(bytes, &position, end, &digits)
    var count = position - integerStart
    var exponent = 0
    if position < end, bytes[position] == 0x2E {
      position += 1
      let fractionStart = position
      readDigits(bytes, &position, end, &digits)
      exponent = fractionStart - position
      count -= exponent
    }
    guard count > 0 else { return .notANumber }
    if position < end, bytes[position] | 0x20 == 0x65 {
      guard let power = parseExponent(bytes, &position, end) else { return .notANumber }
      exponent += power
    }
    guard count <= 19, let magnitude = nearest(digits, exponent) else {
      return parseSlowly(bytes, start, position, into: &value)
    }
    value = negative ? -magnitude : magnitude
    return .number
  }

  /// Appends the decimal digits from `position` on to `digits` (modulo 2⁶⁴), eight at a time where there are as
  /// many.
  @inline(__always)
  private static func readDigits(
    _ bytes: UnsafePointer<UInt8>, _ position: inout Int, _ end: Int, _ digits: inout UInt64
  ) {
    while position + 8 <= end {
      let word = UInt64(
        littleEndian: UnsafeRawPointer(bytes + position).loadUnaligned(as: UInt64.self))
      let high =
        (word & 0xF0F0_F0F0_F0F0_F0F0) | ((word &+ 0x0606_0606_0606_0606) & 0xF0F0_F0F0_F0F0_F0F0) >> 4
      guard high == 0x3333_3333_3333_3333 else { break }
      var pairs = word & 0x0F0F_0F0F_0F0F_0F0F
      pairs = (pairs &* 10 &+ pairs >> 8) & 0x00FF_00FF_00FF_00FF
      pairs = (pairs &* 100 &+ pairs >> 16) & 0x0000_FFFF_0000_FFFF
      pairs = (pairs &* 10_000 &+ pairs >> 32) & 0x0000_0000_FFFF_FFFF
      digits = digits &* 100_000_000 &+ pairs
      position += 8
    }
    while position < end {
      let digit = bytes[position] &- 0x30
      guard digit < 10 else { break }
      digits = digits &* 10 &+ UInt64(digit)
      position += 1
    }
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

  /// The exponent from its `e` on, clamped to ±100000.
  private static func parseExponent(
    _ bytes: UnsafePointer<UInt8>, _ position: inout Int, _ end: Int
  ) -> Int? {
    position += 1
    var negative = false
    if position < end, bytes[position] == 0x2D || bytes[position] == 0x2B {
      negative = bytes[position] == 0x2D
      position += 1
    }
    let start = position
    var power = 0
    while position < end {
      let digit = bytes[position] &- 0x30
      guard digit < 10 else { break }
      power = min(power * 10 + Int(digit), 100_000)
      position += 1
    }
    guard position > start else { return nil }
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

  /// w / 5^q, rounded once, times 2^−q.
  ///
  /// With w and 5^q shifted to x, y ≥ 2⁶³, the integer part of 2⁶³·x/y comes from x times the first 128 bits of
  /// 2¹⁹¹/y. Those are cut off, so the 128-bit fraction is too small by less than 2 of its last places; only where
  /// that could carry into the integer part is the division done.
  private static func quotient(_ w: UInt64, _ q: Int) -> Double {
    guard w != 0 else { return 0 }
    let reciprocal = reciprocals.withUnsafeBufferPointer { $0[q] }
    let a = w.leadingZeroBitCount
    let x = w << UInt64(a)
    let (high, middle) = x.multipliedFullWidth(by: reciprocal.high)
    let (fraction, carry) = middle.addingReportingOverflow(x.multipliedFullWidth(by: reciprocal.low).high)
    var bits = high &+ (carry ? 1 : 0)
    var sticky = true
    if fraction >= UInt64.max - 1 {
      let (exact, remainder) = reciprocal.divisor.dividingFullWidth((x >> 1, x << 63))
      (bits, sticky) = (exact, remainder != 0)
    }
    return rounded(bits, sticky: sticky) * exactPowerOfTwo(reciprocal.shift - a - 63 - q)
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

  /// For each power of five up to 5^27: itself shifted to the left until its first bit is set, and the first 128
  /// bits of 2¹⁹¹ divided by that.
  private struct Reciprocal {
    var divisor: UInt64
    var shift: Int
    var high: UInt64 = 0
    var low: UInt64 = 0

    init(_ power: UInt64) {
      shift = power.leadingZeroBitCount
      divisor = power << UInt64(shift)
      guard divisor > 1 << 63 else { return }
      let (high, rest) = divisor.dividingFullWidth((1 << 63, 0))
      self.high = high
      low = divisor.dividingFullWidth((rest, 0)).quotient
    }
  }

  private static let reciprocals: [Reciprocal] = powersOfFive.map { Reciprocal($0) }

  private static let powersOfFive: [UInt64] = (0...27).map { exponent in
    (0..<exponent).reduce(1) { power, _ in power * 5 }
  }
}
