#!/usr/bin/env python3
"""The bound over networks of any width, recomputed from a model file and its data by NumPy alone: check_bound.py MODEL TABLE.csv

For models trained with squared loss on one target in numeric columns, whose bound is proven by multipliers over all directions
at once (what `fenchel train` writes for more than six features). Prints the stated bound, the recomputed one and the network's
objective. Documentation/global-bounds.md has the formulas. Needs NumPy and safetensors.
"""
import json
import sys

import numpy as np
from safetensors import safe_open


def read(path):
    with safe_open(path, "np") as file:
        metadata = {key: json.loads(text) for key, text in file.metadata().items() if text[:1] in "{["}
        tensors = {name: file.get_tensor(name) for name in file.keys() if name.startswith("certificate.bound.")}
    return metadata, {name.removeprefix("certificate.bound."): tensor for name, tensor in tensors.items()}


def inputs(metadata, path):
    """X and y as the training saw them."""
    schema, scaling = metadata["schema"], metadata["scaling"]
    table = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
    columns = [[role["position"] for role in schema[part]] for part in ("features", "targets")]
    x, y = ((table[:, chosen] - scaling[part]["mean"]) / scaling[part]["scale"]
            for chosen, part in zip(columns, ("features", "targets")))
    if metadata["report"]["settings"]["bias"]:
        x = np.c_[x, np.ones(len(x))]
    return x, y[:, 0]


def largest(x, c, lines, parabolas):
    """An upper bound on max over ‖w‖ ≤ 1 of Σ c_i (x_iᵀw)₊, whatever the multipliers are."""
    r, up = np.linalg.norm(x, axis=1), c > 0
    s = np.where(parabolas > 0, parabolas, r)
    beta = np.clip(lines, 0, 1)
    alpha = np.clip(lines, -1, 1)
    gamma = np.clip(parabolas, 0, 1 - np.abs(alpha))
    constant = np.sum((c * (beta * r + (1 - beta) * s / 2) / 2)[up])
    linear = np.where(up, c / 2, c * (1 + alpha) / 2)
    quadratic = np.where(up, c * (1 - beta) / (4 * s), c * gamma / (2 * r))
    values, vectors = np.linalg.eigh(x.T @ (quadratic[:, None] * x))
    b = vectors.T @ (x.T @ linear)
    low = max(values[-1], 0)
    high = low + np.linalg.norm(b) + 1e-12
    for _ in range(100):  # any ρ above the eigenvalues gives a bound: the best one
        middle = (low + high) / 2
        low, high = (middle, high) if np.sum((b / (middle - values)) ** 2) > 4 else (low, middle)
    return constant + high + np.sum(b * b / (high - values)) / 4


def bound(model, table):
    """The stated bound, the one that the file's multipliers prove for the data, and the network's objective."""
    metadata, proof = read(model)
    (x, y), report = inputs(metadata, table), metadata["report"]
    stated = report["certificate"]["global"]
    if stated["proof"] != "multipliers" or proof["pieces"].shape != (2, 2) or report["loss"] != "squared":
        raise SystemExit("only squared loss, one target and multipliers over all directions are looked at here")
    theta = proof["theta"][:, 0]
    most = max(largest(x, sign * theta, *rows) for (_, sign), *rows in zip(proof["pieces"], proof["lines"], proof["parabolas"]))
    t = min(report["lambda"] / most, theta @ y / (theta @ theta))
    return stated["bound"], t * (theta @ y) - t * t * (theta @ theta) / 2, report["certificate"]["primal"]


if __name__ == "__main__":
    for name, value in zip(("stated", "recomputed", "objective"), bound(*sys.argv[1:3])):
        print(f"{name:11} {value:.10g}")
