"""Compare evaluating a file with pandas + scikit-learn: a million pairs, and other sizes.

    python benchmarks/million_pairs.py [--rounds N] [--only N]

facematch reads the file, chooses thresholds, and computes every rate, interval, difference and
curve of the evaluation. The peer reads the same file with
pandas and computes the figures it has functions for: DET curve, AUC, threshold at the FMR, rates,
counts of disagreements; no intervals. Each run is a separate process: CPU seconds
include imports; "reading" is the time in `read_scores` or in pandas. Prints medians. Matrices are
multiplied on one thread, because waiting threads would count as CPU time. All modules are compiled
before: otherwise both sides would spend most of their time on it, and the ratio would be near 1.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

FMR = 1e-3


class Case(NamedTuple):
    """A file with its numbers of pairs, people (None: pictures, each in one pair) and systems.

    `most` is the target for the ratio of CPU time.
    """

    pairs: int
    people: int | None
    systems: int
    most: float


CASES = (
    Case(1_000_000, 20_000, 2, 1.05),
    Case(1_000_000, 400_000, 2, 1.2),
    Case(200_000, None, 3, 1.6),
    Case(20_000, 2_000, 10, 1.5),
)


#: A program that compiles all modules of both sides, by evaluating a file.
COMPILE = """
import pathlib, sys
import million_pairs
path = pathlib.Path(sys.argv[1])
million_pairs.ours(path)
million_pairs.peers(path)
"""


def write(path: Path, case: Case) -> None:
    """Write the file in long form: 10 % mated, people in many pairs, few failures to acquire."""
    import pandas as pd

    pairs = case.pairs
    random = np.random.default_rng(7)
    mated = np.arange(pairs) < pairs // 10
    columns: dict[str, Any] = {"mated": mated, "rule": "at_least"}
    if case.people:
        probe = random.integers(0, case.people, pairs)
        other_person = (probe + random.integers(1, case.people, pairs)) % case.people
        columns |= {
            "probe_subject": probe,
            "reference_subject": np.where(mated, probe, other_person),
        }
    else:
        columns |= {"image1": [f"a{n}.jpg" for n in range(pairs)]}
        columns |= {"image2": [f"b{n}.jpg" for n in range(pairs)]}
    frames = []
    for number in range(case.systems):
        scores = random.normal(np.where(mated, 70.0 - 4 * number, 30.0), 10)
        scores = scores.clip(0, 100).round(3)
        scores[random.random(pairs) < 0.002] = np.nan
        answers = {"pair": np.arange(pairs), "system": f"system-{number}", "score": scores}
        frames.append(pd.DataFrame(answers | columns | {"acquired": ~np.isnan(scores)}))
    frame = pd.concat(frames)
    frame.to_csv(path, index=False)


def ours(path: Path) -> float:
    """Evaluate as the command does; return the CPU seconds of reading."""
    from facematch_comparison import evaluate, read_scores

    started = time.process_time()
    answers = read_scores(path)
    reading = time.process_time() - started
    evaluation = evaluate(answers, required_fmr=FMR)
    print(f"  {evaluation.headline}")
    return reading


def peers(path: Path) -> float:
    """Compute with pandas and scikit-learn the tables that they have functions for."""
    import pandas as pd
    from sklearn.metrics import det_curve, roc_auc_score

    started = time.process_time()
    frame = pd.read_csv(path)
    reading = time.process_time() - started
    refused = {}
    for name, answers in frame.groupby("system", sort=False):
        scored = answers[answers["score"].notna()]
        fpr, fnr, thresholds = det_curve(scored["mated"], scored["score"], drop_intermediate=False)
        auc = roc_auc_score(scored["mated"], scored["score"])
        row = int(np.argmax(fpr <= FMR))
        mated = answers[answers["mated"]].set_index("pair")["score"]
        refused[name] = ~(mated >= thresholds[row])
        eer = fpr[np.argmin(np.abs(fpr - fnr))]
        print(f"  {name}: threshold {thresholds[row]:.3f}, FRR {refused[name].mean():.4%}, "
              f"EER {eer:.4%}, AUC {auc:.6f}")  # fmt: skip
    for one_score, another_score in combinations(refused.values(), 2):
        print(f"  only the first: {(one_score & ~another_score).sum():,}, "
              f"only the second: {(another_score & ~one_score).sum():,}")  # fmt: skip
    return reading


def measured(job: Callable[[Path], float], path: Path) -> tuple[float, float]:
    """Return CPU seconds, and CPU seconds of reading, of one process."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_run, args=(job, path, queue))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{job.__name__} ended with {process.exitcode}")
    figures: tuple[float, float] = queue.get()
    return figures


def _run(job: Callable[[Path], float], path: Path, queue: Any) -> None:
    reading = job(path)
    queue.put((time.process_time(), reading))


def main() -> None:
    """Measure both in turn for each file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", type=int, help="the number of a file, from 0")
    options = parser.parse_args()
    # For the measured processes:
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as compiled, tempfile.TemporaryDirectory() as folder:
        os.environ["PYTHONPYCACHEPREFIX"] = compiled
        path = Path(folder, "scores.csv")
        write(path, Case(20_000, None, 2, 0))
        subprocess.run([sys.executable, "-c", COMPILE, path], cwd=Path(__file__).parent, check=True)
        for case in CASES if options.only is None else CASES[options.only :][:1]:
            write(path, case)
            compare(case, path, options.rounds)


def compare(case: Case, path: Path, count: int) -> None:
    """Measure both sides in turn, and print their medians."""
    people = f"{case.people:,} people" if case.people else "no people"
    size = path.stat().st_size / 1e6
    print(f"{case.pairs:,} pairs x {case.systems} systems, {people}, {size:.0f} MB")
    rounds = [[measured(job, path) for job in (ours, peers)] for _ in range(count)]
    names = "facematch", "pandas + scikit-learn"
    mine, theirs = (
        [statistics.median(numbers) for numbers in zip(*side, strict=True)]
        for side in zip(*rounds, strict=True)
    )
    for name, (cpu, reading) in zip(names, (mine, theirs), strict=True):
        print(f"{name:21} {cpu:6.1f} s CPU (reading {reading:.1f})")
    print(f"ratio {mine[0] / theirs[0]:.2f} (at most {case.most:g})", flush=True)


if __name__ == "__main__":
    main()
