extension LineChart {
  /// The chart as an SVG document, 820 × 460.
  public var svg: String { Drawing(self).document }
}

/// The drawing of a chart in its coordinates: y grows downwards.
private struct Drawing {
  private let chart: LineChart
  private let x, y: AxisScale
  /// The markers of the lines: those of one name share one.
  private let markers: [ChartMarker]
  private let width = 820.0, height = 460.0
  /// The rectangle of the lines.
  private let left = 72.0, right = 580.0, top = 64.0, bottom = 402.0

  init(_ chart: LineChart) {
    self.chart = chart
    var names: [String] = []
    for line in chart.lines where !names.contains(line.name) { names.append(line.name) }
    markers = chart.lines.map { ChartMarker(names.firstIndex(of: $0.name) ?? 0) }
    let points = chart.lines.flatMap(\.points)
    x = AxisScale(chart.x, values: points.map(\.x))
    let levels = chart.lines.compactMap(\.level)
    y = AxisScale(chart.y, values: points.flatMap { [$0.y - $0.spread, $0.y + $0.spread] } + levels)
  }

  var document: String {
    let background = svgElement("rect", ["width": "100%", "height": "100%", "fill": "#ffffff"])
    let plot = svgElement(
      "clipPath", ["id": "plot"],
      svgElement(
        "rect",
        [
          "x": svgNumber(left), "y": svgNumber(top), "width": svgNumber(right - left),
          "height": svgNumber(bottom - top),
        ]))
    let parts =
      [svgElement("title", [:], svgEscaped(chart.title)), background, plot]
      + grid + bands + levels + strokes + [frame] + titles + legend
    return svgElement(
      "svg",
      [
        "xmlns": "http://www.w3.org/2000/svg", "viewBox": "0 0 \(svgNumber(width)) \(svgNumber(height))",
        "width": svgNumber(width), "height": svgNumber(height),
        "font-family": "Helvetica, Arial, sans-serif", "role": "img",
      ], "\n" + parts.filter { !$0.isEmpty }.joined(separator: "\n") + "\n") + "\n"
  }

  // MARK: Places

  private func place(_ x: Double, _ y: Double) -> (Double, Double)? {
    guard let across = self.x.position(x), let up = self.y.position(y) else { return nil }
    // Far outside of the frame is as good as anywhere outside.
    func limited(_ t: Double) -> Double { min(max(t, -20), 20) }
    return (left + limited(across) * (right - left), bottom - limited(up) * (bottom - top))
  }

  /// The finite stretches of a line, in drawing coordinates.
  private func stretches(_ line: ChartLine) -> [[(Double, Double)]] {
    var result: [[(Double, Double)]] = [[]]
    for point in line.points {
      if let place = place(point.x, point.y) {
        result[result.count - 1].append(place)
      } else {
        result.append([])
      }
    }
    return result.filter { !$0.isEmpty }
  }

  private func isShown(_ place: (Double, Double)) -> Bool {
    (left - 0.5...right + 0.5).contains(place.0) && (top - 0.5...bottom + 0.5).contains(place.1)
  }

  // MARK: Axes

  private var grid: [String] {
    let across = x.ticks.flatMap { tick -> [String] in
      guard let t = x.position(tick.value), (-1e-9...1 + 1e-9).contains(t) else { return [] }
      let at = left + t * (right - left)
      return [
        ruler("M\(svgNumber(at)) \(svgNumber(top))V\(svgNumber(bottom + 5))", "#e4e4e4"),
        text(tick.label, at, bottom + 19, anchor: "middle"),
      ]
    }
    let up = y.ticks.flatMap { tick -> [String] in
      guard let t = y.position(tick.value), (-1e-9...1 + 1e-9).contains(t) else { return [] }
      let at = bottom - t * (bottom - top)
      return [
        ruler("M\(svgNumber(left - 5)) \(svgNumber(at))H\(svgNumber(right))", "#e4e4e4"),
        text(tick.label, left - 9, at + 4, anchor: "end"),
      ]
    }
    return across + up
  }

