#!/usr/bin/env python3
"""Runs CVXPY once on one problem:  contender_cvxpy.py FOLDER PROBLEM gated|cones SOLVER OUT.npz

`seconds` is the solver's own time where it reports one; `wall_seconds` adds CVXPY's translation.
"""

import json
import sys
import time

import numpy as np

from problems import load


def main():
    folder, name, kind, solver, out = sys.argv[1:6]
    import cvxpy as cp

    X, Y, gates, lam = load(folder, name)
    y = Y[:, 0]
    D = (X @ gates > 0).astype(float)
    d, count = gates.shape
    u = cp.Variable((d, count))
    blocks, constraints, difference = [u], [], u
    if kind == "cones":
        v = cp.Variable((d, count))
        blocks.append(v)
        difference = u - v
        constraints = [cp.multiply(2 * D - 1, X @ block) >= 0 for block in blocks]
    f = cp.sum(cp.multiply(D, X @ difference), axis=1)
    penalty = sum(cp.sum(cp.norm(block, 2, axis=0)) for block in blocks)
    problem = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(f - y) + lam * penalty), constraints)
    options = {"eps_abs": 1e-6, "eps_rel": 1e-6, "max_iters": 100000} if solver == "SCS" else {}
    begun = time.perf_counter()
    problem.solve(solver=solver, **options)
    wall = time.perf_counter() - begun
    arrays = {"u": u.value.T[None]} if kind == "cones" else {"weights": u.value.T[None]}
    if kind == "cones":
        arrays["v"] = v.value.T[None]
    np.savez(out, gates=gates, **arrays)
    stats = problem.solver_stats
    seconds = stats.solve_time if stats.solve_time is not None else wall
    print(
        json.dumps(
            {
                "seconds": float(seconds),
                "wall_seconds": wall,
                "iterations": stats.num_iters,
                "status": problem.status,
            }
        )
    )


if __name__ == "__main__":
    main()
