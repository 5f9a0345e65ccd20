import ConvexOptimization
import LinearAlgebra

/// Samples that a training asks for batch by batch, wherever they lie. The same samples in the same batches are the same
/// bits from every source.
package protocol SampleSource<Element> {
  associatedtype Element: Scalar
  /// n.
  var samples: Int { get }
  /// d_0, the features of a sample.
  var features: Int { get }
  /// c, the targets of a sample.
  var outputs: Int { get }
  /// Σ s over all samples.
  var mass: Double { get }

  /// Says that the batches that follow are of an epoch, counted from 0.
  mutating func begin(epoch: Int)

  /// The samples of these numbers, in this order.
  ///
  /// - Throws: where the samples lie in a file, `DataError` when that cannot be read any more.
  mutating func batch(_ samples: ArraySlice<Int>) throws -> Batch<Element>
}

extension SampleSource {
  package mutating func begin(epoch: Int) {}
}

/// Samples in memory.
package struct MemorySamples<Element: Scalar>: SampleSource {
  /// X: n × d_0.
  let x: Matrix<Element>
  /// Over all samples.
  let loss: any Loss<Element>
  package let mass: Double
  private var gathered: Matrix<Element>

  package init(x: Matrix<Element>, loss: any Loss<Element>) {
    (self.x, self.loss, mass) = (x, loss, total(loss.weights))
    gathered = Matrix(0, x.columns)
  }

  package var samples: Int { x.rows }
  package var features: Int { x.columns }
  package var outputs: Int { loss.outputs }

  /// All samples together are not copied; of fewer, cost: their entries.
  package mutating func batch(_ samples: ArraySlice<Int>) -> Batch<Element> {
    guard samples.count < x.rows else { return Batch(x: x, loss: loss, mass: mass) }
    let part = loss.restricted(toSamples: samples)
    if gathered.rows != samples.count { gathered = Matrix(samples.count, x.columns) }
    gathered.setRows(from: x, samples)
    return Batch(x: gathered, loss: part, mass: total(part.weights))
  }
}

/// Σ s in Double.
@specialized(where Element == Double)
@specialized(where Element == Float)
func total<Element: Scalar>(_ weights: [Element]) -> Double {
  weights.reduce(0.0) { $0 + Double($1) }
}
