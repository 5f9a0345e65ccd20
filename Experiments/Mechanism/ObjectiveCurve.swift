import ConvexOptimization
import Fenchel

/// How the objective of a training fell, from one start.
public struct ObjectiveCurve: Sendable, Equatable {
  public struct Point: Sendable, Equatable {
    public var epoch: Int
    /// Of training alone, since it began.
    public var seconds: Double
    /// Over all samples, penalty included.
    public var objective: Double
  }

  /// The method, the same for all its seeds.
  public var method: String
  public var seed: UInt64
  public var points: [Point]
  /// How it ended.
  public var status: Status

  /// The objective at the end.
  public var final: Double? { points.last?.objective }
}

extension [ObjectiveCurve] {
  /// The curves of a method.
  func of(_ method: String) -> [ObjectiveCurve] { filter { $0.method == method } }

  /// Objectives at the end of a method's curves.
  func final(_ method: String) -> Measurement? { Measurement(of(method).compactMap(\.final)) }

  /// How many of a method's curves end within a share of a value.
  func count(_ method: String, within share: Double, of value: Double) -> Int {
    of(method).count {
      ($0.final ?? .infinity) <= value + share * Swift.max(abs(value), .leastNormalMagnitude)
    }
  }

  /// Of each start of a method a line by seconds, which time shows on a logarithmic axis: without the start itself.
  func lines(_ method: String, name: (UInt64) -> String) -> [ChartLine] {
    of(method).map { curve in
      ChartLine(
        name(curve.seed),
        points: curve.points.filter { $0.seconds > 0 }.map {
          .init(x: $0.seconds, y: $0.objective, spread: 0)
        })
    }
  }

  /// One row a point of every curve, for any reader of CSV.
  var csv: String {
    var lines = ["method,seed,epoch,seconds,objective"]
    for curve in self {
      for point in curve.points {
        lines.append(
          "\(quotedField(curve.method)),\(curve.seed),\(point.epoch),\(point.seconds),\(point.objective)")
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }
}

/// A field of CSV between quotation marks.
func quotedField(_ text: String) -> String {
  "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
}
