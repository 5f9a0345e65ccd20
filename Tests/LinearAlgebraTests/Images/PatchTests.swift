import FenchelTestSupport
import LinearAlgebra
import Testing

/// The patches of images and signals against loops over pixels.
struct PatchTests {
  /// Pixel (c, i, j) of row k, 0 in the border.
  private func pixel(_ x: Matrix<Double>, _ k: Int, _ shape: ImageShape, _ c: Int, _ i: Int, _ j: Int)
    -> Double
  {
    guard (0..<shape.height).contains(i), (0..<shape.width).contains(j) else { return 0 }
    return x[k, (c * shape.height + i) * shape.width + j]
  }

  private func check(_ convolution: Convolution, hasBias: Bool) {
    let (shape, n) = (convolution.input, 5)
    let x: Matrix<Double> = Philox(seed: 3).normalMatrix(n, shape.count)
    let patches = convolution.patches(x, hasBias: hasBias, dividedBy: 4)
    let (down, across) = (convolution.output.height, convolution.output.width)
    let above = convolution.isSignal ? 0 : convolution.padding
    #expect(patches.rows == n * down * across)
    #expect(patches.columns == convolution.patchLength + (hasBias ? 1 : 0))
    for k in 0..<n {
      for i in 0..<down {
        for j in 0..<across {
          var expected: [Double] = []
          for c in 0..<shape.channels {
            for a in 0..<convolution.kernelHeight {
              for b in 0..<convolution.kernelWidth {
                let (row, column) = (
                  i * convolution.stride + a - above, j * convolution.stride + b - convolution.padding
                )
                expected.append(pixel(x, k, shape, c, row, column) / 4)
              }
            }
          }
          if hasBias { expected.append(0.25) }
          #expect(patches.row((k * down + i) * across + j) == expected, "image \(k), position \(i), \(j)")
        }
      }
    }
    // What the convolution makes of them.
    let w: Matrix<Double> = Philox(seed: 4).normalMatrix(patches.columns, convolution.filters)
    var u = Matrix<Double>(n, convolution.output.count)
    convolution.apply(x, w, hasBias: hasBias, into: &u)
    let products = naiveProduct(patches, .no, w, .no)
    for k in 0..<n {
      for p in 0..<down * across {
        for f in 0..<convolution.filters {
          #expect(abs(4 * products[k * down * across + p, f] - u[k, f * down * across + p]) <= 1e-12)
        }
      }
    }
  }

  @Test(arguments: [(1, 0), (2, 0), (1, 1), (3, 2)], [true, false])
  func images(_ steps: (Int, Int), hasBias: Bool) throws {
    for (shape, height, width) in [
      (ImageShape(channels: 1, height: 5, width: 7), 3, 3),
      (ImageShape(channels: 3, height: 6, width: 4), 3, 4),
    ] {
      try check(
        Convolution(
          shape, filters: 2, kernelHeight: height, kernelWidth: width, stride: steps.0, padding: steps.1),
        hasBias: hasBias)
    }
  }

  @Test("Signals have no border above and below", arguments: [(1, 0), (2, 1), (1, 3)], [true, false])
  func signals(_ steps: (Int, Int), hasBias: Bool) throws {
    for channels in [1, 2] {
      let convolution = try Convolution(
        ImageShape(channels: channels, height: 1, width: 9), filters: 3, kernelHeight: 1, kernelWidth: 4,
        stride: steps.0, padding: steps.1, isSignal: true)
      #expect(convolution.output.height == 1)
      check(convolution, hasBias: hasBias)
      // The adjoint of the map in X, too.
      let x: Matrix<Double> = Philox(seed: 5).normalMatrix(4, 9 * channels)
      let w: Matrix<Double> = Philox(seed: 6).normalMatrix(4 * channels, 3)
      let delta: Matrix<Double> = Philox(seed: 7).normalMatrix(4, convolution.output.count)
      var (u, v) = (Matrix<Double>(4, convolution.output.count), Matrix<Double>(4, 9 * channels))
      convolution.apply(x, w, hasBias: false, into: &u)
      convolution.pullBack(delta, w, into: &v)
      #expect(abs(inner(u, delta) - inner(x, v)) <= 1e-10)
    }
  }
}
