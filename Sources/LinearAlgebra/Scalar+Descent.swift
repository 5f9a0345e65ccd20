import CKernels

extension Double {
  public static func descend(
    _ count: Int, rate: Double, decay: Double, _ w: UnsafePointer<Double>, _ g: UnsafePointer<Double>,
    into out: UnsafeMutablePointer<Double>
  ) -> Bool {
    fenchel_descend_d(count, rate, decay, w, g, out) != 0
  }

  public static func descendWithMomentum(
    _ count: Int, rate: Double, decay: Double, friction: Double, _ w: UnsafePointer<Double>,
    _ g: UnsafePointer<Double>, velocity: UnsafeMutablePointer<Double>, into out: UnsafeMutablePointer<Double>
  ) -> Bool {
    fenchel_momentum_d(count, rate, decay, friction, w, g, velocity, out) != 0
  }

  public static func descendScaled(
    _ count: Int, rate: Double, decay: Double, keep: Double, take: Double, epsilon: Double,
    _ w: UnsafePointer<Double>, _ g: UnsafePointer<Double>, square: UnsafeMutablePointer<Double>,
    into out: UnsafeMutablePointer<Double>
  ) -> Bool {
    fenchel_scaled_d(count, rate, decay, keep, take, epsilon, w, g, square, out) != 0
  }

  public static func descendByMoments(
    _ count: Int, rate: Double, decay: Double, keep: (Double, Double), root: Double, epsilon: Double,
    _ w: UnsafePointer<Double>, _ g: UnsafePointer<Double>, mean: UnsafeMutablePointer<Double>,
    square: UnsafeMutablePointer<Double>, into out: UnsafeMutablePointer<Double>
  ) -> Bool {
    fenchel_adam_d(count, rate, decay, keep.0, keep.1, root, epsilon, w, g, mean, square, out) != 0
  }
}

extension Float {
  public static func descend(
    _ count: Int, rate: Float, decay: Float, _ w: UnsafePointer<Float>, _ g: UnsafePointer<Float>,
    into out: UnsafeMutablePointer<Float>
  ) -> Bool {
    fenchel_descend_s(count, rate, decay, w, g, out) != 0
  }

  public static func descendWithMomentum(
    _ count: Int, rate: Float, decay: Float, friction: Float, _ w: UnsafePointer<Float>,
    _ g: UnsafePointer<Float>, velocity: UnsafeMutablePointer<Float>, into out: UnsafeMutablePointer<Float>
  ) -> Bool {
    fenchel_momentum_s(count, rate, decay, friction, w, g, velocity, out) != 0
  }

  public static func descendScaled(
    _ count: Int, rate: Float, decay: Float, keep: Float, take: Float, epsilon: Float,
    _ w: UnsafePointer<Float>, _ g: UnsafePointer<Float>, square: UnsafeMutablePointer<Float>,
    into out: UnsafeMutablePointer<Float>
  ) -> Bool {
    fenchel_scaled_s(count, rate, decay, keep, take, epsilon, w, g, square, out) != 0
  }

  public static func descendByMoments(
    _ count: Int, rate: Float, decay: Float, keep: (Float, Float), root: Float, epsilon: Float,
    _ w: UnsafePointer<Float>, _ g: UnsafePointer<Float>, mean: UnsafeMutablePointer<Float>,
    square: UnsafeMutablePointer<Float>, into out: UnsafeMutablePointer<Float>
  ) -> Bool {
    fenchel_adam_s(count, rate, decay, keep.0, keep.1, root, epsilon, w, g, mean, square, out) != 0
  }
}
