#!/usr/bin/env python3
"""Writes gradients and steps of PyTorch on small random networks, which the tests of Sources/Fenchel/Baselines must meet.

    torch_fixtures.py [FOLDER]        default: Tests/FenchelTests/Baselines/Fixtures
Needs torch (CPU). Writes gradients.json, optimizers.json and convolutions.json, in Double. A layer's weights are one matrix as here: inputs
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


def wave(count, phase):
    """Numbers that the tests can make again."""
    return torch.sin(torch.arange(count, dtype=torch.float64) * 0.7 + phase)


# Hidden layers as in an architecture file, for an image of channels x height x width; the last layer is dense.
PLANS = [
    ("tanh", "squared", (2, 6, 7), 3, ["convolution 3 3x2 padding 1", "pooling 2", "convolution 2 2x2 stride 2"]),
    ("relu", "softmax", (1, 8, 8), 3, ["convolution 4 3x3", "pooling 2", "dense 5"]),
    ("softplus", "softmax", (3, 9, 6), 4, ["pooling 3", "convolution 5 2x2", "pooling 1", "dense 4", "dense 3"]),
    ("relu", "softmax", (1, 28, 28), 10,
     ["convolution 6 5x5 padding 2", "pooling 2", "convolution 16 5x5", "pooling 2", "dense 120", "dense 84"]),
]


def convolve(text, x, w):
    words = text.split()
    kernel = [int(v) for v in words[2].split("x")]
    options = dict(zip(words[3::2], (int(v) for v in words[4::2])))
    weight = w[:-1].T.reshape(w.shape[1], x.shape[1], *kernel)
    return F.conv2d(x, weight, w[-1], stride=options.get("stride", 1), padding=options.get("padding", 0))


def forward(plan, phi, x, ws):
    """The network on images; weights are made as they are needed where `ws` has too few."""
    layer = 0
    for text in plan:
        words = text.split()
        if words[0] == "pooling":
            x = F.avg_pool2d(x, int(words[1]))
            continue
        if words[0] == "dense":
            x = x.flatten(1)
        if layer == len(ws):
            patch = x.shape[1]
            if words[0] == "convolution":
                patch *= int(words[2].split("x")[0]) * int(words[2].split("x")[1])
            columns = int(words[1])
            ws.append((wave((patch + 1) * columns, layer).reshape(patch + 1, columns) / patch ** 0.5).requires_grad_())
        w = ws[layer]
        x = convolve(text, x, w) if words[0] == "convolution" else x @ w[:-1] + w[-1]
        layer += 1
        if layer <= len([t for t in plan if not t.startswith("pooling")]) - 1:
            x = phi(x)
    return x


def convolutions():
    cases = []
    for name, loss, image, outputs, hidden in PLANS:
        plan, n = hidden + ["dense %d" % outputs], 4
        x = wave(n * image[0] * image[1] * image[2], 0.3).reshape(n, *image)
        y = F.one_hot(torch.arange(n) % outputs, outputs).double()
        ws = []
        f = forward(plan, ACTIVATIONS[name], x, ws)
        value = LOSSES[loss](f, y).sum() / n
        value.backward()
        gradient = [w.grad.flatten() for w in ws]
        adam = [w.detach().clone().requires_grad_() for w in ws]
        optimizer = torch.optim.Adam(adam, lr=0.01)
        for _ in range(3):
            optimizer.zero_grad()
            (LOSSES[loss](forward(plan, ACTIVATIONS[name], x, adam), y).sum() / n).backward()
            optimizer.step()
        cases.append(
            dict(activation=name, loss=loss, image=list(image), outputs=outputs, layers=hidden, output=f.tolist(),
                 value=value.item(), norms=[g.norm().item() for g in gradient],
                 gradient=[g[:: max(1, len(g) // 40)].tolist() for g in gradient],
                 adam=[w.detach().flatten()[:: max(1, w.numel() // 40)].tolist() for w in adam]))
    return cases


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "../Tests/FenchelTests/Baselines/Fixtures")
    for name, content in (
            ("gradients", gradients()), ("optimizers", optimizers()), ("convolutions", convolutions())):
        with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as file:
            json.dump(content, file, separators=(",", ":"))
            file.write("\n")


if __name__ == "__main__":
    main()
