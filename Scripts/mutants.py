"""The errors that mutate.py plants: each is one that a person could make, and that some test must notice."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    name: str
    file: str
    text: str  # must be in the file exactly once
    error: str
    tests: str  # filter of `swift test`, which begins with the test target; no other target of tests is built


LOSSES = "Sources/ConvexOptimization/Losses"
PENALTIES = "Sources/ConvexOptimization/Penalties"
SOLVERS = "Sources/ConvexOptimization/Solvers"
CONES = "Sources/ConvexOptimization/Cones"
PROGRAMS = "Sources/Fenchel/Programs"
TWO_LAYER = r"FenchelTests\.(\w*Oracle|RandomProgram|ConeDecomposition|Enumeration|GroupLassoSolver|\w*Verif\w*)Tests"

MUTANTS = [
    Mutant(
        "ReLU divergence: sign of the part outside of the interval",
        "Sources/ConvexOptimization/Divergences/IntervalDivergence.swift",
        "(v - p) * (v - p) / 2 + (u - p) * (p - v)",
        "(v - p) * (v - p) / 2 + (u - p) * (v - p)",
        "ConvexOptimizationTests",
    ),
    Mutant(
        "softmax divergence: step of its prox",
        "Sources/ConvexOptimization/Divergences/SoftmaxDivergence.swift",
        "(x[i] + ν) / γ - 1 - .log(γ)",
        "(x[i] + ν) / γ - 1",
        "ConvexOptimizationTests",
    ),
    Mutant(
        "group lasso: λ/2 in the prox",
        f"{PENALTIES}/GroupLasso.swift",
        "(γ * threshold(i), y + i * d)",
        "(γ * threshold(i) / 2, y + i * d)",
        "ConvexOptimizationTests",
    ),
    Mutant(
        "group lasso: value before the prox",
        f"{PENALTIES}/GroupLasso.swift",
        "return self.threshold(i) * max(0, norm - threshold)",
        "return self.threshold(i) * norm",
        "ConvexOptimizationTests",
    ),
    Mutant(
        "group lasso: dual norm without λ",
        f"{PENALTIES}/GroupLasso.swift",
        "largest = max(largest, norm / threshold(i))",
        "largest = max(largest, norm)",
        "ConvexOptimizationTests",
    ),
    Mutant(
        "squared: sign in the conjugate",
        f"{LOSSES}/SquaredLoss.swift",
        "a * (a / 2 + y)",
        "a * (a / 2 - y)",
        "ConvexOptimizationTests",
    ),
    Mutant(
        "squared: step of the prox",
        f"{LOSSES}/SquaredLoss.swift",
        "(t / (1 + t))",
        "(t / (2 + t))",
        "ConvexOptimizationTests",
    ),
    Mutant(
        "logistic: no domain check",
        f"{LOSSES}/LogisticLoss.swift",
        "guard raw >= -.slack, raw <= 1 + .slack else",
        "guard raw.isFinite else",
        "ConvexOptimizationTests",
    ),
    Mutant(
        "logistic: smoothness too small",
        f"{LOSSES}/LogisticLoss.swift",
        "entrySmoothness: Element { 0.25 }",
        "entrySmoothness: Element { 0.125 }",
        "ConvexOptimizationTests",
    ),
    Mutant(
        "hinge: sign in the conjugate",
        f"{LOSSES}/HingeLoss.swift",
        "? -t : .infinity",
        "? t : .infinity",
        "ConvexOptimizationTests",
    ),
    Mutant(
        "Huber: prox turns linear too early",
        f"{LOSSES}/HuberLoss.swift",
        "abs(r) <= δ * (1 + t)",
        "abs(r) <= δ",
        "ConvexOptimizationTests",
    ),
    Mutant(
        "softmax: simplex not checked",
        f"{LOSSES}/SoftmaxPass.swift",
        "guard abs(sum - 1) <= slack else",
        "guard sum.isFinite else",
        "ConvexOptimizationTests",
    ),
    Mutant(
        "L-BFGS: sign in the second loop",
        f"{SOLVERS}/QuasiNewtonMemory.swift",
        "-α[slot] - β",
        "-α[slot] + β",
        "ConvexOptimizationTests",
    ),
    Mutant(
        "certificate sums: error lost",
        "Sources/LinearAlgebra/StrictArithmetic.swift",
        "? (sum - total) + x :",
        "? (total - sum) + x :",
        "LinearAlgebraTests",
    ),
    Mutant(
        "certificate: dual point not scaled",
        f"{PROGRAMS}/Certification/TwoLayerProgram+Certificate.swift",
        "return Swift.min(λ / (norm + vanished) * (1 - 4 * Double.ulpOfOne), 1e300)",
        "return norm > 0 ? 1 : 1e300",
        TWO_LAYER,
    ),
    Mutant(
        "certificate: predictions without (·)₊",
        f"{PROGRAMS}/Certification/StrictPrimal.swift",
        "group.sign * max(StrictArithmetic.dot(d, x + k * d, u + g * d), 0)",
        "group.sign * StrictArithmetic.dot(d, x + k * d, u + g * d)",
        TWO_LAYER,
    ),
    Mutant(
        "dual norm: sign of the cone",
        f"{PROGRAMS}/Certification/StrictDual.swift",
        "patterns[k, i] ? α : -α",
        "patterns[k, i] ? -α : α",
        TWO_LAYER,
    ),
    Mutant(
        "cone projection: rows of the last one stay active",
        "Sources/ConvexOptimization/Cones/ActiveSet.swift",
        "for j in support { isActive[j] = false }",
        "",
        "ConvexOptimizationTests",
    ),
    Mutant(
        "cone projection: sign of the rows",
        f"{PROGRAMS}/PatternCones.swift",
        "signs[k] -= sign",
        "signs[k] += sign",
        TWO_LAYER,
    ),
    Mutant(
        "interior point: curvature of the norm",
        f"{PROGRAMS}/InteriorPoint/SecondOrderScaling.swift",
        "private var κ: Double { 2 / (2 * w0 * w0 - 1) }",
        "private var κ: Double { 2 / (2 * w0 * w0 + 1) }",
        TWO_LAYER,
    ),
    Mutant(
        "patterns: opposite cells left out",
        f"{PROGRAMS}/Patterns/PlanarCells.swift",
        "result += [point, -point]",
        "result += [point]",
        TWO_LAYER,
    ),
    Mutant(
        "solution: the dual without the point that proves it",
        f"{SOLVERS}/Driver.swift",
        "(dualPoint, certificate.dual) = (other.dualPoint, other.certificate.dual)",
        "certificate.dual = other.certificate.dual",
        "ConvexOptimizationTests",
    ),
    Mutant(
        "verification: a neuron that agrees with a pattern somewhere",
        f"{PROGRAMS}/Certification/TwoLayerProgram+Membership.swift",
        "($0 ^ $1.0) & $1.1 == 0",
        "($0 ^ $1.0) & $1.1 != .max",
        TWO_LAYER,
    ),
    Mutant(
        "cone decomposition: u and v without their signs",
        f"{PROGRAMS}/TwoLayerProgram+ConeDecomposition.swift",
        "(-group.sign, found.v)",
        "(group.sign, found.v)",
        TWO_LAYER,
    ),
    Mutant(
        "cone decomposition: the ratio of the face upside down",
        f"{CONES}/ConeDecomposition.swift",
        "return p / q",
        "return q / p",
        "ConvexOptimizationTests",
    ),
    Mutant(
        "Adam: the bias of the squares without its root",
        "Sources/Fenchel/Baselines/Adam.swift",
        "Element(1 / (1 - Double.pow(beta2, steps)).squareRoot())",
        "Element(1 / (1 - Double.pow(beta2, steps)))",
        "FenchelTests.TorchTests",
    ),
    Mutant(
        "momentum: forgets the weight decay",
        "Sources/CKernels/updates.c",
        "T v = friction * velocity[i] + (g[i] + decay * w[i]);",
        "T v = friction * velocity[i] + g[i];",
        "FenchelTests.TorchTests",
    ),
    Mutant(
        "backpropagation: the derivative of the layer above",
        "Sources/Fenchel/Baselines/Backpropagation.swift",
        "multiplyByDerivative(at: outputs[l - 1], &deltas[l - 1])",
        "multiplyByDerivative(at: deltas[l - 1], &deltas[l - 1])",
        "FenchelTests.BackpropagationTests",
    ),
    Mutant(
        "Fenchel penalty: its prox on the other side of the pre-activations",
        "Sources/Fenchel/Lifted/LayerPenalty.swift",
        "shifted.add(λ, u)",
        "shifted.add(-λ, u)",
        "FenchelTests.BlockOracleTests",
    ),
    Mutant(
        "squared distance: the mean of its prox with one λ too few",
        "Sources/Fenchel/Lifted/LayerPenalty.swift",
        "mean.scale(by: 1 / (1 + 2 * λ))",
        "mean.scale(by: 1 / (1 + λ))",
        "FenchelTests.BlockOracleTests",
    ),
    Mutant(
        "lifted program: every block of outputs with the first layer's λ",
        "Sources/Fenchel/Lifted/LiftedProgram.swift",
        "penalty: penalties[l], weight: λ[l],",
        "penalty: penalties[l], weight: λ[0],",
        "FenchelTests.BlockCoordinateDescentTests",
    ),
    Mutant(
        "checkpoint without the means of Adam",
        "Sources/Fenchel/Baselines/Adam.swift",
        """    try state.carry("means", &means)\n""",
        "",
        "FenchelTests.ResumeTests",
    ),
    Mutant(
        "checkpoint without the place in the epoch",
        "Sources/Fenchel/Checkpoints/RunRecord.swift",
        """    try state.carry("batches", &batches)\n""",
        "",
        "FenchelTests.ResumeTests",
    ),
    Mutant(
        "streams: rows of a batch in the order of the file",
        "Sources/Fenchel/Streams/StreamedSamples.swift",
        "try batch(problem.data.dataset(of: samples))",
        "try batch(problem.data.dataset(of: samples.sorted()))",
        "FenchelTests.StreamedTrainingTests",
    ),
    Mutant(
        "search where trials did badly",
        "Sources/Fenchel/Tuning/ParzenSearch.swift",
        "Double.log(good.value(at: place)) - .log(bad.value(at: place))",
        "Double.log(bad.value(at: place)) - .log(good.value(at: place))",
        "FenchelTests.ProposalTests",
    ),
    Mutant(
        "convolution: averages counted once for each patch",
        "Sources/Fenchel/Programs/PatchMap.swift",
        "dividedBy: mode == .average ? Double(convolution.positions) : 1)",
        "dividedBy: 1)",
        "FenchelTests.ConvolutionTrainingTests",
    ),
    Mutant(
        "convolution: a certificate whose dual point is one patch's",
        "Sources/LinearAlgebra/Operators/RowSums.swift",
        "for r in rows(of: k) { (z + r * c).update(from: y + k * c, count: c) }",
        "for r in rows(of: k).prefix(1) { (z + r * c).update(from: y + k * c, count: c) }",
        "FenchelTests.ConvolutionProgramTests",
    ),
    Mutant(
        "normalisation after the ReLU: a dual norm of plain coordinates",
        "Sources/Fenchel/Programs/PostNormalisation/PatternNorms.swift",
        "StrictArithmetic.dot(t.column($0), g)",
        "StrictArithmetic.dot(t.row($0), g)",
        "FenchelTests.PostNormalisationTests",
    ),
    Mutant(
        "semidefinite programs: a row space without the length that no sample sees",
        "Sources/Fenchel/Programs/Polynomial/RowSpace.swift",
        "Matrix<Double>(d, n + 1)",
        "Matrix<Double>(d, n)",
        "FenchelTests.PolynomialProgramTests",
    ),
    Mutant(
        "shared neurons: a bound that pairs of rows lower in place of raising",
        "Sources/Fenchel/Programs/Nuclear/CopositiveBound.swift",
        "sum[a, b] += (products[a, b]",
        "sum[a, b] -= (products[a, b]",
        "FenchelTests.ConicNuclearProgramTests",
    ),
    Mutant(
        "certificates that make people wait after Ctrl-C",
        "Sources/ConvexOptimization/Solvers/Driver.swift",
        "case .cancelled: 1",
        "case .cancelled: nil",
        "ConvexOptimizationTests.DriverTests",
    ),
    Mutant(
        "forecasts: test windows that reach into the training part",
        "Sources/Fenchel/Signals/SignalWindows.swift",
        "{ cut + window..<signal",
        "{ cut..<signal",
        "FenchelTests.ForecastingTests",
    ),
    Mutant(
        "generators: singular values shrunk by the root of β",
        "Sources/Fenchel/Generative/QuadraticWassersteinGame.swift",
        "* ($0 + β.squareRoot())).squareRoot() }",
        "* ($0 - β.squareRoot())).squareRoot() }",
        "FenchelTests.QuadraticWassersteinGameTests",
    ),
    Mutant(
        "generators: stages of a file that take noise alone",
        "Sources/Fenchel/Export/GeneratorFile.swift",
        "stage.network.inputs == earlier + report.noise",
        "stage.network.inputs >= report.noise",
        "FenchelTests.GeneratorFileTests",
    ),
    Mutant(
        "generators: stages that were left out are called solved",
        "Sources/Fenchel/Generative/GenerativeTraining.swift",
        "if built.count < settings.sizes.count {",
        "if built.count > settings.sizes.count {",
        "FenchelTests.GenerativeTrainingTests",
    ),
    Mutant(
        "generators: stages that do not follow each other",
        "Sources/Fenchel/Generative/GenerativeTraining.swift",
        "matrixProduct(svd.u, svd.vTransposed)",
        "svd.u",
        "FenchelTests.GenerativeTrainingTests",
    ),
    Mutant(
        "proximal gradients: a prox in the metric, and lengths without it",
        f"{SOLVERS}/Composite/AcceleratedIteration.swift",
        "problem.metric?.inner(step, step) ?? step.inner(step)",
        "step.inner(step)",
        "FenchelTests.GroupLassoSolverTests",
    ),
    Mutant(
        "rows of weight 0 that patterns and cones know of",
        "Sources/Fenchel/Training/TrainingProblem.swift",
        "isConvex ? data.withoutWeightless : data",
        "data",
        "FenchelTests.TrainingTests",
    ),
]
