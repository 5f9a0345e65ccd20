/// Lines over two axes, drawn as SVG: for curves of training, paths and sweeps.
///
/// Colours are told apart by people who see red and green alike, and lines carry markers too, so that a print in grey can be
/// read. Points that are not finite leave a gap.
public struct LineChart: Sendable, Equatable {
  public var title: String
  /// A line under the title, such as the setting.
  public var subtitle: String
  public var x: ChartAxis
  public var y: ChartAxis
  public var lines: [ChartLine]
  /// What the dashed levels of lines are.
  public var levelName: String

  public init(
    title: String, subtitle: String = "", x: ChartAxis, y: ChartAxis, lines: [ChartLine] = [],
    levelName: String = ""
  ) {
    (self.title, self.subtitle, self.x, self.y, self.lines) = (title, subtitle, x, y, lines)
    self.levelName = levelName
  }
}

/// An axis of a chart.
public struct ChartAxis: Sendable, Equatable {
  public var label: String
  /// What is shown; nil for all there is.
  public var range: ClosedRange<Double>?
  /// Equal lengths for equal ratios; values of 0 and below are not shown.
  public var isLogarithmic: Bool

  public init(_ label: String, range: ClosedRange<Double>? = nil, isLogarithmic: Bool = false) {
    (self.label, self.range, self.isLogarithmic) = (label, range, isLogarithmic)
  }
}

/// A line of a chart with its name. Lines of one name, such as runs from several starts, look the same and share an entry of
/// the legend, that of the first.
public struct ChartLine: Sendable, Equatable {
  public struct Point: Sendable, Equatable {
    public var x, y: Double
    /// How far a band about the line reaches to either side; 0 for none.
    public var spread: Double

    public init(x: Double, y: Double, spread: Double = 0) {
      (self.x, self.y, self.spread) = (x, y, spread)
    }
  }

  public var name: String
  /// A second line of the legend, in small letters.
  public var note: String
  public var points: [Point]
  /// A value to compare with: a dashed level in the colour of the line.
  public var level: Double?

  public init(_ name: String, note: String = "", points: [Point], level: Double? = nil) {
    (self.name, self.note, self.points, self.level) = (name, note, points, level)
  }
}
