/// What tells a line of a chart from the others: a colour, of those by Okabe and Ito that people of every sight tell
/// apart, and a shape for print in grey.
struct ChartMarker {
  private let index: Int

  /// The marker of a line by its place among the lines.
  init(_ index: Int) { self.index = index }

  var colour: String {
    let colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c8c8c"]
    return colours[index % colours.count]
  }

  /// The shape at a place.
  func drawing(at place: (Double, Double)) -> String {
    let (x, y) = place
    let r = 3.6
    guard let corners = corners else {
      return svgElement(
        "circle",
        [
          "cx": svgNumber(x), "cy": svgNumber(y), "r": svgNumber(r), "stroke": colour,
          "fill": index % 8 == 0 ? colour : "#ffffff",
        ])
    }
    let points = corners.map { "\(svgNumber(x + r * $0.0)),\(svgNumber(y + r * $0.1))" }
    return svgElement("polygon", ["points": points.joined(separator: " "), "fill": colour])
  }

  /// In units of the size; nil for a circle.
  private var corners: [(Double, Double)]? {
    switch index % 8 {
    case 0, 5: nil
    case 1: [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]
    case 2: [(0, -1.3), (1.2, 0.9), (-1.2, 0.9)]
    case 3: [(0, -1.4), (1.4, 0), (0, 1.4), (-1.4, 0)]
    case 4: [(0, 1.3), (1.2, -0.9), (-1.2, -0.9)]
    case 6: [(-1.2, -0.4), (1.2, -0.4), (1.2, 0.4), (-1.2, 0.4)]
    default: [(-0.4, -1.2), (0.4, -1.2), (0.4, 1.2), (-0.4, 1.2)]
    }
  }
}
