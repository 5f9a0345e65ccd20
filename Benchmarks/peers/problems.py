#!/usr/bin/env python3
"""The fixed benchmark problems: data, gates and λ, drawn from fixed seeds and written as NumPy files.

    python problems.py FOLDER        writes NAME.npz (X, y, gates, lambda, lambda_max), NAME.data.npz (X, y)
                                     and NAME.gates.npy (P × d) for every problem

A, B: a planted ReLU network plus noise, squared loss, scalar target. C: the digits of scikit-learn with a
column of ones, ten one-hot targets, squared loss. All columns of X have unit norm, so that solvers which
rescale columns solve the same problem; λ = 0.02 λ_max of the gated program over the sampled gates.
"""

import os
import sys

import numpy as np

LAMBDA_RATIO = 0.02


def planted(samples, features, neurons, gates, seed):
    """A noisy ReLU network's outputs on Gaussian data, and Gaussian gates."""
    draw = np.random.default_rng(seed)
    X = draw.standard_normal((samples, features))
    X /= np.linalg.norm(X, axis=0)
    first = draw.standard_normal((features, neurons))
    second = draw.standard_normal(neurons)
    y = np.maximum(X @ first, 0) @ second
    y /= y.std()
    y += 0.1 * draw.standard_normal(samples)
    return X, y[:, None], draw.standard_normal((features, gates))


def digits(gates, seed):
    """The digits, scaled to [0, 1], constant columns dropped, a bias column, unit columns; one-hot targets."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    X = bunch.data / 16.0
    X = X[:, X.std(0) > 0]
    X = np.c_[X, np.ones(len(X))]
    X = X / np.linalg.norm(X, axis=0)
    draw = np.random.default_rng(seed)
    return X, np.eye(10)[bunch.target], draw.standard_normal((X.shape[1], gates))


BUILDERS = {
    "A": lambda: planted(1000, 50, 20, 500, 1001),
    "B": lambda: planted(200, 10, 5, 200, 1002),
    "C": lambda: digits(500, 1003),
}


def distinct(X, gates):
    """Drops gates whose pattern 1[X g > 0] an earlier gate already gives."""
    patterns = (X @ gates > 0).astype(float)
    _, first = np.unique(patterns, axis=1, return_index=True)
    return gates[:, np.sort(first)]


def lambda_max(X, y, gates):
    """The smallest λ for which the gated program's optimum is zero: max over i, c of ‖Xᵀ D_i y_c‖."""
    patterns = (X @ gates > 0).astype(float)
    return max(
        np.linalg.norm(X.T @ (patterns[:, [i]] * y), axis=0).max() for i in range(patterns.shape[1])
    )


def build(name):
    X, y, gates = BUILDERS[name]()
    gates = distinct(X, gates)
    largest = lambda_max(X, y, gates)
    return {"X": X, "y": y, "gates": gates, "lambda": LAMBDA_RATIO * largest, "lambda_max": largest}


def write(folder):
    os.makedirs(folder, exist_ok=True)
    for name in BUILDERS:
        problem = build(name)
        np.savez(f"{folder}/{name}.npz", **problem)
        y = problem["y"]
        np.savez(f"{folder}/{name}.data.npz", X=problem["X"], y=y[:, 0] if y.shape[1] == 1 else y)
        np.save(f"{folder}/{name}.gates.npy", np.ascontiguousarray(problem["gates"].T))
        print(
            f"{name}: X {problem['X'].shape}, y {y.shape}, {problem['gates'].shape[1]} patterns, "
            f"lambda {problem['lambda']:.12g} of {problem['lambda_max']:.12g}"
        )


def load(folder, name):
    stored = np.load(f"{folder}/{name}.npz")
    return stored["X"], stored["y"], stored["gates"], float(stored["lambda"])


if __name__ == "__main__":
    write(sys.argv[1] if len(sys.argv) > 1 else "data")
