/// Why a matrix could not be factorised.
public enum FactorisationError: Error, Sendable, Equatable, CustomStringConvertible {
  case notSquare(rows: Int, columns: Int)
  /// An entry is NaN or infinite.
  case notFinite(row: Int, column: Int)
  /// Pivot `pivot` (from 0) is not positive.
  case notPositiveDefinite(pivot: Int)
  /// The iteration of the LAPACK routine did not converge.
  case noConvergence(routine: String)

  public var description: String {
    switch self {
    case .notSquare(let rows, let columns):
      "the matrix is \(rows) × \(columns), this factorisation needs a square one"
    case .notFinite(let row, let column):
      "entry (\(row), \(column)) of the matrix is not finite; look for NaN or overflow before factorising"
    case .notPositiveDefinite(let pivot):
      "the matrix is not positive definite at pivot \(pivot); add a multiple of the identity"
    case .noConvergence(let routine):
      "\(routine) did not converge; scale the matrix and try again"
    }
  }
}

extension Matrix {
  /// Throws if an entry is not finite. Cost rows · columns.
  func checkFinite() throws(FactorisationError) {
    guard let index = firstNonFinite else { return }
    throw .notFinite(row: index / columns, column: index % columns)
  }
}
