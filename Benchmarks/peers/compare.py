#!/usr/bin/env python3
"""Runs fenchel and its peers alternately on the same arrays and prints one table.

    python compare.py [--venvs DIR] [--fenchel PATH] [--tasks B-gated,A-gated,…] [--rounds 3] [--skip slow,…]

Every contender is a process of its own under the same two threads and the same OPENBLAS_CORETYPE. What each
one reports of itself is its time; objectives and gaps are recomputed from its weights by objective.py.
Seconds are medians of the in-process solve (no interpreter start, no import, no reading of files); `process`
is the median of the whole process of fenchel. Raw results are appended to FOLDER/results.jsonl.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time

import numpy as np

import objective
import problems

HERE = os.path.dirname(os.path.abspath(__file__))
TASKS = {
    # name: (problem, kind, our tolerance, [rivals])
    "B-gated": ("B", "gated", "1e-6", ["scnn-float32", "scnn-float64", "clarabel", "scs"]),
    "A-gated": ("A", "gated", "1e-6", ["scnn-float32", "scnn-float64", "clarabel!"]),
    "C-gated": ("C", "gated", "1e-3", ["scnn-float32", "scnn-float32-1e-8!"]),
    "B-cones": ("B", "cones", "1e-6", ["scnn-float32", "scnn-float64-1e-8!", "clarabel", "scs!"]),
    "A-cones": ("A", "cones", "1e-3", ["scnn-float32!"]),
    "B-network": ("B", "network", "1e-5", ["local-10", "local-50", "local-200"]),
    "A-network": ("A", "network", "1e-4", ["local-10", "local-50", "local-200"]),
}  # fmt: skip
SCNN_TIGHT = {"gated": "1e-14", "cones": "1e-8"}  # the tolerance of the float64 runs, whose trace is read


def blas_core():
    """The kernels that NumPy's OpenBLAS chose, and how many threads it may use."""
    from threadpoolctl import threadpool_info

    np.ones((64, 64)) @ np.ones((64, 64))
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return ", ".join(f"{pool['architecture']} ({pool['num_threads']} threads)" for pool in pools)


def default_core_type():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as text:
        flags = text.read()
    return "SkylakeX" if " avx512f" in flags else "Haswell"


def processor():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as text:
        names = [line.split(":", 1)[1].strip() for line in text if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else "unknown processor"


def argv_of(contender, task, options, folder, seed, out):
    """The command line of one contender on one task."""
    problem, kind, tolerance, _ = TASKS[task]
    peers = f"{options.venvs}/peers/bin/python"
    if contender == "fenchel":
        script = [peers, f"{HERE}/contender_fenchel.py", options.fenchel]
        return script + [folder, problem, kind, tolerance, out]
    if contender.startswith("scnn"):
        _, dtype, *given = contender.split("-", 2)
        wanted = given[0] if given else SCNN_TIGHT[kind] if dtype == "float64" else "default"
        script = [f"{options.venvs}/scnn/bin/python", "-W", "ignore", f"{HERE}/contender_scnn.py"]
        return script + [folder, problem, kind, dtype, wanted, out]
    if contender.startswith("local"):
        return [peers, f"{HERE}/contender_local.py", folder, problem, contender.split("-")[1], str(seed), out]
    return [peers, f"{HERE}/contender_cvxpy.py", folder, problem, kind, contender.upper(), out]


def run(argv, log):
    """One process: (exit status, its last line, wall seconds, peak memory in bytes of it or its child)."""
    with tempfile.TemporaryFile("w+") as stdout:
        begun = time.perf_counter()
        child = os.posix_spawn(
            argv[0], argv, os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, stdout.fileno(), 1), (os.POSIX_SPAWN_DUP2, log.fileno(), 2)],
        )  # fmt: skip
        _, status, usage = os.wait4(child, 0)
        wall = time.perf_counter() - begun
        stdout.seek(0)
        lines = [line for line in stdout.read().splitlines() if line.startswith("{")]
    return os.waitstatus_to_exitcode(status), lines[-1] if lines else "", wall, usage.ru_maxrss * 1024