  private var frame: String {
    ruler("M\(svgNumber(left)) \(svgNumber(top))V\(svgNumber(bottom))H\(svgNumber(right))", "#333333")
  }

  private var titles: [String] {
    let turned = "translate(20 \(svgNumber((top + bottom) / 2))) rotate(-90)"
    return [
      text(chart.title, left, 26, size: 16, weight: "bold"),
      text(chart.subtitle, left, 46, fill: "#555555"),
      text(chart.x.label, (left + right) / 2, bottom + 42, anchor: "middle"),
      svgElement("g", ["transform": turned], text(chart.y.label, 0, 0, anchor: "middle")),
    ]
  }

  // MARK: Lines

  private var bands: [String] {
    chart.lines.enumerated().compactMap { index, line in
      let upper = line.points.compactMap { place($0.x, $0.y + $0.spread) }
      let lower = line.points.compactMap { place($0.x, $0.y - $0.spread) }
      guard line.points.contains(where: { $0.spread > 0 }), upper.count > 1 else { return nil }
      return svgElement(
        "path",
        [
          "d": svgPath(upper + lower.reversed()) + "Z", "fill": markers[index].colour,
          "fill-opacity": "0.15", "clip-path": "url(#plot)",
        ])
    }
  }

  private var levels: [String] {
    chart.lines.enumerated().compactMap { index, line in
      guard let level = line.level, let t = y.position(level), (0...1).contains(t) else { return nil }
      let at = svgNumber(bottom - t * (bottom - top))
      return ruler("M\(svgNumber(left)) \(at)H\(svgNumber(right))", markers[index].colour, dashes: "2 4")
    }
  }

  private var strokes: [String] {
    chart.lines.enumerated().map { index, line in
      let (stretches, marker) = (stretches(line), markers[index])
      let paths = stretches.map { ruler(svgPath($0), marker.colour, width: "1.8") }
      let places = stretches.flatMap { $0 }
      let step = max(1, places.count / 8)
      let marks = places.indices.filter { $0 % step == (index * 3) % step || $0 == places.count - 1 }
      let shapes = marks.map { places[$0] }.filter(isShown).map { marker.drawing(at: $0) }
      return svgElement("g", ["clip-path": "url(#plot)"], paths.joined()) + shapes.joined()
    }
  }

  private var legend: [String] {
    let start = right + 22
    var at = top + 8
    var parts: [String] = []
    for (index, line) in chart.lines.enumerated()
    where !chart.lines[..<index].contains(where: { $0.name == line.name }) {
      let marker = markers[index]
      parts += [
        ruler("M\(svgNumber(start)) \(svgNumber(at))h26", marker.colour, width: "1.8"),
        marker.drawing(at: (start + 13, at)), text(line.name, start + 34, at + 4),
      ]
      if !line.note.isEmpty {
        at += 14
        parts.append(text(line.note, start + 34, at + 4, size: 10, fill: "#555555"))
      }
      at += 22
    }
    if chart.lines.contains(where: { $0.level != nil }), !chart.levelName.isEmpty {
      parts += [
        ruler("M\(svgNumber(start)) \(svgNumber(at))h26", "#333333", dashes: "2 4"),
        text(chart.levelName, start + 34, at + 4, size: 10, fill: "#555555"),
      ]
    }
    return parts
  }

  // MARK: Pieces

  private func ruler(_ path: String, _ colour: String, width: String = "1", dashes: String = "none") -> String
  {
    svgElement(
      "path",
      [
        "d": path, "fill": "none", "stroke": colour, "stroke-width": width, "stroke-dasharray": dashes,
        "stroke-linejoin": "round",
      ])
  }

  private func text(
    _ words: String, _ x: Double, _ y: Double, anchor: String = "start", size: Int = 12,
    weight: String = "normal", fill: String = "#222222"
  ) -> String {
    guard !words.isEmpty else { return "" }
    return svgElement(
      "text",
      [
        "x": svgNumber(x), "y": svgNumber(y), "text-anchor": anchor, "font-size": "\(size)",
        "font-weight": weight, "fill": fill,
      ], svgEscaped(words))
  }
}
