import LinearAlgebra
import RealModule

/// Li₂(x) = −∫₀ˣ log(1 − t)/t dt for −1 ≤ x ≤ 1, to a few units in the last place of its size.
///
/// With y = −log(1 − x) the series Σ_k B_k yᵏ⁺¹/(k + 1)! converges fast for |y| ≤ log 2; beyond x = ½ Euler's reflection
/// Li₂(x) + Li₂(1 − x) = π²/6 − log x log(1 − x) leads there (Lewin, Polylogarithms and Associated Functions, 1981, §1).
@inline(__always)
func dilogarithm<T: Scalar>(_ x: T) -> T {
  if x > 0.5 {
    let (atOne, logarithm): (T, T) = (T.pi * T.pi / 6, T.log(x))
    return x >= 1 ? atOne : atOne - logarithm * T.log(1 - x) - dilogarithmSeries(-logarithm)
  }
  return dilogarithmSeries(-T.log(onePlus: -x))
}

/// Σ_k B_k yᵏ⁺¹/(k + 1)! for |y| ≤ log 2.
@inline(__always)
private func dilogarithmSeries<T: Scalar>(_ y: T) -> T {
  let square = y * y
  // B_2k/(2k + 1)! for k = 8, 7, …, 1.
  var sum: T = -1.9939295860721076e-14
  sum = sum * square + 8.921691020456452e-13
  sum = sum * square - 4.064761645144226e-11
  sum = sum * square + 1.8978869988971e-09
  sum = sum * square - 9.185773074661964e-08
  sum = sum * square + 4.72411186696901e-06
  sum = sum * square - 2.7777777777777778e-04
  sum = sum * square + 2.7777777777777776e-02
  return y + square * (sum * y - 0.25)
}
