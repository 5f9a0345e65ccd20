import Fenchel
import LinearAlgebra
import Testing
#if canImport(Glibc)
  import Glibc
#endif

func seconds(_ body: () throws -> Void) rethrows -> Double {
  let clock = ContinuousClock()
  let t = try clock.measure(body)
  return Double(t.components.seconds) + Double(t.components.attoseconds) * 1e-18
}

@Test func scratch() throws {
  for name in ["digits", "iris", "wine", "breast-cancer", "diabetes"] {
    let t = try Table.read(name)
    let s = try Schema(inferredFrom: t)
    let d: Dataset<Double> = try s.dataset(from: t)
    print(
      name, t.rows, t.columns.count, s.task, s.classes, d.features.rows, d.features.columns, d.oddities(),
      t.sha256)
  }
  for name in ["mnist", "fashion-mnist", "cifar-10"] {
    var t: Table!
    print(name, try seconds { t = try Table.read(name) }, t.rows, t.columns.count, t.notices)
    var s: Schema!
    print("schema", try seconds { s = try Schema(inferredFrom: t) }, s.classes)
    var d: Dataset<Float>!
    print("float", try seconds { d = try s.dataset(from: t, as: Float.self) }, d.features.rows)
    var z: Standardisation!
    print("fit", seconds { z = Standardisation(fitting: d.features, weights: d.sampleWeights) })
    print("apply", seconds { d.features = z.applied(to: d.features) })
    print("odd", seconds { print(d.oddities()) })
  }
  for path in ["/tmp/wt/big17.csv", "/tmp/wt/bigint.csv", "/tmp/wt/bigtext.csv"] {
    var t: Table!
    print(path, try seconds { t = try Table.read(path) }, t.rows, t.columns.count)
  }
  let bytes = [UInt8](repeating: 65, count: 100_000_000)
  print("sha", seconds { print(SHA256.hexDigest(bytes)) })
}
