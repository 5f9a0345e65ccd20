#!/usr/bin/env python3
"""The relaxation behind the bound over networks of any width, in NumPy and in Fenchel: bounds_numpy.py FENCHEL [REPEATS]

Both minimise the same relaxation by L-BFGS (here SciPy's, of 20 pairs, from the same kind of start, with five
widths of rounding for our three), take its multipliers, and evaluate the bound that these prove by one factorisation for each sign. Run
alternately on the problems of Benchmarks/peers/problems.py: NumPy on one thread and on two, of which the faster counts; Fenchel
on two. Fastest of the repeats. Needs NumPy and SciPy.
"""
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).parent / "peers"))
from problems import planted  # noqa: E402

WIDTHS = (0.03, 0.01, 0.003, 0.001, 0.0003)
RATIO = 0.02


class Relaxation:
    """min ½ dist²(y, [A, B]) + (λ/2) Σ_σ (‖V‖² + ‖u‖²), one V: d × k and u: k for each sign."""

    def __init__(self, x, y, regularisation):
        self.x, self.y, self.regularisation = x, y, regularisation
        self.norms = np.linalg.norm(x, axis=1)
        self.k = min(x.shape[1] + 1, 14)

    def start(self):
        size = len(self.y) * self.y.var() / 40
        point = np.random.default_rng(0).standard_normal(2 * self.k * (self.x.shape[1] + 1))
        return point * math.sqrt(2 * size / self.regularisation) / np.linalg.norm(point)

    def piece(self, point, width):
        """z, the ends of t = Σ|xᵀw|, and what their derivatives need."""
        d = self.x.shape[1]
        v, u = point[: d * self.k].reshape(d, self.k), point[d * self.k :]
        big, small = np.linalg.norm(v), np.linalg.norm(u)
        g = self.x @ v
        z, square = g @ u, np.einsum("ij,ij->i", g, g) + 1e-300
        root = np.sqrt(square)
        high = root * small
        edge = width * high + 1e-300
        rounded = np.sqrt(z * z + edge * edge)
        a, b = rounded - edge, square * small / (big * self.norms)
        gap = np.sqrt((a - b) ** 2 + edge * edge)
        share = (1 + (a - b) / gap) / 2
        low = (a + b + gap - edge) / 2
        return dict(v=v, u=u, big=big, small=small, g=g, z=z, square=square, root=root, high=high, low=low,
                    share=share, slope=z / rounded, edge=edge, rounded=rounded, gap=gap)

    def value(self, point, width):
        half = len(point) // 2
        pieces = [self.piece(point[:half], width), self.piece(point[half:], width)]
        (p, q) = pieces
        lower = (p["z"] + p["low"] - q["z"] - q["high"]) / 2
        upper = (p["z"] + p["high"] - q["z"] - q["low"]) / 2
        theta = self.y - np.clip(self.y, lower, upper)
        self.theta, self.pieces = theta, pieces
        value = theta @ theta / 2 + self.regularisation / 2 * (point @ point)
        gradient = []
        for sign, s in zip((1, -1), pieces):
            weight = -sign * theta / 2
            up = sign * theta > 0
            small, big = s["small"], s["big"]
            along = np.where(up, 1, width * (s["share"] * (s["edge"] / s["rounded"] - 1) + (s["edge"] / s["gap"] - 1) / 2))
            form = np.where(up, 0, (1 - s["share"]) / self.norms)  # of |g|² small/big
            dz = weight * (1 + np.where(up, 0, s["share"] * s["slope"]))
            along, form = along * weight, form * weight
            m = along * small / s["root"] + 2 * form * small / big
            du = s["g"].T @ dz + s["u"] / small * (along @ s["root"] + form @ s["square"] / big)
            dv = self.x.T @ (s["g"] * m[:, None] + np.outer(dz, s["u"])) - s["v"] * (form @ s["square"] * small / big**3)
            gradient += [dv.ravel(), du]
        return value, np.concatenate(gradient) + self.regularisation * point

    def bound(self):
        """What the multipliers of the last evaluation prove."""
        most = 0
        for sign, s in zip((1, -1), self.pieces):
            c = sign * self.theta
            up, parabola = c > 0, np.maximum(s["root"] / s["big"], 1e-9)
            linear = np.where(up, c / 2, c * (1 + s["share"] * s["slope"]) / 2)
            quadratic = np.where(up, c / (4 * parabola), c * (1 - s["share"]) / (2 * self.norms))
            values, vectors = np.linalg.eigh(self.x.T @ (quadratic[:, None] * self.x))
            b = vectors.T @ (self.x.T @ linear)
            low = max(values[-1], 0)
            high = low + np.linalg.norm(b)
            for _ in range(60):  # the best ρ
                rho = (low + high) / 2
                low, high = (rho, high) if np.sum((b / (rho - values)) ** 2) > 4 else (low, rho)
            length = np.sum(c[up] * parabola[up]) / 4 + high + np.sum(b * b / (high - values)) / 4
            most = max(most, length)
        t = min(self.regularisation / most, self.theta @ self.y / (self.theta @ self.theta))
        return t * (self.theta @ self.y) - t * t * (self.theta @ self.theta) / 2


