#!/usr/bin/env python3
"""Seconds of an epoch of ordinary training of 784-300-10 on MNIST: PyTorch on the CPU and ours, turn by turn.

    networks.py [--epochs 5] [--rounds 3] [--threads 2] [--fused]
Needs torch, and MNIST's four IDX files in $FENCHEL_DATA/mnist; build ours first: make bench. Adam at 1e-3, batches of 500,
single precision. PyTorch's loop gathers shuffled batches from one tensor, as fast as it does without a data loader.
"""

import argparse
import gzip
import os
import re
import statistics
import subprocess
import time

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
OURS = os.path.join(HERE, "../.build/release/Networks")


def images(part):
    folder = os.path.join(os.environ["FENCHEL_DATA"], "mnist")

    def content(name, header):
        path = os.path.join(folder, f"{part}-{name}-ubyte")
        opened = gzip.open(path + ".gz") if os.path.exists(path + ".gz") else open(path, "rb")
        with opened as file:
            return torch.frombuffer(bytearray(file.read()[header:]), dtype=torch.uint8)

    return content("images-idx3", 16).view(-1, 784).float() / 255, content("labels-idx1", 8).long()


def theirs(train, test, epochs, fused):
    """Seconds and processor seconds of every epoch, and the test accuracy after the last."""
    (x, y), times = train, []
    model = torch.nn.Sequential(torch.nn.Linear(784, 300), torch.nn.ReLU(), torch.nn.Linear(300, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=fused)
    loss = torch.nn.CrossEntropyLoss()
    for _ in range(epochs):
        start, cpu = time.perf_counter(), time.process_time()
        for batch in torch.randperm(len(x)).split(500):
            optimizer.zero_grad()
            loss(model(x[batch]), y[batch]).backward()
            optimizer.step()
        times.append((time.perf_counter() - start, time.process_time() - cpu))
    with torch.no_grad():
        return times, (model(test[0]).argmax(1) == test[1]).double().mean().item()


def ours(epochs):
    run = subprocess.run([OURS, "--epochs", str(epochs)], capture_output=True, text=True, check=True)
    rows = re.findall(r"^epoch +\d+ +([\d.]+) s +cpu +([\d.]+) s", run.stdout, re.M)
    times = [(float(wall), float(cpu)) for wall, cpu in rows]
    return times, float(re.findall(r"test accuracy ([\d.]+)", run.stdout)[-1]), run.stdout.splitlines()[-1]


def spread(times):
    wall = [t[0] for t in times]
    return f"{min(wall):.3f} … {max(wall):.3f} s"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--fused", action="store_true", help="PyTorch's fused Adam")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    train, test = images("train"), images("t10k")
    seconds = {"PyTorch": [], "ours": []}
    for _ in range(options.rounds):
        times, accuracy = theirs(train, test, options.epochs, options.fused)
        seconds["PyTorch"] += times
        print(f"PyTorch {torch.__version__}: {spread(times)}, test accuracy {accuracy:.4f}")
        times, accuracy, products = ours(options.epochs)
        seconds["ours"] += times
        print(f"ours:  {spread(times)}, test accuracy {accuracy:.4f}; {products}")
    for index, what in enumerate(("seconds", "processor seconds")):
        medians = {name: statistics.median(t[index] for t in times) for name, times in seconds.items()}
        print(f"median {what} an epoch: PyTorch {medians['PyTorch']:.4f}, ours {medians['ours']:.4f}, "
              f"ratio {medians['ours'] / medians['PyTorch']:.2f}")


if __name__ == "__main__":
    main()