def judged(task, folder, out, bound):
    """Objective and lower bound, recomputed from the arrays that the contender wrote."""
    problem, kind, _, _ = TASKS[task]
    X, Y, gates, lam = problems.load(folder, problem)
    stored = np.load(out)
    if kind == "gated":
        value, residual = objective.gated(X, Y, stored["gates"], lam, stored["weights"])
    else:
        pair = ("first", "second")
        first, second = (
            [stored[key] for key in pair]
            if "first" in stored
            else objective.decode((list(stored["u"]), list(stored["v"])))
        )
        value, residual = objective.network(X, Y, lam, first, second)
    lower = None
    if bound and kind == "gated":
        lower = objective.gated_bound(X, Y, gates, lam, residual)
    elif bound and kind == "cones":
        lower = objective.cone_bound(X, Y, gates, lam, residual)
    return value, lower


def measure(task, contender, options, folder, round_index, log):
    out = f"{folder}/out/{task}.{contender}.npz"
    argv = argv_of(contender, task, options, folder, round_index, out)
    status, line, wall, memory = run(argv, log)
    if status != 0 or not line:
        return {"task": task, "contender": contender, "round": round_index, "failed": status}
    report = json.loads(line)
    value, lower = judged(task, folder, out, bound=round_index == 0)
    result = {
        "task": task, "contender": contender, "round": round_index, "objective": value, "bound": lower,
        "process_seconds": report.get("wall_seconds", wall),
        "peak_bytes": report.get("peak_bytes") or memory, "load": os.getloadavg()[0],
    }  # fmt: skip
    return {**report, **result}


def time_to(trace_file, target):
    """When a recorded gated run of scnn first reached `target`: (seconds, iteration), or None.

    With cones there is no such time: the iterates are infeasible, so their objectives mean nothing on the way.
    """
    stored = np.load(trace_file)
    if "objective" not in stored or "violation" in stored:
        return None
    reached = stored["objective"] <= target
    first = np.flatnonzero(reached)
    return (float(stored["seconds"][first[0]]), int(first[0])) if len(first) else None


def summarise(task, rows, folder):
    """One line a contender: medians over the rounds, ratios to fenchel, scnn's time to the best objective."""
    by_name = {}
    for row in rows:
        by_name.setdefault(row["contender"], []).append(row)
    done = {name: [r for r in some if "failed" not in r] for name, some in by_name.items()}
    best = min((r["objective"] for some in done.values() for r in some), default=None)
    lines = []
    ours = done.get("fenchel")
    our_seconds = statistics.median(r["seconds"] for r in ours) if ours else None
    our_value = statistics.median(r["objective"] for r in ours) if ours else None
    for name, some in done.items():
        if not some:
            lines.append([task, name, "failed", "", "", "", "", ""])
            continue
        seconds = statistics.median(r["seconds"] for r in some)
        value = statistics.median(r["objective"] for r in some)
        bounds = [r["bound"] for r in some if r.get("bound") is not None]
        gap = f"{(value - max(bounds)) / max(1, abs(value)):.1e}" if bounds else "none"
        certificate = some[0].get("certificate")
        if certificate:
            gap = f"{certificate['relativeGap']:.1e}"
        ratio = f"{seconds / our_seconds:.1f}" if our_seconds and name != "fenchel" else ""
        memory = statistics.median(r["peak_bytes"] for r in some) / 2**20
        process = statistics.median(r["process_seconds"] for r in some)
        shown = [f"{value:.7g}", gap, f"{seconds:.3g}", f"{process:.3g}", f"{memory:.0f}", ratio]
        lines.append([task, name] + shown)
        target = our_value * (1 + 1e-9) if our_value else best * (1 + 1e-6)
        reached = name.startswith("scnn") and time_to(f"{folder}/out/{task}.{name}.npz", target)
        if reached:
            ratio = f"{reached[0] / our_seconds:.1f}" if our_seconds else ""
            words = "to fenchel's objective" if our_value else "to best × (1 + 1e-6)"
            lines.append([task, f"  {name}, {words}", f"{target:.7g}", "", f"{reached[0]:.3g}", "", "", ratio])
    return lines


