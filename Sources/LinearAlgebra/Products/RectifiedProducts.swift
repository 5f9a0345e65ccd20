import CKernels

/// Products of X with many vectors w_l fused with the positive part, on one thread:
///
///     forward   F_kj = Σ_{l: output j} a_l (x_kᵀw_l)₊          backward   h_l = Σ_k r_kj 1[x_kᵀw_l > 0] x_k
///
/// The vectors lie in panels of 16 lanes: panel p holds d rows of 16 entries (entry j of the vectors 16p … 16p + 15
/// in row j), unused lanes zero. All vectors of a panel feed one output, and panels come in the order of their
/// outputs. Between the two passes only a byte for each sign is kept, never the n × m products.
public enum RectifiedProducts {
  /// Vectors in a panel.
  public static let lanes = 16

  /// Panels that hold `count` vectors.
  public static func panels(for count: Int) -> Int { (count + lanes - 1) / lanes }

  /// Writes F: n × c and the signs, panels × n × lanes bytes. Cost 2nd for each lane.
  public static func forward(
    x: UnsafePointer<Double>, n: Int, d: Int, vectors: UnsafePointer<Double>, scales: UnsafePointer<Double>,
    outputs: UnsafePointer<Int32>, panels: Int, c: Int, predictions: UnsafeMutablePointer<Double>,
    signs: UnsafeMutablePointer<Int8>
  ) {
    fenchel_neurons_forward_d(x, n, d, vectors, scales, outputs, panels, c, predictions, signs)
  }

  /// Writes the images h_l in the layout of the vectors, from r: n × c and the signs of the forward pass.
  /// Cost 2nd for each lane.
  public static func backward(
    x: UnsafePointer<Double>, n: Int, d: Int, slopes: UnsafePointer<Double>, outputs: UnsafePointer<Int32>,
    panels: Int, c: Int, signs: UnsafePointer<Int8>, images: UnsafeMutablePointer<Double>
  ) {
    fenchel_neurons_backward_d(x, n, d, slopes, outputs, panels, c, signs, images)
  }

  /// One sweep of coordinate descent for min ‖c − Σ_i α_i y_i‖² over 0 ≤ α ≤ 1, for the 16 lanes of a panel side
  /// by side. y: n × d with the squared norms of its rows; α: n × lanes; rest = c − Σ_i α_i y_i: d × lanes, kept
  /// up to date. Returns the largest step |Δα_i| ‖y_i‖ relative to ‖rest‖ before. Cost 4nd for each lane.
  public static func boxSweep(
    y: UnsafePointer<Double>, squares: UnsafePointer<Double>, n: Int, d: Int, α: UnsafeMutablePointer<Double>,
    rest: UnsafeMutablePointer<Double>
  ) -> Double {
    fenchel_box_sweep_d(y, squares, n, d, α, rest)
  }
}
