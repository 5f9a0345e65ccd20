#!/usr/bin/env python3
"""Test accuracies of LeNet-5 on MNIST by Adam and SGD, ours and PyTorch's: the same network, data and starts.

    lenet.py FENCHEL [--epochs 20] [--seeds 3] [--threads 2]
Needs torch, and MNIST's four IDX files in $FENCHEL_DATA/mnist. Averages, ReLU, Xavier's uniform weights, biases 0.1, batches of 500,
single precision; Adam at 1e-3, SGD at 1e-2 without momentum. Seeds draw other numbers in either program.
"""

import argparse
import json
import statistics
import subprocess
import tempfile

import torch
from networks import images
from race import lenet

RATES = {"adam": 1e-3, "sgd": 1e-2}


def theirs(train, test, optimizer, epochs, seed):
    torch.manual_seed(seed)
    model = lenet()
    for name, parameter in model.named_parameters():
        torch.nn.init.constant_(parameter, 0.1) if name.endswith("bias") else torch.nn.init.xavier_uniform_(parameter)
    make = torch.optim.Adam if optimizer == "adam" else torch.optim.SGD
    rule, loss, (x, y) = make(model.parameters(), lr=RATES[optimizer]), torch.nn.CrossEntropyLoss(), train
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(500):
            rule.zero_grad()
            loss(model(x[batch]), y[batch]).backward()
            rule.step()
    with torch.no_grad():
        return (model(test[0]).argmax(1) == test[1]).double().mean().item()


def ours(program, optimizer, epochs, seed, threads):
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "train", "mnist", "--model", "mlp", "--architecture", "lenet-5", "--optimizer", optimizer,
                   "--learning-rate", str(RATES[optimizer]), "--batch-size", "500", "--epochs", str(epochs), "--seed", str(seed),
                   "--threads", str(threads), "--json", "--quiet", "--output", f"{folder}/model"]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["test"]["accuracy"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    train, test = images("train"), images("t10k")
    print(f"{options.epochs} epochs, {options.seeds} seeds, PyTorch {torch.__version__}\n")
    print("| optimizer | ours | PyTorch |\n| --- | ---: | ---: |")
    for optimizer in RATES:
        own = [ours(options.program, optimizer, options.epochs, seed, options.threads) for seed in range(options.seeds)]
        other = [theirs(train, test, optimizer, options.epochs, seed) for seed in range(options.seeds)]
        cells = [f"{statistics.mean(runs):.4f} ± {statistics.stdev(runs):.4f}" for runs in (own, other)]
        print(f"| {optimizer}, {RATES[optimizer]:g} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