def minimised(x, y, regularisation):
    """The bound, the seconds and the evaluations of NumPy's run."""
    began = time.perf_counter()
    relaxation = Relaxation(x, y, regularisation)
    point, best, evaluations = relaxation.start(), -math.inf, 0
    for width in WIDTHS:
        tolerance = 1e-9 if width == WIDTHS[-1] else 1e-8
        run = minimize(relaxation.value, point, args=(width,), jac=True, method="L-BFGS-B",
                       options=dict(maxcor=20, maxiter=3000, ftol=tolerance, gtol=0))
        point, evaluations = run.x, evaluations + run.nfev
        relaxation.value(point, width)
        best = max(best, relaxation.bound())
    return best, time.perf_counter() - began, evaluations


def numpy_bound(problem, threads):
    own = dict(os.environ, OPENBLAS_NUM_THREADS=str(threads), OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
    done = subprocess.run([sys.executable, __file__, "--minimise", str(problem)], env=own, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def fenchel_bound(fenchel, table, regularisation):
    with tempfile.TemporaryDirectory() as folder:
        command = [fenchel, "train", str(table), "--lambda", repr(regularisation), "--bound", "quick", "--no-bias",
                   "--no-standardise", "--patterns", "20", "--tolerance", "0.1", "--task", "regression", "--json", "--quiet",
                   "--output", f"{folder}/model"]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode not in (0, 5):
        sys.exit(done.stderr)
    found = json.loads(done.stdout)["certificate"]["global"]
    return found["bound"], found["seconds"]


def main():
    if sys.argv[1] == "--minimise":
        problem = np.load(sys.argv[2])
        print(json.dumps(minimised(problem["x"], problem["y"], float(problem["regularisation"]))))
        return
    fenchel, repeats = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5
    print("| problem | bound, NumPy | bound, Fenchel | NumPy, s: 1 thread | 2 threads | evaluations | Fenchel, s | ratio |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, n, d, neurons, seed in (("B", 200, 10, 5, 1002), ("A", 1000, 50, 20, 1001), ("10,000 × 50", 10_000, 50, 20, 7)):
        x, y, gates = planted(n, d, neurons, 200, seed)
        y = y[:, 0]
        gated = (x @ gates > 0).astype(float)
        regularisation = float(RATIO * np.linalg.norm(x.T @ (gated * y[:, None]), axis=0).max())
        with tempfile.TemporaryDirectory() as folder:
            table = Path(folder) / "table.csv"
            header = ",".join(f"x{j}" for j in range(d)) + ",y"
            np.savetxt(table, np.c_[x, y], delimiter=",", header=header, comments="", fmt="%.17g")
            problem = Path(folder) / "problem.npz"
            np.savez(problem, x=x, y=y, regularisation=regularisation)
            theirs, ours = {1: [], 2: []}, []
            for _ in range(repeats):
                for threads, runs in theirs.items():
                    runs.append(numpy_bound(problem, threads))
                ours.append(fenchel_bound(fenchel, table, regularisation))
        (bound, _, evaluations), fast = theirs[1][0], min(run[1] for run in ours)
        slow = [min(run[1] for run in runs) for runs in theirs.values()]
        print(f"| {name} | {bound:.4f} | {ours[0][0]:.4f} | {slow[0]:.3f} | {slow[1]:.3f} | {evaluations} | {fast:.3f} "
              f"| {min(slow) / fast:.1f} |", flush=True)


if __name__ == "__main__":
    main()
