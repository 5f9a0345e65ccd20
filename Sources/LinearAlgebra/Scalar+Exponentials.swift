import CKernels

extension Double {
  public static func exponentials(_ x: UnsafeMutablePointer<Double>, _ count: Int) {
    fenchel_exp_d(x, count)
  }

  public static func softplus(
    _ x: UnsafeMutablePointer<Double>, value: UnsafeMutablePointer<Double>, _ count: Int
  ) {
    fenchel_softplus_d(x, value, count)
  }
}

extension Float {
  public static func exponentials(_ x: UnsafeMutablePointer<Float>, _ count: Int) {
    fenchel_exp_s(x, count)
  }

  public static func softplus(
    _ x: UnsafeMutablePointer<Float>, value: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    fenchel_softplus_s(x, value, count)
  }
}
