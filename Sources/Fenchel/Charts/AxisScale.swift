import RealModule

/// Where values of an axis lie between its ends, and where its ticks are.
struct AxisScale: Sendable, Equatable {
  let least, greatest: Double
  let isLogarithmic: Bool
  let ticks: [Tick]

  struct Tick: Sendable, Equatable {
    var value: Double
    var label: String
  }

  /// A scale for some values: over the axis's own range, or widened to whole ticks.
  init(_ axis: ChartAxis, values: [Double]) {
    isLogarithmic = axis.isLogarithmic
    let shown = values.filter { Self.isDrawable($0, logarithmic: axis.isLogarithmic) }
    var (low, high) = (shown.min() ?? 0, shown.max() ?? 1)
    let range = axis.range.flatMap { range in
      [range.lowerBound, range.upperBound].allSatisfy {
        Self.isDrawable($0, logarithmic: axis.isLogarithmic)
      } ? range : nil
    }
    if let range { (low, high) = (range.lowerBound, range.upperBound) }
    if axis.isLogarithmic {
      if shown.isEmpty, range == nil { (low, high) = (1, 10) }
      (least, greatest, ticks) = Self.powers(low, high)
    } else {
      (least, greatest, ticks) = Self.steps(low, high, isFixed: range != nil)
    }
  }

  /// 0 at the least and 1 at the greatest value; nil where a value has no place.
  func position(_ value: Double) -> Double? {
    guard Self.isDrawable(value, logarithmic: isLogarithmic) else { return nil }
    return isLogarithmic
      ? (.log(value) - .log(least)) / (.log(greatest) - .log(least)) : (value - least) / (greatest - least)
  }

  /// Whether a value has a place; those at the ends of Double have none.
  private static func isDrawable(_ value: Double, logarithmic: Bool) -> Bool {
    abs(value) <= 1e300 && (!logarithmic || value >= 1e-300)
  }

  /// Ticks at multiples of 1, 2 or 5 times a power of ten, some five of them.
  private static func steps(_ low: Double, _ high: Double, isFixed: Bool) -> (Double, Double, [Tick]) {
    let isWide = high - low > 1e-9 * max(abs(low), abs(high)) && high - low > 1e-290
    let span = isWide ? high - low : max(abs(high), 1)
    let raw = span / 5
    let exponent = Int((Double.log(raw) / .log(10)).rounded(.down))
    let power = Double.pow(10, exponent)
    let factor = [1.0, 2, 5, 10].first { $0 * power >= raw * 0.8 } ?? 10
    let step = factor * power
    let (first, last) =
      isFixed
      ? ((low / step - 1e-9).rounded(.up), (high / step + 1e-9).rounded(.down))
      : ((low / step + 1e-9).rounded(.down), (high / step - 1e-9).rounded(.up))
    let digits = max(0, factor == 10 ? -exponent - 1 : -exponent)
    let ticks = stride(from: first, through: max(last, first), by: 1).map {
      Tick(value: $0 * step, label: Self.label($0 * step, digits: digits))
    }
    let end = isFixed ? high : max(last, first + 1) * step
    return (isFixed ? low : first * step, end > low ? end : low + span, ticks)
  }

  /// Ticks at powers of ten, and at 2 and 5 times these where there are few; from the last one below the values to the
  /// first above.
  private static func powers(_ low: Double, _ high: Double) -> (Double, Double, [Tick]) {
    func decade(_ value: Double) -> Int { Int((Double.log(value) / .log(10)).rounded(.down)) }
    let (first, last) = (decade(low), decade(high) + 1)
    let factors = last - first > 4 ? [1.0] : [1.0, 2, 5]
    let all = (first...last).flatMap { exponent in
      factors.map { Tick(value: $0 * .pow(10, exponent), label: powerLabel($0, exponent)) }
    }
    let begin = all.lastIndex { $0.value <= low * (1 + 1e-9) } ?? 0
    var end = all.firstIndex { $0.value >= high * (1 - 1e-9) } ?? all.count - 1
    if end <= begin { end = min(begin + 1, all.count - 1) }
    let step = max(1, (end - begin) / 12)
    let shown = stride(from: begin, through: end, by: step).map { all[$0] }
    return (all[begin].value, all[end].value, shown)
  }

  private static func powerLabel(_ factor: Double, _ exponent: Int) -> String {
    (-3...4).contains(exponent)
      ? label(factor * .pow(10, exponent), digits: max(0, -exponent)) : "\(Int(factor))e\(exponent)"
  }

  /// Fixed digits; beyond what people read so, with an exponent.
  private static func label(_ value: Double, digits: Int) -> String {
    digits <= 6 && abs(value) < 1e7 ? fixedDecimal(value, digits: digits) : "\(value)"
  }
}

/// A number with as many digits behind the point, rounded half away from zero: `0.9620`. What is not finite, or too large
/// for its digits to be told, is written as Swift does.
public func fixedDecimal(_ value: Double, digits: Int) -> String {
  let scaled = (abs(value) * .pow(10, digits)).rounded()
  guard scaled.isFinite, scaled < 9e15, digits >= 0 else { return "\(value)" }
  let text = String(Int(scaled))
  let padded = String(repeating: "0", count: max(0, digits + 1 - text.count)) + text
  let sign = value < 0 && scaled > 0 ? "−" : ""
  guard digits > 0 else { return sign + padded }
  return sign + padded.dropLast(digits) + "." + padded.suffix(digits)
}

/// A number with as many significant digits: `0.0312`, `1.5e-9`. Far from 1 it has an exponent.
public func significantDecimal(_ value: Double, digits: Int) -> String {
  guard value.isFinite, value != 0, digits > 0 else { return "\(value)" }
  var exponent = Int((Double.log(abs(value)) / .log(10)).rounded(.down))
  // The logarithm of a power of ten may fall short of it.
  if abs(value) / .pow(10, exponent) >= 9.999_999_999_999 { exponent += 1 }
  if (-4...6).contains(exponent) { return fixedDecimal(value, digits: max(0, digits - 1 - exponent)) }
  return "\(fixedDecimal(value / .pow(10, exponent), digits: digits - 1))e\(exponent)"
}
