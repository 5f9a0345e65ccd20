#!/usr/bin/env python3
"""Bounds over networks of any width: bounds.py FENCHEL [--quick]

Trains ReLU networks on planted tables (three seeds each) and on the data sets that come with the program, with --bound
quick and tight (30 seconds at most), and prints what share of the objective is certified and in what time. Standard library
only.
"""
import json
import math
import random
import subprocess
import sys
import tempfile
from pathlib import Path


def planted(path, n, d, noise, seed):
    """y = sqrt(n) * sum of five signed ReLU neurons + noise, on unit columns of N(0, 1) entries."""
    draw = random.Random(seed).gauss
    x = [[draw(0, 1) for _ in range(d)] for _ in range(n)]
    norms = [math.sqrt(sum(row[j] ** 2 for row in x)) for j in range(d)]
    x = [[v / s for v, s in zip(row, norms)] for row in x]
    w = [[draw(0, 1) for _ in range(d)] for _ in range(5)]
    lines = [",".join(f"x{j}" for j in range(d)) + ",y"]
    for row in x:
        y = noise * draw(0, 1)
        for m, v in enumerate(w):
            y += (-1) ** m * math.sqrt(n) * max(0, sum(a * b for a, b in zip(row, v)))
        lines.append(",".join(repr(v) for v in row + [y]))
    path.write_text("\n".join(lines) + "\n")


def train(fenchel, data, ratio, bound, scaled):
    with tempfile.TemporaryDirectory() as folder:
        command = [fenchel, "train", str(data), "--lambda-ratio", str(ratio), "--bound", bound, "--bound-time", "30"]
        command += ["--json", "--quiet", "--output", f"{folder}/model"] + ([] if scaled else ["--no-bias", "--no-standardise"])
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode not in (0, 5):
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def show(name, ratio, reports):
    cells = []
    for bound in ("quick", "tight"):
        found = [(r["certificate"]["primal"], r["certificate"]["global"]) for r in reports[bound]]
        shares = "  ".join(f"{100 * g['bound'] / p:.2f}" for p, g in found)
        kinds = "/".join(sorted({g["kind"] for _, g in found}))
        cells += [shares, kinds, f"{max(g['seconds'] for _, g in found):.2f}"]
    print(f"| {name} | {ratio} | " + " | ".join(cells) + " |", flush=True)


def main():
    fenchel, quick = sys.argv[1], "--quick" in sys.argv
    print("| data | λ/λ_max | quick: % | kind | s | tight: % | kind | s |")
    print("| --- | --- | --- | --- | ---: | --- | --- | ---: |")
    sizes = [(100, 2), (200, 3), (200, 5), (200, 10)]
    with tempfile.TemporaryDirectory() as folder:
        for n, d in sizes[:2] if quick else sizes:
            for noise in (0.1, 1):
                for ratio in (0.1, 0.02):
                    reports = {"quick": [], "tight": []}
                    for seed in range(1, 2 if quick else 4):
                        path = Path(folder) / f"{n}-{d}-{noise}-{seed}.csv"
                        planted(path, n, d, noise, seed)
                        for bound, list_ in reports.items():
                            list_.append(train(fenchel, path, ratio, bound, False))
                    show(f"planted {n} × {d}, noise {noise}", ratio, reports)
        for name in ("iris",) if quick else ("iris", "wine", "diabetes", "breast-cancer"):
            for ratio in (0.1, 0.01):
                show(name, ratio, {b: [train(fenchel, name, ratio, b, True)] for b in ("quick", "tight")})


if __name__ == "__main__":
    main()
