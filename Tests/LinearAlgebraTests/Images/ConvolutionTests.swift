import FenchelTestSupport
import LinearAlgebra
import Testing

/// Convolutions of several shapes: channels, pooling, stride, padding, kernels that are not square.
private let shapes: [Convolution] = {
  func image(_ channels: Int, _ height: Int, _ width: Int) -> ImageShape {
    ImageShape(channels: channels, height: height, width: width)
  }
  return [
    try? Convolution(image(1, 5, 4), filters: 1, kernelHeight: 1, kernelWidth: 1),
    try? Convolution(image(2, 7, 9), filters: 3, kernelHeight: 3, kernelWidth: 2, padding: 1),
    try? Convolution(image(3, 9, 8), filters: 2, kernelHeight: 4, kernelWidth: 3, stride: 2, padding: 2),
    try? Convolution(image(2, 12, 8), pooling: 2, filters: 4, kernelHeight: 3, kernelWidth: 3),
    try? Convolution(
      image(1, 9, 12), pooling: 3, filters: 2, kernelHeight: 2, kernelWidth: 2, stride: 3, padding: 1),
    try? Convolution(image(1, 28, 28), filters: 6, kernelHeight: 5, kernelWidth: 5, padding: 2),
    try? Convolution(image(1, 4, 40), filters: 2, kernelHeight: 4, kernelWidth: 3),
  ].compactMap(\.self)
}()

/// The definition, by loops over everything: A(X) W̃ of one image.
private func naive<T: Scalar>(_ c: Convolution, _ x: [T], _ w: Matrix<T>, hasBias: Bool) -> [Double] {
  let (shape, out, s) = (c.input, c.output, c.pooling)
  let (height, width) = (shape.height / s, shape.width / s)
  func pixel(_ channel: Int, _ i: Int, _ j: Int) -> Double {
    guard (0..<height).contains(i), (0..<width).contains(j) else { return 0 }
    var sum = 0.0
    for a in 0..<s {
      for b in 0..<s { sum += Double(x[(channel * shape.height + i * s + a) * shape.width + j * s + b]) }
    }
    return sum / Double(s * s)
  }
  var result: [Double] = []
  for f in 0..<c.filters {
    for i in 0..<out.height {
      for j in 0..<out.width {
        var (sum, place) = (hasBias ? Double(w[c.patchLength, f]) : 0, 0)
        for channel in 0..<shape.channels {
          for a in 0..<c.kernelHeight {
            for b in 0..<c.kernelWidth {
              let y = pixel(channel, i * c.stride + a - c.padding, j * c.stride + b - c.padding)
              sum += Double(w[place, f]) * y
              place += 1
            }
          }
        }
        result.append(sum)
      }
    }
  }
  return result
}

@Suite struct ConvolutionTests {
  @Test func allShapesAreThere() { #expect(shapes.count == 7) }

  @Test(arguments: shapes.indices)
  func adjoints(index: Int) {
    let c = shapes[index]
    let w: Matrix<Double> = Philox(seed: 3).normalMatrix(c.patchLength, c.filters)
    checkLinearOperator(ConvolutionOperator(c, w))
    checkLinearOperator(ConvolutionOperator(c, w.converted(to: Float.self)), tolerance: 1e-5)
  }

  @Test(arguments: shapes.indices)
  func definition(index: Int) {
    check(shapes[index], Double.self, 1e-12)
    check(shapes[index], Float.self, 2e-5)
  }

  private func check<T: Scalar>(_ c: Convolution, _: T.Type, _ tolerance: Double) {
    let x: Matrix<T> = Philox(seed: 1).normalMatrix(3, c.input.count)
    let w: Matrix<T> = Philox(seed: 2).normalMatrix(c.patchLength + 1, c.filters)
    for hasBias in [true, false] {
      var u = Matrix<T>(3, c.output.count, fill: .nan)
      c.apply(x, w, hasBias: hasBias, into: &u)
      for k in 0..<3 {
        let expected = naive(c, x.row(k), w, hasBias: hasBias)
        #expect(distance(Matrix(column: u.row(k)), Matrix(column: expected)) <= tolerance, "\(c)")
      }
      var sum = u
      c.apply(x, w, hasBias: hasBias, adding: true, into: &sum)
      u.scale(by: 2)
      #expect(distance(sum, u) <= tolerance)
    }
  }

  /// U is linear in W̃: its adjoint is the gradient, and their product the Gram matrix.
  @Test(arguments: shapes.indices)
  func weights(index: Int) {
    let c = shapes[index]
    let x: Matrix<Double> = Philox(seed: 4).normalMatrix(40, c.input.count)
    for hasBias in [true, false] {
      let rows = c.patchLength + (hasBias ? 1 : 0)
      let w: Matrix<Double> = Philox(seed: 5).normalMatrix(rows, c.filters)
      let delta: Matrix<Double> = Philox(seed: 6).normalMatrix(40, c.output.count)
      var u = delta
      c.apply(x, w, hasBias: hasBias, into: &u)
      var g = Matrix<Double>(rows, c.filters, fill: .nan)
      c.collectGradient(x, delta, hasBias: hasBias, scaledBy: 0.5, into: &g)
      #expect(abs(0.5 * u.inner(delta) - w.inner(g)) <= 1e-9 * max(1, abs(w.inner(g))))
      c.collectGradient(x, u, hasBias: hasBias, into: &g)
      let product = matrixProduct(c.gramMatrix(x, hasBias: hasBias), w)
      #expect(distance(g, product) <= 1e-9 * max(1, g.frobeniusNorm))
    }
  }

  @Test func pullBackAddsAndScales() throws {
    let c = shapes[3]
    let w: Matrix<Double> = Philox(seed: 1).normalMatrix(c.patchLength, c.filters)
    let delta: Matrix<Double> = Philox(seed: 2).normalMatrix(5, c.output.count)
    let start: Matrix<Double> = Philox(seed: 3).normalMatrix(5, c.input.count)
    var (plain, added) = (start, start)
    c.pullBack(delta, w, into: &plain)
    c.pullBack(delta, w, scaledBy: -2, adding: true, into: &added)
    plain.scale(by: -2)
    plain.add(1, start)
    #expect(distance(plain, added) <= 1e-12)
  }

  @Test func norms() throws {
    let pooling = try AveragePooling(ImageShape(channels: 2, height: 6, width: 4), size: 2)
    let estimate = AveragePoolingOperator<Double>(pooling).squaredNormEstimate()
    #expect(abs(estimate - pooling.squaredNorm) <= 1e-12)
    let a: Matrix<Double> = Philox(seed: 8).normalMatrix(9, 5)
    let largest = try SVD(a).values[0]
    let found = DenseOperator(a).squaredNormEstimate(steps: 200)
    #expect(abs(found - largest * largest) <= 1e-9 * found)
    #expect(DenseOperator(Matrix<Double>(3, 2)).squaredNormEstimate() == 0)
  }
}

@Suite struct AveragePoolingTests {
  @Test(arguments: [1, 2, 3, 6])
  func adjoint(size: Int) throws {
    let pooling = try AveragePooling(ImageShape(channels: 2, height: 6, width: 12), size: size)
    checkLinearOperator(AveragePoolingOperator<Double>(pooling))
    checkLinearOperator(AveragePoolingOperator<Float>(pooling), tolerance: 1e-5)
    let constant = pooling.averages(Matrix<Double>(2, pooling.input.count, fill: 3))
    #expect(constant.columns == 144 / (size * size) && constant.storage.allSatisfy { abs($0 - 3) < 1e-12 })
  }
}

/// Serialised: the number of threads is global.
@Suite(.serialized) struct ConvolutionBitsTests {
  @Test(arguments: [Float.self, Double.self] as [any Scalar.Type])
  func sameBits(type: any Scalar.Type) { check(type) }

