"""A million pairs, two systems: from a Parquet file to the page, beside pandas + scikit-learn.

    python benchmarks/million_pairs.py [--pairs N] [--rounds N]

Ours reads the file, chooses thresholds, makes every interval, difference, curve and group of the
evaluation, and writes the page. The peer reads the same file with pandas and makes what it has
functions for: DET curve, threshold at the FMR, rates, counts of disagreements; no interval that
allows for pairs that share people, and no page. Each run is a process of its own, so that time and
peak memory (of the whole process, imports included) are its own. Medians over the rounds.
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
    reference = np.where(mated, probe, other)
    frames = []
    for name, mean in (("alpha", 70.0), ("beta", 66.0)):
        scores = random.normal(np.where(mated, mean, 30.0), 10).clip(0, 100).round(3)
        scores[random.random(pairs) < 0.002] = np.nan
        frames.append(
            pd.DataFrame(
                {
                    "pair": np.arange(pairs),
                    "system": name,
                    "probe_subject": probe,
                    "reference_subject": reference,
                    "mated": mated,
                    "score": scores,
                    "acquired": ~np.isnan(scores),
                    "rule": "at_least",
                }
            )
        )
    pd.concat(frames).to_parquet(path)


def ours(path: Path) -> None:
    """To the page."""
    from facematch_comparison import evaluate, read_scores, write_report

    evaluation = evaluate(read_scores(path), required_fmr=FMR)
    write_report(evaluation, path.with_suffix(".html"))
    print(f"  {evaluation.headline}")


def peers(path: Path) -> None:
    """To the tables that they have functions for."""
    import pandas as pd
    from sklearn.metrics import det_curve

    frame = pd.read_parquet(path)
    refused = {}
    for name, answers in frame.groupby("system", sort=False):
        scored = answers[answers["score"].notna()]
        fpr, fnr, thresholds = det_curve(scored["mated"], scored["score"], drop_intermediate=False)
        place = int(np.argmax(fpr <= FMR))
        mated = answers[answers["mated"]].set_index("pair")["score"]
        refused[name] = ~(mated >= thresholds[place])
        eer = fpr[np.argmin(np.abs(fpr - fnr))]
        print(f"  {name}: threshold {thresholds[place]:.3f}, FRR {refused[name].mean():.4%}, "
              f"EER {eer:.4%}")  # fmt: skip
    one, other = refused.values()
    print(f"  only one: {(one & ~other).sum():,}, only the other: {(other & ~one).sum():,}")


def measured(job: Callable[[Path], None], path: Path) -> tuple[float, float]:
    """Seconds and MB of one process."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_run, args=(job, path, queue))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{job.__name__} ended with {process.exitcode}")
    found: tuple[float, float] = queue.get()
    return found


def _run(job: Callable[[Path], None], path: Path, queue: multiprocessing.Queue) -> None:  # type: ignore[type-arg]
    started = time.perf_counter()
    job(path)
    took = time.perf_counter() - started
    queue.put((took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def main() -> None:
    """Both, in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = {"facematch": [], "pandas + scikit-learn": []}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "scores.parquet")
        write(path, given.pairs)
        print(f"{given.pairs:,} pairs x 2 systems, {path.stat().st_size / 1e6:.0f} MB of Parquet")
        for _ in range(given.rounds):
            found["facematch"].append(measured(ours, path))
            found["pandas + scikit-learn"].append(measured(peers, path))
    for name, rounds in found.items():
        times, memory = zip(*rounds, strict=True)
        print(f"{name:24}{statistics.median(times):7.1f} s{statistics.median(memory):8.0f} MB")


if __name__ == "__main__":
    main()
