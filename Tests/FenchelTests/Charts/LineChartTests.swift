import Fenchel
import Foundation
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

@Suite struct LineChartTests {
  private func chart(_ lines: [ChartLine], y: ChartAxis = ChartAxis("share")) -> LineChart {
    LineChart(
      title: "Title", subtitle: "below", x: ChartAxis("epochs"), y: y, lines: lines, levelName: "paper")
  }

  private func line(_ ys: [Double], name: String = "line", level: Double? = nil, spread: Double = 0)
    -> ChartLine
  {
    ChartLine(
      name, points: ys.enumerated().map { .init(x: Double($0.offset), y: $0.element, spread: spread) },
      level: level)
  }

  /// What another implementation reads: elements with their attributes, and the text.
  private final class Reading: NSObject, XMLParserDelegate {
    var elements: [(name: String, attributes: [String: String])] = []
    var text = ""

    func parser(
      _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
      attributes: [String: String]
    ) { elements.append((name, attributes)) }

    func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }
  }

  private func read(_ svg: String) throws -> Reading {
    let (parser, reading) = (XMLParser(data: Data(svg.utf8)), Reading())
    parser.delegate = reading
    try #require(parser.parse(), "\(parser.parserError.map { "\($0)" } ?? "") in \(svg)")
    return reading
  }

  /// Corners of the path of a line: those that are neither a ruler nor dashed.
  private func paths(_ reading: Reading) -> [[(Double, Double)]] {
    reading.elements.filter { $0.name == "path" && $0.attributes["stroke-width"] == "1.8" }
      .compactMap { $0.attributes["d"] }.filter { !$0.contains("h26") }
      .map { path in
        path.split { "ML".contains($0) }.map { corner in
          let numbers = corner.split(separator: " ").compactMap { Double($0) }
          return (numbers[0], numbers[1])
        }
      }
  }

  @Test func linesOfOneNameLookTheSameAndAreNamedOnce() throws {
    let lines = [line([0, 1], name: "start"), line([1, 0], name: "start"), line([0, 0], name: "other")]
    let reading = try read(chart(lines).svg)
    let colours = reading.elements.filter { $0.name == "path" && $0.attributes["stroke-width"] == "1.8" }
      .filter { $0.attributes["d"]?.contains("h26") == false }.compactMap { $0.attributes["stroke"] }
    #expect(colours.count == 3 && colours[0] == colours[1] && colours[1] != colours[2])
    #expect(reading.text.components(separatedBy: "start").count == 2)
    #expect(reading.text.components(separatedBy: "other").count == 2)
    let alone = try read(chart([lines[0], lines[2]]).svg)
    #expect(alone.elements.filter { $0.attributes["stroke"] == colours[2] }.isEmpty == false)
  }

  @Test func theLineGoesThroughItsPoints() throws {
    let reading = try read(chart([line([0, 1, 0.5])], y: ChartAxis("share", range: 0...1)).svg)
    let path = try #require(paths(reading).first)
    #expect(path.count == 3)
    // From the left below to the top, and back to halfway.
    #expect(path[0].0 == 72 && path[0].1 == 402 && path[1].1 == 64 && path[2].1 == 233)
    #expect(path[2].0 == 580 && path[1].0 == 326)
    for word in ["Title", "below", "epochs", "share", "line"] { #expect(reading.text.contains(word)) }
  }

  @Test func pointsThatAreNotFiniteLeaveAGap() throws {
    let reading = try read(chart([line([1, 2, .nan, 3, .infinity, 4, 5])]).svg)
    #expect(paths(reading).map(\.count) == [2, 1, 2])
  }

  @Test func namesAreEscaped() throws {
    let name = "a < b & \"c\"\u{1} 'd' λ"
    let reading = try read(chart([line([1, 2], name: name)]).svg)
    #expect(reading.text.contains("a < b & \"c\"  'd' λ"))
  }

  @Test func levelsAreDashedInTheColourOfTheirLine() throws {
    let reading = try read(
      chart([line([0, 1]), line([1, 0], name: "other", level: 0.5)], y: ChartAxis("", range: 0...1)).svg)
    let dashed = reading.elements.filter { $0.attributes["stroke-dasharray"] == "2 4" }
    #expect(dashed.count == 2)  // the level, and its entry in the legend
    #expect(dashed.first?.attributes["stroke"] == "#d55e00")
    #expect(dashed.first?.attributes["d"]?.contains(" 233H") == true)
    #expect(reading.text.contains("paper"))
  }

  @Test func bandsAreAsWideAsTheSpread() throws {
    let reading = try read(
      chart([line([0.5, 0.5], spread: 0.25)], y: ChartAxis("", range: 0...1)).svg)
    let band = try #require(reading.elements.first { $0.attributes["fill-opacity"] == "0.15" })
    #expect(band.attributes["d"] == "M72 148.5L580 148.5L580 317.5L72 317.5Z")
  }

  @Test(
    arguments: [
      [], [[]], [[3.0]], [[.nan]], [[1e300, -1e300]], [[0, 0]], [[Double.leastNonzeroMagnitude]],
      [[1.7e308, -1.7e308]],
      [[1e15, 1e15 + 1]], [[1e-299, 1e299]], [[-Double.leastNonzeroMagnitude, .leastNonzeroMagnitude]],
    ] as [[[Double]]])
  func anythingIsDrawn(values: [[Double]]) throws {
    _ = try read(chart(values.map { line($0) }).svg)
    var logarithmic = chart(values.map { line($0) })
    logarithmic.y.isLogarithmic = true
    logarithmic.x.isLogarithmic = true
    _ = try read(logarithmic.svg)
    if let low = values.first?.min(), let high = values.first?.max(), low <= high {
      _ = try read(chart(values.map { line($0) }, y: ChartAxis("", range: low...high)).svg)
    }
  }

  @Test func twentyLinesHaveMarkersToo() throws {
    let reading = try read(chart((0..<20).map { line([0, Double($0)], name: "\($0)") }).svg)
    #expect(paths(reading).count == 20)
    let marks = reading.elements.filter { ["circle", "polygon"].contains($0.name) }
    #expect(marks.count >= 40)
  }

  @Test(arguments: [
    (0.0, 1.0, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
    (0.88, 0.99, ["0.88", "0.90", "0.92", "0.94", "0.96", "0.98"]),
    (0.0, 60.0, ["0", "20", "40", "60"]),
    (-3.0, 4.0, ["−2", "0", "2", "4"]),
    (0.0, 12_000.0, ["0", "4000", "12000"]),
  ])
  func ticksAreRoundNumbers(low: Double, high: Double, labels: [String]) throws {
    let reading = try read(chart([line([low, high])], y: ChartAxis("", range: low...high)).svg)
    let text = reading.text.split(separator: "\n").map(String.init)
    for label in labels { #expect(text.contains { $0.contains(label) }, "\(label) of \(text)") }
  }

  @Test func logarithmicAxesHavePowersOfTen() throws {
    var logarithmic = chart([line([0.01, 1, 100])])
    logarithmic.y.isLogarithmic = true
    let reading = try read(logarithmic.svg)
    for label in ["0.01", "0.1", "1", "10", "100"] { #expect(reading.text.contains(label)) }
    let path = try #require(paths(reading).first)
    #expect(abs((path[0].1 - path[1].1) - (path[1].1 - path[2].1)) < 0.2)
  }

  @Test(arguments: [
    (0.96205, 4, "0.9621"), (0.96204, 4, "0.9620"), (0, 2, "0.00"), (-0.0001, 3, "0.000"),
    (-1.25, 1, "−1.3"), (12, 0, "12"), (1e-9, 3, "0.000"), (.infinity, 2, "inf"), (.nan, 2, "nan"),
    (1e300, 2, "1e+300"), (99.999, 2, "100.00"),
  ])
  func decimalsAreFixed(value: Double, digits: Int, text: String) {
    #expect(fixedDecimal(value, digits: digits) == text)
  }

  @Test(arguments: [
    (0.031234, 3, "0.0312"), (1.5e-9, 2, "1.5e-9"), (-348.78, 3, "−349"), (9.996, 3, "10.00"),
    (2e8, 2, "2.0e8"), (1e39, 2, "1.0e39"), (1e15, 3, "1.00e15"),
    (0, 3, "0.0"), (.infinity, 3, "inf"), (61.5165, 4, "61.52"),
  ])
  func significantDigits(value: Double, digits: Int, text: String) {
    #expect(significantDecimal(value, digits: digits) == text)
  }
}
