import ConvexOptimization
import LinearAlgebra

/// SHA-256 over all that data are to a training: the bytes of their file, which columns are what, the scalings, and
/// targets and weights row by row.
struct DataFingerprint {
  private var head = SHA256()
  private var targets = SHA256()
  private var weights = SHA256()

  init(sha256: String, schema: Schema, scaling: Scaling, kind: LossKind, hasBias: Bool) throws {
    head.update(Array("\(sha256) \(kind.rawValue) \(hasBias)".utf8))
    head.update(Array(try JSONText.encode(schema).utf8))
    head.update(Array(try JSONText.encode(scaling).utf8))
  }

  /// The next rows: their targets, scaled, and weights. Cost: the targets.
  mutating func add(_ y: Matrix<Double>, weights s: [Double]) {
    func add<T>(_ values: [T], to hash: inout SHA256) {
      values.withUnsafeBytes { bytes in bytes.withMemoryRebound(to: UInt8.self) { hash.update($0) } }
    }
    add(y.storage, to: &targets)
    add(s, to: &weights)
  }

  var digest: String {
    var all = head
    all.update(Array((targets.hexDigest() + weights.hexDigest()).utf8))
    return all.hexDigest()
  }
}
