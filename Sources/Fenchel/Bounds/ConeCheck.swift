import LinearAlgebra

/// Whether Σ_i c_i (x_iᵀw)₊ ≤ U for all ‖w‖ ≤ 1, shown by cutting all directions into simplicial cones: the check of what
/// `SphericalBranchAndBound` or `AngularSweep` found, which shares nothing with them.
///
/// On a cone w = Σ_k a_k v_k, a ≥ 0, samples with c_i > 0 are at most their chords Σ_k a_k (x_iᵀv_k)₊, and those with
/// c_i < 0 at most c_i α_i x_iᵀw for any 0 ≤ α_i ≤ 1. So the sum is at most Σ_k a_k q_k, and this at most ‖p‖ for every p with
/// v_kᵀp ≥ q_k. What p misses of that, and what sums in plain loops may have rounded, counts Σ_k a_k ‖v_k‖ ≤ 1/h times, where
/// h = min_k v_kᵀu/‖v_k‖ for a unit vector u. Vectors of cones are sums of two others times powers of two; where such a sum
/// would have to be rounded the check fails, so that the cones leave no direction out. It fails too where it takes more cones
/// than it may: then nothing is known.
///
/// Cost of a cone: some 20 d m for m samples that change sign on it, and 2ᵈ d² at most.
package struct ConeCheck {
  private let d: Int
  /// One row a sample.
  private var x: [Double] = []
  private var c: [Double] = []
  private var squares: [Double] = []
  /// U, less what may have been lost before the cones are cut.
  private var most: Double
  /// What the sums over samples may have rounded for Σ_k a_k ‖v_k‖ = 1.
  private var rounding = 0.0
  /// Cones bounded so far.
  package private(set) var cones = 0

  /// A unit vector's product may be wrong by this.
  private static var unitError: Double { 32 * Double.ulpOfOne }
  /// Passes over the α_i of a cone at most.
  private static var passes: Int { 100 }

  /// - Parameters:
  ///   - x: n × d.
  ///   - c: one for each row.
  ///   - most: U.
  ///   - basis: r × d with rows that span those of X and are nearly orthonormal; whatever they are, the check holds.
  package init(x: Matrix<Double>, c: [Double], most: Double, basis: Matrix<Double>) {
    let d = basis.rows
    self.d = d
    self.most = 0
    var lost = 0.0  // by what is put in place of X and c
    var places: [[Int64]: Int] = [:]
    let u = Double.ulpOfOne
    for i in 0..<x.rows where c[i] != 0 {
      let row = x.row(i)
      let coordinates = (0..<basis.rows).map { StrictArithmetic.dot(row, basis.row($0)) }
      var rest = row
      for (k, value) in coordinates.enumerated() {
        for (a, entry) in basis.row(k).enumerated() { rest[a] -= value * entry }
      }
      // |x_iᵀw − r_iᵀQw| ≤ ‖x_i − Qᵀr_i‖ whatever r_i and Q are.
      let size = StrictArithmetic.norm(row)
      lost += abs(c[i]) * (StrictArithmetic.norm(rest) + 4 * Double(d + 4) * u * size)
      let length = StrictArithmetic.norm(coordinates)
      guard length.isFinite else {
        lost = .infinity
        continue
      }
      guard length > 0 else { continue }
      // Samples of one direction count as one.
      let key = coordinates.map { Int64(($0 / length * 1e10).rounded()) }
      guard let place = places[key] else {
        places[key] = self.c.count
        self.x += coordinates
        self.c.append(c[i])
        squares.append(length * length)
        continue
      }
      let scale = length / squares[place].squareRoot()
      let difference = (0..<d).map { coordinates[$0] - scale * self.x[place * d + $0] }
      lost += abs(c[i]) * (StrictArithmetic.norm(difference) + 8 * u * length)
      self.c[place] += c[i] * scale
      lost += 2 * u * (abs(self.c[place]) * squares[place].squareRoot() + abs(c[i]) * length)
    }
    let sizes = zip(self.c, squares).reduce(0) { $0 + abs($1.0) * $1.1.squareRoot() }
    let rest = most - lost * (1 + 4 * Double(x.rows) * u)
    self.most = d == 0 ? rest : (rest / Self.norm(basis)) * (1 - 8 * u)
    rounding = 0.51 * Double(squares.count + 2 * d + 20) * u * sizes + u * lost
  }

  /// At least ‖Q‖₂: the root of the largest row sum of |QQᵀ|.
  private static func norm(_ basis: Matrix<Double>) -> Double {
    var largest = 0.0
    for k in 0..<basis.rows {
      var sum = 0.0
      for l in 0..<basis.rows { sum += abs(StrictArithmetic.dot(basis.row(k), basis.row(l))) }
      largest = max(largest, sum)
    }
    return largest.squareRoot() * (1 + 8 * Double(basis.rows + 4) * Double.ulpOfOne)
  }

  /// A cone that is not settled.
  private struct Cone {
    /// One row a vector, each a sum of ±e_k times powers of two.
    var vectors: [Double]
    /// Σ c_i x_i over the samples that are positive on the cone.
    var linear: [Double]
    /// The samples that change sign on it.
    var crossing: [Int32]
    var verdict = Verdict.below
  }

  /// What is known of the sum on a cone.
  private enum Verdict {
    case below
    /// A direction lies above U, or the cone is too thin to tell.
    case refuted
    /// The edge to cut.
    case open(Int, Int)
  }

  /// Cones that a check may take where a search took so many.
  package static func limit(_ cones: Int) -> Int { 4 * max(0, cones) + 5000 }

  /// Whether U holds; false too where it takes more cones to say so.
  package mutating func holds(cones limit: Int, shouldContinue: () -> Bool = { true }) -> Bool {
    guard most >= 0 else { return false }
    guard !c.isEmpty else { return true }
    var open = (0..<1 << d).map { orthant in
      var vectors = [Double](repeating: 0, count: d * d)
      for k in 0..<d { vectors[k * d + k] = orthant >> k & 1 == 0 ? 1 : -1 }
      return Cone(
        vectors: vectors, linear: [Double](repeating: 0, count: d), crossing: self.c.indices.map { Int32($0) }
      )
    }
    while !open.isEmpty {
      guard cones < limit, shouldContinue() else { return false }
      var batch = Array(open.suffix(128))
      open.removeLast(batch.count)
      cones += batch.count
      judge(&batch)
      for cone in batch {
        switch cone.verdict {
        case .below: continue
        case .refuted: return false
        case .open(let j, let k):
          guard let middle = middle(cone, j, k) else { return false }
          for end in [j, k] {
            var half = cone
            half.vectors.replaceSubrange(end * d..<(end + 1) * d, with: middle)
            open.append(half)
          }
        }
      }
    }
    return true
  }

  /// v_j + 2^e v_k with about equal parts; nil where that cannot be had without rounding.
  private func middle(_ cone: Cone, _ j: Int, _ k: Int) -> [Double]? {
    let (first, second) = (cone.vectors[j * d..<(j + 1) * d], cone.vectors[k * d..<(k + 1) * d])
    let ratio = StrictArithmetic.norm(Array(first)) / StrictArithmetic.norm(Array(second))
    let power = Double(sign: .plus, exponent: (ratio * 2.0.squareRoot()).exponent, significand: 1)
    var result: [Double] = []
    for (a, b) in zip(first, second.map { $0 * power }) {
      let sum = a + b
      let part = sum - a
      guard (a - (sum - part)) + (b - part) == 0 else { return nil }
      result.append(sum)
    }
    return result
  }

  private func judge(_ cones: inout [Cone]) {
    let (count, size) = (cones.count, 4)
    cones.withMutablePointer { cones in
      Parallel.forEach(tiles: Parallel.tiles(of: size, covering: count)) { tile in
        withTemporary(Double.self, Room.size(d, c.count)) {
          let room = Room($0, d, c.count)
          for i in Parallel.range(ofTile: tile, size: size, count: count) {
            cones[i].verdict = verdict(&cones[i], room)
          }
        }
      }
    }
  }

  /// Room for the work on one cone: the unit vectors of the v_k; an orthonormal basis of some of them, and their coordinates;
  /// x_iᵀv_k/‖v_k‖ and α_i of the samples that change sign; q, p, and a right side.
  private struct Room {
    let unit, basis, factor, q, a, p, values, α: UnsafeMutablePointer<Double>

    static func size(_ d: Int, _ n: Int) -> Int { 3 * d * d + 3 * d + n * (d + 1) }

    init(_ start: UnsafeMutablePointer<Double>, _ d: Int, _ n: Int) {
      (unit, basis, factor) = (start, start + d * d, start + 2 * d * d)
      q = start + 3 * d * d
      (a, p) = (q + d, q + 2 * d)
      values = p + d
      α = values + n * d
    }
  }

  private func verdict(_ cone: inout Cone, _ room: Room) -> Verdict {
    guard let height = height(cone.vectors, room) else { return .refuted }
    sort(&cone, room)
    for s in cone.crossing.indices {
      let z = room.values + s * d
      var sum = 0.0
      for k in 0..<d { sum += z[k] }
      room.α[s] = sum > 0 ? 1 : 0
    }
    var (best, members) = (Double.infinity, 1 << d - 1)
    for pass in 0..<Self.passes {
      collect(cone, room)
      let bound = project(room, height, from: &members)
      let gain = best - bound
      best = min(best, bound)
      if best <= most { return .below }
      if pass > 0, gain < 1e-3 * (best - most) { break }
      descend(cone, room)
    }
    collect(cone, room)
    _ = project(room, height, from: &members)
    return value(cone, room) > most ? .refuted : edge(cone, room)
  }

  /// The unit vectors of a cone; h, nil where it is not surely above zero.
  private func height(_ vectors: [Double], _ room: Room) -> Double? {
    let unit = room.unit
    for k in 0..<d {
      let length = vectors.withPointer { norm($0 + k * d) }
      for a in 0..<d { unit[k * d + a] = vectors[k * d + a] / length }
    }
    for a in 0..<d {
      room.p[a] = 0
      for k in 0..<d { room.p[a] += unit[k * d + a] }
    }
    let length = norm(room.p)
    var height = Double.infinity
    for j in 0..<d {
      height = min(height, dot(unit + j * d, room.p) / length)
    }
    let least = height - Self.unitError
    return least > 1e-12 ? least : nil
  }

  /// Takes the samples of one sign out of the crossing ones; the x_iᵀv_k/‖v_k‖ of the others.
  private func sort(_ cone: inout Cone, _ room: Room) {
    var kept: [Int32] = []
    kept.reserveCapacity(cone.crossing.count)
    x.withPointer { x in
      for sample in cone.crossing {
        let (row, z) = (x + Int(sample) * d, room.values + kept.count * d)
        var (least, largest) = (Double.infinity, -Double.infinity)
        for k in 0..<d {
          z[k] = dot(row, room.unit + k * d)
          (least, largest) = (min(least, z[k]), max(largest, z[k]))
        }
        let factor = c[Int(sample)]
        if largest <= 0 { continue }
        if least >= 0 {
          for a in 0..<d { cone.linear[a] += factor * row[a] }
          continue
        }
        kept.append(sample)
      }
    }
    cone.crossing = kept
  }

  /// q of the α_i, anew, so that its rounding does not grow.
  private func collect(_ cone: Cone, _ room: Room) {
    cone.linear.withPointer { linear in
      for k in 0..<d { room.q[k] = dot(linear, room.unit + k * d) }
    }
    for (s, sample) in cone.crossing.enumerated() {
      let (factor, z) = (c[Int(sample)], room.values + s * d)
      if factor > 0 {
        for k in 0..<d { room.q[k] += factor * max(z[k], 0) }
      } else if room.α[s] > 0 {
        for k in 0..<d { room.q[k] += factor * room.α[s] * z[k] }
      }
    }
  }

  /// p = Σ_k a_k v_k/‖v_k‖, a ≥ 0, and the bound that it gives, beginning with `members` as those k whose a_k are not zero: they
  /// leave where a_k < 0, and the k that p misses most comes in. Where that goes around in circles all choices are tried.
  private func project(_ room: Room, _ height: Double, from members: inout Int) -> Double {
    for _ in 0..<4 * d {
      if let negative = solve(members, room) {
        members &= ~(1 << negative)
        continue
      }
      let (bound, missed) = self.bound(room, height)
      guard let missed else { return bound }
      guard members >> missed & 1 == 0 else { break }
      members |= 1 << missed
    }
    var best = Double.infinity
    for choice in 0..<1 << d where solve(choice, room) == nil {
      let (bound, missed) = self.bound(room, height)
      if bound < best { (best, members) = (bound, choice) }
      if missed == nil { return bound }
    }
    guard best < .infinity, solve(members, room) == nil else { return best }
    return bound(room, height).bound
  }

  /// p, the shortest vector with v_kᵀp = q_k‖v_k‖ for the `members` k, from their QR factorisation. Returns a member whose
  /// coefficient is negative, or that depends on those before it; nil where there is none.
  private func solve(_ members: Int, _ room: Room) -> Int? {
    let (basis, factor, a, p) = (room.basis, room.factor, room.a, room.p)
    for i in 0..<d { p[i] = 0 }
    for k in 0..<d where members >> k & 1 == 1 {
      let own = basis + k * d
      for i in 0..<d { own[i] = room.unit[k * d + i] }
      var length = orthogonalise(own, k, members, room)
      if length < 0.1 { length = orthogonalise(own, k, members, room) }
      guard length > 1e-13 else { return k }
      for i in 0..<d { own[i] /= length }
      var right = room.q[k]
      for l in 0..<k where members >> l & 1 == 1 {
        factor[k * d + l] = dot(basis + l * d, room.unit + k * d)
        right -= factor[k * d + l] * a[l]
      }
      factor[k * d + k] = length
      a[k] = right / length
      for i in 0..<d { p[i] += a[k] * own[i] }
    }
    var (worst, least) = (Int?.none, 0.0)
    for k in (0..<d).reversed() where members >> k & 1 == 1 {
      for l in k + 1..<max(d, k + 1) where members >> l & 1 == 1 { a[k] -= factor[l * d + k] * a[l] }
      a[k] /= factor[k * d + k]
      if a[k] < least { (worst, least) = (k, a[k]) }
    }
    return worst
  }

  /// Takes what a vector has of the basis vectors of members before k out of it; its length then.
  private func orthogonalise(_ own: UnsafeMutablePointer<Double>, _ k: Int, _ members: Int, _ room: Room)
    -> Double
  {
    for l in 0..<k where members >> l & 1 == 1 {
      let along = dot(room.basis + l * d, own)
      for i in 0..<d { own[i] -= along * room.basis[l * d + i] }
    }
    return norm(own)
  }

  /// What p bounds, and the k that it misses most, nil where it misses nothing but what may be rounding.
  private func bound(_ room: Room, _ height: Double) -> (bound: Double, missed: Int?) {
    let length = norm(room.p)
    var (missing, missed) = (0.0, 0)
    for k in 0..<d {
      let rest = room.q[k] - dot(room.unit + k * d, room.p)
      if rest > missing { (missing, missed) = (rest, k) }
    }
    let error = Self.unitError * length + rounding
    return (length * (1 + Self.unitError) + (missing + error) / height, missing <= error ? nil : missed)
  }

  /// One pass over the α_i: each to where p would be shortest.
  private func descend(_ cone: Cone, _ room: Room) {
    x.withPointer { x in
      for (s, sample) in cone.crossing.enumerated() {
        let i = Int(sample)
        guard c[i] < 0 else { continue }
        let row = x + i * d
        let wanted = room.α[s] + dot(row, room.p) / (-c[i] * squares[i])
        let new = max(0, min(1, wanted))
        let change = (new - room.α[s]) * c[i]
        room.α[s] = new
        for k in 0..<d { room.p[k] += change * row[k] }
      }
    }
  }

  /// The sum at p/‖p‖, from below.
  private func value(_ cone: Cone, _ room: Room) -> Double {
    let length = norm(room.p)
    guard length > 0 else { return 0 }
    return x.withPointer { x in
      var sum = cone.linear.withPointer { dot($0, room.p) }
      for sample in cone.crossing { sum += c[Int(sample)] * max(0, dot(x + Int(sample) * d, room.p)) }
      return sum / length - rounding
    }
  }

  /// The edge on which chords lose most, the longest where none does.
  private func edge(_ cone: Cone, _ room: Room) -> Verdict {
    var (edge, largest) = ((0, 0), -1.0)
    var (longest, length) = ((0, 0), -1.0)
    for j in 1..<max(d, 1) {
      for k in 0..<j {
        var loss = 0.0
        for (s, sample) in cone.crossing.enumerated() where c[Int(sample)] > 0 {
          let (first, second) = (room.values[s * d + j], room.values[s * d + k])
          if first * second < 0 { loss += c[Int(sample)] * min(abs(first), abs(second)) }
        }
        var angle = 0.0  // 1 − cos
        for a in 0..<d {
          let difference = room.unit[j * d + a] - room.unit[k * d + a]
          angle += difference * difference / 2
        }
        if angle > length { (longest, length) = ((j, k), angle) }
        if loss * angle.squareRoot() > largest { (edge, largest) = ((j, k), loss * angle.squareRoot()) }
      }
    }
    guard length > 0 else { return .refuted }
    return largest > 0 ? .open(edge.0, edge.1) : .open(longest.0, longest.1)
  }

  @inline(__always)
  private func dot(_ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>) -> Double {
    var sum = 0.0
    for k in 0..<d { sum += a[k] * b[k] }
    return sum
  }

  @inline(__always)
  private func norm(_ a: UnsafePointer<Double>) -> Double { dot(a, a).squareRoot() }
}
