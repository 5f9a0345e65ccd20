#!/usr/bin/env python3
"""Runs scnn once on one problem:  contender_scnn.py FOLDER PROBLEM gated|cones DTYPE TOLERANCE OUT.npz

scnn minimises the objective divided by n·c, so its λ is ours over n·c; its data is passed with unit columns
and `unitize_data=False`, which makes its problem ours. The trace (seconds, objective) is kept per iteration;
scnn's clock leaves out the time spent on recording. TOLERANCE `default` keeps the package's own.
"""

import json
import os
import sys
import time

import numpy as np

from problems import load


def main():
    folder, name, kind, dtype, tolerance, out = sys.argv[1:7]
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    from scnn.metrics import Metrics
    from scnn.models import ConvexGatedReLU, ConvexReLU
    from scnn.optimize import optimize_model
    from scnn.regularizers import NeuronGL1
    from scnn.solvers import AL, RFISTA

    X, Y, gates, lam = load(folder, name)
    n, outputs = Y.shape
    cones = kind == "cones"
    model = (ConvexReLU if cones else ConvexGatedReLU)(gates, c=outputs)
    if tolerance == "default":
        solver = AL(model) if cones else RFISTA(model)
    elif cones:
        solver = AL(model, tol=float(tolerance), constraint_tol=float(tolerance))
    else:
        solver = RFISTA(model, tol=float(tolerance), max_iters=20000)
    metrics = Metrics(metric_freq=1, model_loss=cones, constraint_gaps=cones)
    begun = time.perf_counter()
    model, metrics = optimize_model(
        model, solver, metrics, X, Y, regularizer=NeuronGL1(lam / (n * outputs)), dtype=dtype,
        unitize_data=False, return_convex=True,
    )  # fmt: skip
    wall = time.perf_counter() - begun
    values = metrics.model_loss if cones else metrics.objective
    trace = {"seconds": np.asarray(metrics.time, float), "objective": np.asarray(values, float) * n * outputs}
    if cones:
        trace["violation"] = np.asarray(metrics.constraint_gaps, float)
        u, v = (np.asarray(p, float) for p in model.parameters[:2])
        np.savez(out, u=u, v=v, gates=gates, **trace)
    else:
        np.savez(out, weights=np.asarray(model.parameters[0], float), gates=np.asarray(model.G, float), **trace)
    report = {
        "seconds": wall,
        "iterations": len(trace["seconds"]) - 1,
        "solver_seconds": float(trace["seconds"][-1]),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
