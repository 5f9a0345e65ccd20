#!/usr/bin/env python3
"""Runs `fenchel train` once on one problem:  contender_fenchel.py FENCHEL FOLDER PROBLEM KIND TOLERANCE OUT.npz

KIND: gated (the given gates) · cones (the given gates) · network (`--patterns refine`). The network is read
back from the model file by Python's safetensors, so that the judge sees only what was written.
"""

import json
import os
import re
import subprocess
import sys
import time

import numpy as np
from safetensors.numpy import load_file

from problems import load

ACCEPTED = (0, 5)  # done · stopped before the tolerance, model written


def command(fenchel, folder, name, kind, tolerance, model):
    _, Y, _, lam = load(folder, name)
    arguments = [
        fenchel, "train", f"{folder}/{name}.data.npz",
        "--model", "gated-relu" if kind == "gated" else "relu",
        "--loss", "squared", "--task", "regression", "--no-bias", "--no-standardise",
        "--patterns", "refine" if kind == "network" else f"{folder}/{name}.gates.npy",
        "--lambda", repr(lam), "--tolerance", tolerance,
        "--threads", os.environ.get("OMP_NUM_THREADS", "2"),
        "--json", "--quiet", "--output", model,
    ]  # fmt: skip
    return arguments


def layers(model):
    """The tensors of a model file by layer: [{'weight': …, 'gates': …}, …] in order."""
    found = {}
    for name, array in load_file(model).items():
        match = re.search(r"(\d+)\.(weight|gates|bias)$", name)
        if match:
            found.setdefault(int(match[1]), {})[match[2]] = array.astype(float)
    return [found[index] for index in sorted(found)]


def main():
    fenchel, folder, name, kind, tolerance, out = sys.argv[1:7]
    model = out.replace(".npz", ".safetensors")
    if os.path.exists(model):
        os.remove(model)
    begun = time.perf_counter()
    done = subprocess.run(
        command(fenchel, folder, name, kind, tolerance, model), capture_output=True, text=True
    )
    wall = time.perf_counter() - begun
    if done.returncode not in ACCEPTED:
        sys.exit(f"fenchel exited {done.returncode}: {done.stderr.strip()[-400:]}")
    report = json.loads(done.stdout)
    read = layers(model)
    if kind == "gated":
        np.savez(out, weights=np.transpose(read[0]["weight"], (1, 0, 2)), gates=read[0]["gates"].T)
    else:
        dense = [layer["weight"] for layer in read if "weight" in layer]
        np.savez(out, first=dense[0], second=dense[1])
    print(
        json.dumps(
            {
                "seconds": report["seconds"],
                "wall_seconds": wall,
                "iterations": report["iterations"],
                "status": report["status"],
                "peak_bytes": report.get("peakMemoryBytes"),
                "certificate": report["certificate"],
                "refinement": report.get("refinement"),
                "core": report.get("environment", {}).get("blasCore"),
            }
        )
    )


if __name__ == "__main__":
    main()
