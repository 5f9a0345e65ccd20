"""Model files, read by Python's safetensors: the weights alone give the objective, the bound and the predictions.

Runs the program named by $FENCHEL (default .build/release/fenchel).
"""

import csv
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

import numpy as np
from safetensors import safe_open

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "Benchmarks", "peers"))

sys.path.insert(0, os.path.join(ROOT, "Examples"))

import check_bound  # noqa: E402
import objective  # noqa: E402
import problems  # noqa: E402

FENCHEL = os.environ.get("FENCHEL", os.path.join(ROOT, ".build", "release", "fenchel"))


def fenchel(*arguments):
    done = subprocess.run([FENCHEL, *arguments], capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise AssertionError(f"fenchel {' '.join(arguments)} exited {done.returncode}: {done.stderr}")
    return done.stdout


def layers(path):
    """The tensors of the network by layer, and the metadata."""
    found = {}
    with safe_open(path, "np") as file:
        metadata = file.metadata()
        for name in file.keys():
            if match := re.fullmatch(r"layer\.(\d+)\.(\w+)", name):
                found.setdefault(int(match[1]), {})[match[2]] = file.get_tensor(name)
    return [found[index] for index in sorted(found)], metadata


class ModelFiles(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        draw = np.random.default_rng(5)
        self.X = draw.standard_normal((60, 3))
        self.Y = np.maximum(self.X @ draw.standard_normal((3, 4)), 0) @ draw.standard_normal((4, 1))
        self.gates = problems.distinct(self.X, draw.standard_normal((3, 40)))
        self.lam = 0.05 * problems.lambda_max(self.X, self.Y, self.gates)
        np.savez(self.path("data.npz"), X=self.X, y=self.Y[:, 0])
        np.save(self.path("gates.npy"), np.ascontiguousarray(self.gates.T))

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def train(self, model):
        report = fenchel(
            "train", self.path("data.npz"), "--model", model, "--task", "regression", "--loss", "squared",
            "--no-bias", "--no-standardise", "--patterns", self.path("gates.npy"), "--lambda", repr(float(self.lam)),
            "--tolerance", "1e-7", "--precision", "double", "--json", "--quiet", "--output", self.path("model.safetensors"),
        )  # fmt: skip
        return json.loads(report)

    def predictions(self):
        fenchel("predict", self.path("model.safetensors"), self.path("data.npz"), "--output", self.path("out.csv"))
        with open(self.path("out.csv"), encoding="utf-8") as file:
            return np.array([float(row[-1]) for row in list(csv.reader(file))[1:]])

    def test_relu(self):
        report = self.train("relu")
        network, metadata = layers(self.path("model.safetensors"))
        first, second = (layer for layer in network if "weight" in layer)
        hidden = np.maximum(self.X @ first["weight"] + first["bias"], 0)
        outputs = hidden @ second["weight"] + second["bias"]
        np.testing.assert_allclose(self.predictions(), outputs[:, 0], rtol=1e-9, atol=1e-12)
        self.assertFalse(first["bias"].any() or second["bias"].any())
        value, residual = objective.network(self.X, self.Y, self.lam, first["weight"], second["weight"])
        self.assertAlmostEqual(value, report["network"]["objective"], delta=1e-9 * value)
        self.assertAlmostEqual(value, report["certificate"]["primal"], delta=1e-6 * value)
        bound = objective.cone_bound(self.X, self.Y, self.gates, self.lam, residual)
        self.assertLessEqual(bound, value)
        self.assertLessEqual(report["certificate"]["dual"], value)
        self.assertIn("report", metadata)

    def test_gated(self):
        report = self.train("gated-relu")
        (layer, *_), _ = layers(self.path("model.safetensors"))
        weights, gates = np.transpose(layer["weight"], (1, 0, 2)), layer["gates"].T
        value, residual = objective.gated(self.X, self.Y, gates, self.lam, weights)
        np.testing.assert_allclose(self.predictions(), (self.Y - residual)[:, 0], rtol=1e-9, atol=1e-12)
        self.assertAlmostEqual(value, report["network"]["objective"], delta=1e-9 * value)
        self.assertLessEqual(report["certificate"]["dual"], value)
        self.assertLess(value - objective.gated_bound(self.X, self.Y, self.gates, self.lam, residual), 1e-3 * value)

    def test_checkpoints(self):
        """A checkpoint is safetensors: its weights are those of the model that the finished run wrote."""
        model, state = self.path("m"), self.path("state")
        fenchel(
            "train", self.path("data.npz"), "--model", "mlp", "--hidden", "4", "--epochs", "2",
            "--precision", "double", "--task", "regression", "--checkpoint", state, "--output", model, "--quiet")
        found = [layer for layer in layers(model)[0] if "weight" in layer]
        with safe_open(state, "np") as file:
            self.assertEqual(file.metadata()["checkpoint"], "4")
            self.assertEqual(json.loads(file.metadata()["settings"])["model"], "mlp")
            self.assertEqual(len(file.get_tensor("state.run.losses")), 2)
            for index, layer in enumerate(found):
                weights = file.get_tensor(f"state.weights.{index}")
                np.testing.assert_array_equal(weights[:-1], layer["weight"].reshape(weights[:-1].shape))

    def test_bound_over_networks_of_any_width(self):
        """NumPy finds the bound that the file's multipliers prove, for scaled data with a column of ones too."""
        draw = np.random.default_rng(6)
        x = 3 + draw.standard_normal((80, 9)) * np.arange(1, 10)
        y = np.maximum(x @ draw.standard_normal(9), 0) + draw.standard_normal(80)
        names = ",".join(f"x{j}" for j in range(9)) + ",y"
        np.savetxt(self.path("t.csv"), np.c_[x, y], delimiter=",", header=names, comments="", fmt="%.17g")
        for options in ([], ["--no-bias", "--no-standardise"]):
            model = self.path(f"bound{len(options)}.m")
            fenchel("train", self.path("t.csv"), "--target", "y", "--task", "regression", "--output", model, "--quiet", *options)
            stated, recomputed, primal = check_bound.bound(model, self.path("t.csv"))
            self.assertLess(abs(stated - recomputed), 1e-6 * primal)
            self.assertTrue(0 < stated <= primal)


if __name__ == "__main__":
    unittest.main()
