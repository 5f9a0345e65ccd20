#!/usr/bin/env python3
"""Seconds of training to a test accuracy on MNIST: Fenchel lifted networks and PyTorch's Adam, turn by turn on the CPU.

    race.py FENCHEL dense|lenet-5 [--rounds 3] [--threads 2]
Needs torch, and MNIST's four IDX files in $FENCHEL_DATA/mnist. Batches of 500, single precision, cross-entropy. Adam runs at each
rate of a list, fused, and its best counts; on 784-300-10 also on the 150 largest directions of the inputs, which
ours takes too; finding and applying them counts for both. Adam is scored after every epoch, outside of the clock. The
steps of ours shorten over a run: so it is run anew for every number of epochs, and each run counts as a whole.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import time

import torch
from networks import images

RACES = {
    "dense": dict(goals=(0.973, 0.976, 0.980), epochs=12, ours=(1, 2, 3, 4, 5, 6), rates=(1e-3, 2e-3, 4e-3, 8e-3),
                  options=["--hidden", "300"]),
    "lenet-5": dict(goals=(0.98, 0.985), epochs=10, ours=(1, 2, 3, 4), rates=(1e-3, 2e-3, 4e-3, 8e-3),
                    options=["--architecture", "lenet-5"]),
}


def rotated(train, test, kept=150):
    """The inputs along the largest directions of their second moment."""
    _, vectors = torch.linalg.eigh(train.T @ train)
    basis = vectors[:, -kept:]
    return train @ basis, test @ basis


def dense(inputs):
    return torch.nn.Sequential(torch.nn.Linear(inputs, 300), torch.nn.ReLU(), torch.nn.Linear(300, 10))


def lenet():
    net = torch.nn
    return net.Sequential(
        net.Unflatten(1, (1, 28, 28)), net.ZeroPad2d(2), net.Conv2d(1, 6, 5), net.ReLU(), net.AvgPool2d(2),
        net.Conv2d(6, 16, 5), net.ReLU(), net.AvgPool2d(2), net.Flatten(), net.Linear(400, 120), net.ReLU(),
        net.Linear(120, 84), net.ReLU(), net.Linear(84, 10))


def adam(train, test, race, rate, rotate=False):
    """(seconds, accuracy) after every epoch, until all goals are met."""
    (x, y), (seen, labels), spent, curve = train, test, 0.0, []
    start = time.perf_counter()
    if rotate:
        x, seen = rotated(x, seen)
    spent += time.perf_counter() - start
    model = lenet() if race is RACES["lenet-5"] else dense(x.shape[1])
    optimizer = torch.optim.Adam(model.parameters(), lr=rate, fused=True)
    loss = torch.nn.CrossEntropyLoss()
    for _ in range(race["epochs"]):
        start = time.perf_counter()
        for batch in torch.randperm(len(x)).split(500):
            optimizer.zero_grad()
            loss(model(x[batch]), y[batch]).backward()
            optimizer.step()
        spent += time.perf_counter() - start
        with torch.no_grad():
            curve.append((spent, (model(seen).argmax(1) == labels).double().mean().item()))
        if curve[-1][1] >= race["goals"][-1]:
            break
    return curve


def fenchel(program, race, seed, threads):
    """(seconds, accuracy) of whole runs of ever more epochs, until all goals are met."""
    curve = []
    for epochs in race["ours"]:
        with tempfile.TemporaryDirectory() as folder:
            command = [program, "train", "mnist", "--model", "fenchel", "--epochs", str(epochs), "--seed", str(seed), "--json",
                       "--threads", str(threads), "--quiet", "--output", f"{folder}/model", *race["options"]]
            run = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        curve.append((run["history"][-1]["seconds"], run["test"]["accuracy"]))
        if curve[-1][1] >= race["goals"][-1]:
            break
    return curve


def reached(curve, goal):
    return min((seconds for seconds, accuracy in curve if accuracy >= goal), default=float("inf"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("race", choices=RACES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    race, train, test = RACES[options.race], images("train"), images("t10k")
    curves = {}
    for turn in range(options.rounds):
        torch.manual_seed(turn)
        curves.setdefault("Fenchel", []).append(fenchel(options.program, race, turn, options.threads))
        for rate in race["rates"]:
            curves.setdefault(f"Adam {rate:g}", []).append(adam(train, test, race, rate))
            if options.race == "dense":
                curves.setdefault(f"Adam {rate:g}, 150 directions", []).append(adam(train, test, race, rate, True))
    print(f"PyTorch {torch.__version__}, {options.threads} threads; median seconds of {options.rounds} rounds to a test accuracy\n")
    print("| method | " + " | ".join(f"{goal:.3f}" for goal in race["goals"]) + " | s an epoch |")
    print("| --- |" + " ---: |" * (len(race["goals"]) + 1))
    for name, runs in curves.items():
        cells = [statistics.median(reached(run, goal) for run in runs) for goal in race["goals"]]
        pace = statistics.median(run[-1][0] / (race["ours"][len(run) - 1] if name == "Fenchel" else len(run)) for run in runs)
        shown = ["–" if cell == float("inf") else f"{cell:.2f}" for cell in cells]
        print(f"| {name} | " + " | ".join(shown) + f" | {pace:.2f} |")


if __name__ == "__main__":
    main()
