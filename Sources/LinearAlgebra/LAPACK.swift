import COpenBLAS

typealias blasint = Int32

extension Transpose {
  var cblas: CBLAS_TRANSPOSE { self == .yes ? CblasTrans : CblasNoTrans }
}

/// Runs one LAPACK call and returns its `info`.
func lapack(_ call: (inout Int32) -> Void) -> Int {
  var info: Int32 = 0
  call(&info)
  return Int(info)
}

/// Runs a LAPACK call twice: once to ask for its workspace, once with it. `integers` is the length of the
/// integer workspace where the routine does not tell (0: it does).
func lapackWithWork<T: Scalar>(
  _: T.Type, integers: Int = 0,
  _ call: (
    UnsafeMutablePointer<T>, inout Int32, UnsafeMutablePointer<Int32>, inout Int32, inout Int32
  ) -> Void
) -> Int {
  var info: Int32 = 0
  var (workSize, integerSize): (Int32, Int32) = (-1, -1)
  var (work, integerWork) = ([T](repeating: 0, count: 1), [Int32](repeating: 0, count: max(1, integers)))
  call(&work, &workSize, &integerWork, &integerSize, &info)
  guard info == 0 else { return Int(info) }
  workSize = Int32(work[0]) + 1
  if integers == 0 {
    integerSize = max(1, integerWork[0])
    integerWork = [Int32](repeating: 0, count: Int(integerSize))
  }
  work = [T](repeating: 0, count: Int(workSize))
  call(&work, &workSize, &integerWork, &integerSize, &info)
  return Int(info)
}
