"""The judge of Benchmarks/peers: its objectives, its decoding and its bounds."""

import os
import sys
import unittest

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "Benchmarks", "peers"))

import objective  # noqa: E402
import problems  # noqa: E402


class Judge(unittest.TestCase):
    def setUp(self):
        draw = np.random.default_rng(7)
        self.X = draw.standard_normal((30, 4))
        self.Y = draw.standard_normal((30, 1))
        self.gates = problems.distinct(self.X, draw.standard_normal((4, 25)))
        self.lam = 0.1 * problems.lambda_max(self.X, self.Y, self.gates)

    def gated_optimum(self, steps=20000):
        """Proximal gradient on the gated program, slow and plain."""
        D = objective.patterns(self.X, self.gates)
        operator = np.hstack([D[:, [i]] * self.X for i in range(D.shape[1])])
        step = 1 / np.linalg.norm(operator, 2) ** 2
        w = np.zeros((D.shape[1], 4))
        for _ in range(steps):
            residual = operator @ w.ravel() - self.Y[:, 0]
            trial = w - step * (operator.T @ residual).reshape(w.shape)
            norms = np.linalg.norm(trial, axis=1, keepdims=True)
            w = trial * np.maximum(0, 1 - step * self.lam / np.maximum(norms, 1e-300))
        return w[None]

    def test_gated_gap_closes_at_the_optimum(self):
        weights = self.gated_optimum()
        value, residual = objective.gated(self.X, self.Y, self.gates, self.lam, weights)
        bound = objective.gated_bound(self.X, self.Y, self.gates, self.lam, residual)
        self.assertLessEqual(bound, value)
        self.assertLess(value - bound, 1e-6 * value)

    def test_bounds_are_below_every_value(self):
        best, _ = objective.gated(self.X, self.Y, self.gates, self.lam, self.gated_optimum(3000))
        draw = np.random.default_rng(8)
        for _ in range(20):
            residual = draw.standard_normal((30, 1))
            gated = objective.gated_bound(self.X, self.Y, self.gates, self.lam, residual)
            cones = objective.cone_bound(self.X, self.Y, self.gates, self.lam, residual)
            self.assertLessEqual(gated, best)
            self.assertLessEqual(cones, 0.5 * np.sum(self.Y**2))

    def test_the_cone_dual_norm_is_at_most_the_gated_one(self):
        residual = self.Y
        gated = objective.gated_bound(self.X, self.Y, self.gates, self.lam, residual)
        cones = objective.cone_bound(self.X, self.Y, self.gates, self.lam, residual)
        self.assertGreaterEqual(cones, gated - 1e-12)

    def test_decoding_keeps_the_objective(self):
        D = objective.patterns(self.X, self.gates)
        u = np.zeros((D.shape[1], 4))
        u[3], u[5] = 0.7 * self.gates[:, 3], 0.2 * self.gates[:, 5]  # inside their own cones
        v = np.zeros_like(u)
        v[1] = 0.4 * self.gates[:, 1]
        first, second = objective.decode(([u], [v]))
        value, _ = objective.network(self.X, self.Y, self.lam, first, second)
        f = (D * (self.X @ (u - v).T)).sum(1)
        norms = np.linalg.norm(u, axis=1).sum() + np.linalg.norm(v, axis=1).sum()
        self.assertAlmostEqual(value, 0.5 * np.sum((f - self.Y[:, 0]) ** 2) + self.lam * norms, places=10)

    def test_the_problems_are_the_published_ones(self):
        X, y, gates = problems.BUILDERS["B"]()
        self.assertEqual((X.shape, y.shape, gates.shape), ((200, 10), (200, 1), (10, 200)))
        self.assertAlmostEqual(problems.lambda_max(X, y, problems.distinct(X, gates)), 14.172049704912, places=9)


if __name__ == "__main__":
    unittest.main()
