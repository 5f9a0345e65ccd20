#!/usr/bin/env python3
"""Fills the marked parts of README.md from real runs, so that no number in it is typed by hand.

    readme.py run FENCHEL       what `fenchel train digits --test 0.2` prints
    readme.py example FILE      the Swift program in FILE
    readme.py results FILE      the table that Benchmarks/peers/compare.py printed into FILE
    readme.py layers FENCHEL    networks trained layer by layer on MNIST, where it is at hand
    readme.py papers FOLDER     what `fenchel reproduce` wrote into FOLDER, full runs only

A part lies between <!-- NAME:begin --> and <!-- NAME:end -->.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


def replaced(text, name, content):
    pattern = re.compile(rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)", re.S)
    if not pattern.search(text):
        sys.exit(f"README.md has no part {name}: it lies between <!-- {name}:begin --> and <!-- {name}:end -->")
    return pattern.sub(lambda match: match[1] + content.strip("\n") + "\n" + match[2], text)


def fenced(content, language=""):
    return f"```{language}\n{content.strip(chr(10))}\n```"


def training(fenchel):
    with tempfile.TemporaryDirectory() as folder:
        command = [os.path.abspath(fenchel), "train", "digits", "--test", "0.2"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode not in (0, 5):
        sys.exit(f"fenchel exited {done.returncode}: {done.stderr.strip()}")
    return fenced("$ fenchel train digits --test 0.2\n" + done.stdout)


def results(file):
    with open(file, encoding="utf-8") as text:
        lines = [line.rstrip("\n") for line in text]
    about = [line for line in lines if "OPENBLAS_CORETYPE=" in line]
    table = [line for line in lines if line.startswith("|")]
    if not table:
        sys.exit(f"{file} holds no table; make it with: make peers | tee {file}")
    return "\n".join(about[:1] + [""] + table)


LAYERED = (
    "--model fenchel --epochs 1",
    "--model fenchel",
    "--model mlp",
    "--model mlp --learning-rate 3e-3",
)


def layers(fenchel):
    lines = [
        "| `fenchel train mnist …` | test accuracy | training accuracy | seconds | an epoch |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for options in LAYERED:
        with tempfile.TemporaryDirectory() as folder:
            command = [os.path.abspath(fenchel), "train", "mnist", "--json", "--quiet", *options.split()]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"fenchel exited {done.returncode}: {done.stderr.strip()}")
        report = json.loads(done.stdout)
        test, train = report["test"]["accuracy"], report["train"]["accuracy"]
        epoch = report["history"][-1]["seconds"] / len(report["history"])
        lines.append(f"| `{options}` | {test:.4f} | {train:.4f} | {report['seconds']:.1f} | {epoch:.2f} |")
    environment = report["environment"]
    about = f"{environment['processor']}, {environment['threads']} threads; OpenBLAS {environment['blasCore']}."
    return "\n".join([about, "", *lines])


def measured(value):
    if value is None:
        return ""
    spread = f" ± {value['deviation']:.4f}" if value.get("deviation") is not None else ""
    return f"{value['mean']:.4f}{spread}"


def papers(folder):
    found = []
    for path, _, names in sorted(os.walk(folder)):
        if "result.json" in names:
            with open(os.path.join(path, "result.json"), encoding="utf-8") as file:
                found.append(json.load(file))
    found = [report for report in found if report["isComplete"] and not report["isQuick"]]
    if not found:
        sys.exit(f"{folder} holds no full run; make one with: fenchel reproduce gu-2019 --output {folder}")
    lines = [
        "| `fenchel reproduce …` | method | runs | ours | paper |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for report in found:
        shown = f"`{report['experiment']}`"
        for row in report["comparisons"]:
            name = f"{row['group']}: {row['name']}" if row["group"] else row["name"]
            ours = row.get("ours") or {}
            lines.append(
                f"| {shown} | {name} | {ours.get('count', '')} | {measured(row.get('ours'))} "
                f"| {measured(row.get('paper'))} |"
            )
            shown = ""
    environment = found[0]["environment"]
    about = f"{environment['processor']}, {environment['threads']} threads; OpenBLAS {environment['blasCore']}."
    return "\n".join([about, "", *lines])


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("run", "example", "results", "layers", "papers"):
        sys.exit(__doc__)
    part, source = sys.argv[1:]
    if part == "example":
        with open(source, encoding="utf-8") as file:
            content = fenced(file.read(), "swift")
    else:
        content = {"run": training, "results": results, "layers": layers, "papers": papers}[part](source)
    path = os.path.join(ROOT, "README.md")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(replaced(text, part, content))


if __name__ == "__main__":
    main()