  private func check<T: Scalar>(_: T.Type) {
    let c = shapes[3]
    let x: Matrix<T> = Philox(seed: 1).normalMatrix(70, c.input.count)
    let w: Matrix<T> = Philox(seed: 2).normalMatrix(c.patchLength + 1, c.filters)
    var u = Matrix<T>(70, c.output.count)
    expectSameForAnyThreads("convolution") {
      c.apply(x, w, hasBias: true, into: &u)
      return u
    }
    var g = w
    expectSameForAnyThreads("gradient") {
      c.collectGradient(x, u, hasBias: true, into: &g)
      return g
    }
    expectSameForAnyThreads("patches") { c.gramMatrix(x, hasBias: true) }
    var v = x
    expectSameForAnyThreads("pull-back") {
      c.pullBack(u, w, into: &v)
      return v
    }
  }
}

@Suite struct ImageErrorTests {
  private let image = ImageShape(channels: 1, height: 6, width: 7)

  @Test func wrongShapes() {
    #expect(throws: ImageOperatorError.kernel(height: 7, width: 3, padding: 0, input: image)) {
      try Convolution(image, filters: 2, kernelHeight: 7, kernelWidth: 3)
    }
    #expect(throws: ImageOperatorError.pooling(size: 2, input: image)) { try AveragePooling(image, size: 2) }
    #expect(throws: ImageOperatorError.pooling(size: 2, input: image)) {
      try Convolution(image, pooling: 2, filters: 2, kernelHeight: 1, kernelWidth: 1)
    }
    #expect(throws: Never.self) {
      try Convolution(image, filters: 1, kernelHeight: 8, kernelWidth: 9, padding: 1)
    }
  }

  @Test(arguments: [
    (0, 1, 1, 1, 0, "filters 0"), (1, 0, 1, 1, 0, "height of the kernel 0"),
    (1, 1, -3, 1, 0, "width of the kernel -3"), (1, 1, 1, 0, 0, "stride 0"), (1, 1, 1, 1, -1, "padding -1"),
    (Int.max, 1, 1, 1, 0, "too many"),
  ])
  func wrongNumbers(
    filters: Int, height: Int, width: Int, stride: Int, padding: Int, part: String
  ) throws {
    let error = #expect(throws: ImageOperatorError.self) {
      try Convolution(
        image, filters: filters, kernelHeight: height, kernelWidth: width, stride: stride, padding: padding)
    }
    #expect(error?.description.contains(part) == true, "\(String(describing: error))")
  }

  @Test func wrongImages() {
    #expect(throws: ImageOperatorError.self) {
      try AveragePooling(ImageShape(channels: 0, height: 2, width: 2), size: 1)
    }
    #expect(throws: ImageOperatorError.self) { try AveragePooling(image, size: 0) }
    #expect(throws: ImageOperatorError.self) {
      try AveragePooling(ImageShape(channels: Int.max, height: Int.max, width: 2), size: 1)
    }
  }
}