def print_table(lines):
    head = ["task", "method", "objective", "proven gap", "seconds", "process", "MiB", "× ours"]
    rows = [head] + lines
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    for index, row in enumerate(rows):
        cells = [c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))]
        print("| " + " | ".join(cells) + " |")
        if index == 0:
            marks = ["-" * w if i < 2 else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
            print("| " + " | ".join(marks) + " |")


def print_phases(rows):
    """Where refinements spent their time, the fastest of each task: the first local training is the L-BFGS they start from."""
    for task in dict.fromkeys(row["task"] for row in rows if row.get("refinement")):
        row = min((r for r in rows if r["task"] == task and r.get("refinement")), key=lambda r: r["seconds"])
        phases = row["refinement"]
        print(
            f"{task}: {phases['rounds']} rounds, {row['seconds']:.2f} s: first local training {phases['firstSeconds']:.2f}, "
            f"all local training {phases['localSeconds']:.2f}, search {phases['searchSeconds']:.2f}, "
            f"cone programs {phases['programSeconds']:.2f}"
        )


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--venvs", default=f"{HERE}/../.venvs", help="where setup.sh put scnn/ and peers/")
    parser.add_argument("--fenchel", default=f"{HERE}/../../.build/release/fenchel")
    parser.add_argument("--folder", default=f"{HERE}/data", help="problems, outputs and results.jsonl")
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--skip", default="", help="contenders to leave out, separated by commas")
    parser.add_argument("--rivals-only", action="store_true")
    options = parser.parse_args()
    unknown = [task for task in options.tasks.split(",") if task not in TASKS]
    if unknown:
        parser.error(f"unknown task {unknown[0]}; known: {', '.join(TASKS)}")
    if not options.rivals_only and not os.access(options.fenchel, os.X_OK):
        parser.error(f"{options.fenchel} is not there; build it with: swift build -c release")
    return options


def rounds_of(task, options):
    """(round, contender) in alternation; a contender marked ! is slow and runs in the first round only."""
    skipped = set(options.skip.split(","))
    contenders = ([] if options.rivals_only else ["fenchel"]) + TASKS[task][3]
    for index in range(options.rounds):
        for contender in contenders:
            name = contender.rstrip("!")
            if name not in skipped and not (contender.endswith("!") and index > 0):
                yield index, name


def main():
    options = parse()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[name] = "2"
    if "OPENBLAS_CORETYPE" not in os.environ:
        os.environ["OPENBLAS_CORETYPE"] = default_core_type()
        os.execv(sys.executable, [sys.executable] + sys.argv)  # OpenBLAS reads it when it is loaded
    folder = os.path.abspath(options.folder)
    os.makedirs(f"{folder}/out", exist_ok=True)
    problems.write(folder)
    print(f"{processor()}; OPENBLAS_CORETYPE={os.environ['OPENBLAS_CORETYPE']}, NumPy runs {blas_core()}")
    table, measured = [], []
    with open(f"{folder}/results.jsonl", "a") as results, open(f"{folder}/stderr.log", "w") as log:
        for task in options.tasks.split(","):
            rows = []
            for index, contender in rounds_of(task, options):
                row = measure(task, contender, options, folder, index, log)
                results.write(json.dumps(row) + "\n")
                results.flush()
                rows.append(row)
                shown = f"{row['objective']:.6f} in {row['seconds']:.3f} s" if "seconds" in row else "failed"
                print(f"  {task} round {index + 1} {contender}: {shown}", file=sys.stderr)
            table += summarise(task, rows, folder)
            measured += rows
    print_table(table)
    print_phases(measured)


if __name__ == "__main__":
    main()
