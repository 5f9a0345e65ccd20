import LinearAlgebra
public struct ActivationPatterns: Sendable { public var bits: BitMatrix; public var gates: Matrix<Double>; public var isExact: Bool
  public init(bits: BitMatrix, gates: Matrix<Double>, isExact: Bool) { self.bits=bits; self.gates=gates; self.isExact=isExact }
  public var count: Int { bits.columns } }
