/// A random s × n matrix S with one entry ±1 in every column, in a random row: S A adds every row of A, with a random sign,
/// to one of s rows. E SᵀS = I, and for s some multiples of the rank of A the norms ‖S A x‖ and ‖A x‖ are close for all x
/// (Clarkson & Woodruff 2013), so that the small S A stands for a tall A where its Gram matrix is needed.
public struct CountSketch<Element: Scalar>: LinearOperator {
  /// s.
  public let rows: Int
  /// n.
  public let columns: Int
  /// The columns by their rows: those of row i are `members[firsts[i]..<firsts[i + 1]]`, rising.
  private let members: [Int]
  private let firsts: [Int]
  /// The sign of each column.
  private let signs: [Element]
  /// The row of each column.
  private let places: [Int]

  /// The sketch of a seed; entry k of the stream decides column k.
  public init(rows s: Int, columns n: Int, random: Philox) {
    precondition(s > 0, "a sketch needs a row")
    (rows, columns) = (s, n)
    let bits = (0..<n).map { random.bits(at: UInt64($0)) }
    // The highest bits choose the row, the lowest the sign.
    places = bits.map { Int($0.multipliedFullWidth(by: UInt64(s)).high) }
    signs = bits.map { $0 & 1 == 0 ? 1 : -1 }
    var firsts = [Int](repeating: 0, count: s + 1)
    for place in places { firsts[place + 1] += 1 }
    for i in 0..<s { firsts[i + 1] += firsts[i] }
    var (next, members) = (firsts, [Int](repeating: 0, count: n))
    for (k, place) in places.enumerated() {
      members[next[place]] = k
      next[place] += 1
    }
    (self.firsts, self.members) = (firsts, members)
  }

  /// Cost: the entries of X, read once.
  public func apply(_ x: Matrix<Element>, into y: inout Matrix<Element>) {
    precondition(x.rows == columns && y.rows == rows && y.columns == x.columns, "shapes of a sketch")
    let c = x.columns
    withPointers(x, x, &y.storage) { x, _, y in
      Parallel.forEach(tiles: Parallel.tiles(of: 64, covering: rows), work: columns * c) { tile in
        for i in Parallel.range(ofTile: tile, size: 64, count: rows) {
          let row = y + i * c
          row.update(repeating: 0, count: c)
          for k in members[firsts[i]..<firsts[i + 1]] { Element.axpy(c, signs[k], x + k * c, row) }
        }
      }
    }
  }

  /// Cost: the entries of X, written once.
  public func applyAdjoint(_ y: Matrix<Element>, into x: inout Matrix<Element>) {
    precondition(x.rows == columns && y.rows == rows && y.columns == x.columns, "shapes of a sketch")
    let c = x.columns
    withPointers(y, y, &x.storage) { y, _, x in
      Parallel.forEach(tiles: Parallel.tiles(of: 1024, covering: columns), work: columns * c) { tile in
        for k in Parallel.range(ofTile: tile, size: 1024, count: columns) {
          (x + k * c).update(from: y + places[k] * c, count: c)
          Element.scale(c, signs[k], x + k * c)
        }
      }
    }
  }
}
