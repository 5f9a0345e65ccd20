#!/usr/bin/env python3
"""Writes gradients and steps of PyTorch on small random networks, which the tests of Sources/Fenchel/Baselines must meet.

    torch_fixtures.py [FOLDER]        default: Tests/FenchelTests/Baselines/Fixtures
Needs torch (CPU). Writes gradients.json and optimizers.json, in Double. A layer's weights are one matrix as here: inputs
in rows, outputs in columns, the bias as the last row. Losses are divided by the sum of the sample weights.
"""

import json
import os
import sys

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

ACTIVATIONS = {
    "relu": torch.relu,
    "leaky-relu:0.1": lambda u: F.leaky_relu(u, 0.1),
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softplus": F.softplus,
    "hard-tanh": F.hardtanh,
    "hard-sigmoid": lambda u: torch.clamp(u, 0, 1),
    "soft-threshold:0.1": lambda u: F.softshrink(u, 0.1),
    "softmax": lambda u: torch.softmax(u, 1),
    "identity": lambda u: u,
}

LOSSES = {  # one row's loss
    "squared": lambda f, y: 0.5 * ((f - y) ** 2).sum(1),
    "logistic": lambda f, y: F.softplus(-y * f).sum(1),
    "softmax": lambda f, y: F.cross_entropy(f, y, reduction="none"),
    "huber": lambda f, y: F.huber_loss(f, y, reduction="none", delta=1.0).sum(1),
    "squared-hinge": lambda f, y: 0.5 * (torch.relu(1 - y * f) ** 2).sum(1),
}

OPTIMIZERS = {
    "sgd": lambda p, **k: torch.optim.SGD(p, lr=0.05, **k),
    "momentum": lambda p, **k: torch.optim.SGD(p, lr=0.05, momentum=0.9, **k),
    "adagrad": lambda p, **k: torch.optim.Adagrad(p, lr=0.05, **k),
    "rmsprop": lambda p, **k: torch.optim.RMSprop(p, lr=0.01, **k),
    "adam": lambda p, **k: torch.optim.Adam(p, lr=0.01, **k),
}

RATES = {"sgd": 0.05, "momentum": 0.05, "adagrad": 0.05, "rmsprop": 0.01, "adam": 0.01}


def targets(loss, n, c):
    if loss == "softmax":
        return F.one_hot(torch.randint(c, (n,)), c).double()
    if loss in ("logistic", "squared-hinge"):
        return torch.randint(2, (n, c)).double() * 2 - 1
    return torch.randn(n, c)


def weights(widths):
    return [(torch.randn(a + 1, b) / (a + 1) ** 0.5).requires_grad_() for a, b in zip(widths, widths[1:])]


def mean_loss(ws, phi, loss, x, y, s):
    for layer, w in enumerate(ws):
        x = x @ w[:-1] + w[-1]
        if layer < len(ws) - 1:
            x = phi(x)
    return (s * LOSSES[loss](x, y)).sum() / s.sum()


def numbers(tensors):
    return [t.detach().tolist() for t in tensors]


def gradients():
    cases = []
    for index, (name, phi) in enumerate(ACTIVATIONS.items()):
        torch.manual_seed(100 + index)
        loss = list(LOSSES)[index % len(LOSSES)]
        x, s, ws = torch.randn(5, 3), torch.rand(5) + 0.5, weights([3, 4, 3, 2])
        y = targets(loss, 5, 2)
        value = mean_loss(ws, phi, loss, x, y, s)
        value.backward()
        cases.append(
            dict(activation=name, loss=loss, x=x.tolist(), y=y.tolist(), s=s.tolist(), weights=numbers(ws),
                 value=value.item(), gradient=numbers(w.grad for w in ws)))
    return cases


def optimizers():
    torch.manual_seed(7)
    x, y, s = torch.randn(8, 3), targets("softmax", 8, 3), torch.rand(8) + 0.5
    start = weights([3, 5, 3])
    cases = []
    for name, make in OPTIMIZERS.items():
        for decay in (0.0, 0.1):
            ws = [w.detach().clone().requires_grad_() for w in start]
            optimizer = make(ws, weight_decay=decay)
            after = []
            for _ in range(5):
                optimizer.zero_grad()
                mean_loss(ws, torch.tanh, "softmax", x, y, s).backward()
                optimizer.step()
                after.append(numbers(ws))
            cases.append(dict(optimizer=name, rate=RATES[name], decay=decay, after=after[-1]))
    return dict(activation="tanh", loss="softmax", x=x.tolist(), y=y.tolist(), s=s.tolist(),
                weights=numbers(start), steps=5, cases=cases)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "../Tests/FenchelTests/Baselines/Fixtures")
    for name, content in (("gradients", gradients()), ("optimizers", optimizers())):
        with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as file:
            json.dump(content, file, separators=(",", ":"))
            file.write("\n")


if __name__ == "__main__":
    main()
