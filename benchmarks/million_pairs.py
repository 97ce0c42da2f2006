"""A million pairs, two systems: from a file to the evaluation, beside pandas + scikit-learn.

    python benchmarks/million_pairs.py [--format csv|parquet] [--pairs N] [--rounds N] [--page]

Ours reads the file, chooses thresholds, and makes every rate, interval, difference and curve of the
evaluation; with ``--page`` it writes the page, too. The peer reads the same file with pandas and
makes what it has functions for: DET curve, AUC, threshold at the FMR, rates, counts of
disagreements; no interval. Each run is a process of its own: CPU seconds and peak memory are of the
whole of it, imports included, and "reading" is the part of ours that `read_scores` takes. Medians.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

FMR = 1e-3


def write(path: Path, pairs: int) -> None:
    """Long form: two systems, one tenth mated, people in many pairs, a few failures to acquire."""
    import pandas as pd

    random = np.random.default_rng(7)
    people = max(100, pairs // 50)
    probe = random.integers(0, people, pairs)
    mated = np.arange(pairs) < pairs // 10
    other = (probe + random.integers(1, people, pairs)) % people
    columns = {
        "probe_subject": probe,
        "reference_subject": np.where(mated, probe, other),
        "mated": mated,
        "rule": "at_least",
    }
    frames = []
    for name, mean in (("alpha", 70.0), ("beta", 66.0)):
        scores = random.normal(np.where(mated, mean, 30.0), 10).clip(0, 100).round(3)
        scores[random.random(pairs) < 0.002] = np.nan
        own = {"pair": np.arange(pairs), "system": name, "score": scores}
        frames.append(pd.DataFrame(own | columns | {"acquired": ~np.isnan(scores)}))
    frame = pd.concat(frames)
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)


def ours(path: Path, *, page: bool) -> float:
    """To the evaluation; CPU seconds of reading."""
    from facematch_comparison import evaluate, read_scores, write_report

    started = time.process_time()
    answers = read_scores(path)
    reading = time.process_time() - started
    evaluation = evaluate(answers, required_fmr=FMR)
    if page:
        write_report(evaluation, path.with_suffix(".html"))
    print(f"  {evaluation.headline}")
    return reading


def peers(path: Path, **_: Any) -> float:
    """To the tables that they have functions for."""
    import pandas as pd
    from sklearn.metrics import det_curve, roc_auc_score

    frame = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    refused = {}
    for name, answers in frame.groupby("system", sort=False):
        scored = answers[answers["score"].notna()]
        fpr, fnr, thresholds = det_curve(scored["mated"], scored["score"], drop_intermediate=False)
        auc = roc_auc_score(scored["mated"], scored["score"])
        place = int(np.argmax(fpr <= FMR))
        mated = answers[answers["mated"]].set_index("pair")["score"]
        refused[name] = ~(mated >= thresholds[place])
        eer = fpr[np.argmin(np.abs(fpr - fnr))]
        print(f"  {name}: threshold {thresholds[place]:.3f}, FRR {refused[name].mean():.4%}, "
              f"EER {eer:.4%}, AUC {auc:.6f}")  # fmt: skip
    one, other = refused.values()
    print(f"  only one: {(one & ~other).sum():,}, only the other: {(other & ~one).sum():,}")
    return 0.0


def measured(job: Callable[..., float], path: Path, page: bool) -> tuple[float, float, float]:
    """CPU seconds, MB and CPU seconds of reading, of one process."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_run, args=(job, path, page, queue))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{job.__name__} ended with {process.exitcode}")
    found: tuple[float, float, float] = queue.get()
    return found


def _run(job: Callable[..., float], path: Path, page: bool, queue: Any) -> None:
    reading = job(path, page=page)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    queue.put((time.process_time(), memory, reading))


def main() -> None:
    """Both, in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--format", choices=["csv", "parquet"], default="csv")
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--page", action="store_true", help="write the page, too")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"scores.{given.format}")
        write(path, given.pairs)
        print(f"{given.pairs:,} pairs x 2 systems, {path.stat().st_size / 1e6:.0f} MB")
        rounds = [
            [measured(job, path, given.page) for job in (ours, peers)] for _ in range(given.rounds)
        ]
    own, others = (
        [statistics.median(numbers) for numbers in zip(*side, strict=True)]
        for side in zip(*rounds, strict=True)
    )
    print(f"facematch             {own[0]:6.1f} s CPU (reading {own[2]:.1f}) {own[1]:6.0f} MB")
    print(f"pandas + scikit-learn {others[0]:6.1f} s CPU {others[1]:20.0f} MB")
    print(f"ratio {own[0] / others[0]:.1f} (wanted: at most 3)")


if __name__ == "__main__":
    main()
