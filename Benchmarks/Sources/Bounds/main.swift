// How the time of the relaxation behind the bound over networks of any width grows with samples and features (more than 64,
// so that directions are not cut into pieces). Planted networks of five neurons, noise 0.1, unit columns, λ a fiftieth of that
// above which the zero network is optimal over some sampled patterns. The last column is the time for each of the n d k
// entries of a product.
import ConvexOptimization
import Fenchel
import Foundation
import LinearAlgebra

let sizes =
  CommandLine.arguments.contains("--quick")
  ? [(1000, 70)] : [(1000, 100), (10_000, 100), (100_000, 100), (10_000, 70), (10_000, 200), (10_000, 400)]
print("OpenBLAS \(Parallel.blasCore), \(Parallel.threads) threads\n")
print("      n     d   seconds   bound, % of ½‖y‖²   ns / (n d k)")
for (n, d) in sizes {
  let problem = try PlantedProblem(samples: n, features: d)
  let (bound, seconds) = try problem.bound()
  let entries = Double(n) * Double(d) * Double(min(d + 1, 14))
  print(
    String(format: "%7d %5d %9.2f %19.2f %14.1f", n, d, seconds, 100 * bound, 1e9 * seconds / entries))
  fflush(nil)
}
