"""Pictures and forecasts, read by Python: PNG by zlib and the standard's chunks, the closed form of a generator by NumPy.

Runs the program named by $FENCHEL (default .build/release/fenchel).
"""

import json
import os
import struct
import subprocess
import tempfile
import unittest
import zlib

import numpy as np
from safetensors import safe_open

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
FENCHEL = os.environ.get("FENCHEL", os.path.join(ROOT, ".build", "release", "fenchel"))


def fenchel(*arguments):
    done = subprocess.run([FENCHEL, *arguments], capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise AssertionError(f"fenchel {' '.join(arguments)} exited {done.returncode}: {done.stderr}")
    return done.stdout


def png(path):
    """The greys of an unfiltered PNG, every CRC checked."""
    with open(path, "rb") as file:
        data = file.read()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    place, packed, shape = 8, b"", None
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        body = data[place + 4 : place + 8 + length]
        assert zlib.crc32(body) == struct.unpack(">I", data[place + 8 + length : place + 12 + length])[0]
        if body[:4] == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[4:14])
            assert (depth, colour) == (8, 0)
            shape = (height, width)
        elif body[:4] == b"IDAT":
            packed += body[4:]
        place += 12 + length
    lines = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(shape[0], shape[1] + 1)
    assert not lines[:, 0].any()
    return lines[:, 1:]


class Pictures(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        draw = np.random.default_rng(5)
        self.images = draw.integers(0, 256, (40, 6, 6), dtype=np.uint8)
        os.mkdir(self.path("images"))
        for k, image in enumerate(self.images):
            with open(self.path(f"images/{k:02}.pgm"), "wb") as file:
                file.write(b"P5\n6 6\n255\n" + image.tobytes())

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def test_closed_form_and_files(self):
        out = self.path("out")
        fenchel("gan", self.path("images"), "--sizes", "3,6", "--beta-ratio", "0.3", "--samples", "4", "--output", out)
        with open(os.path.join(out, "result.json")) as file:
            stages = json.load(file)["stages"]
        for stage in stages:
            size = stage["size"]
            step = 6 // size
            x = self.images.reshape(40, size, step, size, step).mean((2, 4)).reshape(40, -1) / 255
            sigma = np.linalg.svd(x - x.mean(0), compute_uv=False)
            self.assertAlmostEqual(stage["largest"], sigma[0] ** 2, delta=1e-10 * sigma[0] ** 2)
            kept = sigma[sigma**2 > stage["beta"]] ** 2 - stage["beta"]
            self.assertEqual(stage["rank"], len(kept))
            self.assertAlmostEqual(stage["optimum"], kept.sum(), delta=1e-9 * kept.sum())
            self.assertAlmostEqual(stage["constraint"], stage["beta"], delta=1e-9 * stage["largest"])
            grid = png(os.path.join(out, f"samples-{size}.png"))
            with open(os.path.join(out, f"samples-{size}.pgm"), "rb") as file:
                header = f"P5\n{grid.shape[1]} {grid.shape[0]}\n255\n".encode()
                self.assertEqual(file.read(), header + grid.tobytes())
        # The first image of the data, at its own size, to the bit.
        self.assertTrue((png(os.path.join(out, "data-6.png"))[2:8, 2:8] == self.images[0]).all())

    def test_generator_file_has_the_moments_of_the_closed_form(self):
        out = self.path("out")
        fenchel("gan", self.path("images"), "--sizes", "3,6", "--beta-ratio", "0.3", "--output", out)
        with safe_open(os.path.join(out, "generator.safetensors"), framework="numpy") as file:
            stages = json.loads(file.metadata()["stages"])
            betas = [stage["beta"] for stage in json.loads(file.metadata()["report"])["stages"]]
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        self.assertEqual([stage["size"] for stage in stages], [3, 6])
        before = None
        for s, stage in enumerate(stages):
            step = 6 // stage["size"]
            x = self.images.reshape(40, stage["size"], step, stage["size"], step).mean((2, 4)).reshape(40, -1) / 255
            mean = tensors[f"stage.{s}.mean"]
            self.assertTrue(np.allclose(mean, x.mean(0), atol=1e-12))
            # The network as one map of the noise: later stages see what the one before made of it, and the noise.
            weight = tensors[f"stage.{s}.layer.0.weight"]
            noise = np.eye(len(weight) if before is None else len(before))
            network = (noise if before is None else np.c_[before / stage["scale"], noise]) @ weight
            pictures = network @ tensors[f"stage.{s}.directions"]
            values, vectors = np.linalg.eigh((x - x.mean(0)).T @ (x - x.mean(0)))
            wanted = (vectors * np.maximum(values - betas[s], 0)) @ vectors.T
            self.assertLess(np.abs(40 * pictures.T @ pictures - wanted).max(), 1e-9 * values[-1])
            before = network

    def test_forecasts_are_those_of_the_model(self):
        draw = np.random.default_rng(3)
        values = np.cumsum(draw.standard_normal(200)) * 0.1 + np.sin(np.arange(200) / 3)
        np.savetxt(self.path("s.csv"), values, header="v", comments="")
        names = [self.path(name) for name in ("s.csv", "m", "w.csv", "f.csv")]
        report = json.loads(
            fenchel(
                "forecast", names[0], "--window", "4", "--horizon", "3", "--test", "0.25", "--compare", "linear", "--quiet",
                "--save", names[1], "--windows", names[2], "--output", names[3], "--json", "--lambda-ratio", "0.01",
            )
        )
        # Autoregression by NumPy, on the windows before the cut, tried behind it.
        cut = 150
        rows = np.array([values[t - 4 : t] for t in range(4, cut)])
        w, *_ = np.linalg.lstsq(np.c_[rows, np.ones(len(rows))], values[4:cut], rcond=None)
        errors = []
        for t in range(cut + 4, 200 - 2):
            window = list(values[t - 4 : t])
            for _ in range(3):
                window.append(np.dot(w[:4], window[-4:]) + w[4])
            errors.append(np.array(window[4:]) - values[t : t + 3])
        rmse = np.sqrt(np.mean(np.square(errors), 0))
        linear = next(m for m in report["methods"] if m["name"] == "linear")
        for step, wanted in zip(linear["steps"], rmse):
            self.assertAlmostEqual(step["rmse"], wanted, delta=1e-9)
        windows = np.loadtxt(names[2], delimiter=",", skiprows=1)
        self.assertTrue((windows == np.c_[rows, values[4:cut]]).all())
        fenchel("verify", names[1], names[2])


if __name__ == "__main__":
    unittest.main()
