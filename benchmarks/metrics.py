"""The DET curve of ten million scores, beside scikit-learn's and pyeer's; and the bootstrap.

    python benchmarks/metrics.py [--scores N] [--rounds N] [--pyeer]

One tenth of the scores is mated, some failures to acquire come on top. What is compared is all that
it takes from two arrays of scores to a curve with its thresholds; scikit-learn also has to be given
labels, which are made before. Peak memory is what is allocated above the data, by tracemalloc, in a
run of its own. pyeer takes minutes, so it is asked only on request and once. Medians over the
rounds. The bootstrap draws people again, 1,000 times, and asks each time for the FNMR at the
threshold for an FMR of 1e-3, beside a loop that does it in the plain way with the same people.
"""

from __future__ import annotations

import argparse
import statistics
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.metrics import det_curve as by_scikit_learn

from facematch_core.comparison.metrics import (
    Scored,
    bootstrap_fnmr_at_fmr,
    det_curve,
    draw,
    eer,
)

#: What we ask of ourselves: times as fast, and the part of scikit-learn's memory.
FASTER, LEANER = 10.0, 1 / 3


def seconds(call: Callable[[], Any]) -> float:
    """One run."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def megabytes(call: Callable[[], Any]) -> float:
    """The most that one run allocates at a time."""
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def curves(count: int, rounds: int, *, with_pyeer: bool) -> None:
    """Ours, scikit-learn's and, on request, pyeer's."""
    random = np.random.default_rng(11)
    mated = random.normal(70, 10, count // 10)
    non_mated = random.normal(30, 12, count - len(mated))
    labels = np.concatenate([np.ones(len(mated), np.int8), np.zeros(len(non_mated), np.int8)])
    scores = np.concatenate([mated, non_mated])

    def ours() -> Any:
        return det_curve(mated, non_mated, mated_failures=50, non_mated_failures=500)

    def theirs() -> Any:
        return by_scikit_learn(labels, scores, drop_intermediate=False)

    times: dict[str, list[float]] = {"ours": [], "scikit-learn": []}
    for _ in range(rounds):
        times["ours"].append(seconds(ours))
        times["scikit-learn"].append(seconds(theirs))
    median = {name: statistics.median(values) for name, values in times.items()}
    memory = {"ours": megabytes(ours), "scikit-learn": megabytes(theirs)}
    for name, value in median.items():
        print(f"{name:14} {value:7.3f} s  {memory[name]:7.0f} MB above the data")
    print(f"scikit-learn / ours: {median['scikit-learn'] / median['ours']:.1f} (wanted {FASTER:g})")
    print(f"memory, ours / theirs: {memory['ours'] / memory['scikit-learn']:.2f} "
          f"(wanted {LEANER:.2f})")  # fmt: skip
    check(mated, non_mated, theirs())
    if with_pyeer:
        from pyeer.eer_stats import calculate_roc, get_eer_values

        def pyeers() -> Any:
            curve = calculate_roc(mated, non_mated, ds_scores=False, rates=True)
            return get_eer_values(curve[1], curve[2])

        took = seconds(pyeers)
        print(f"pyeer          {took:7.1f} s, {took / median['ours']:.0f} times ours (wanted 60)")


def check(mated: Any, non_mated: Any, theirs: Any) -> None:
    """At every threshold that both have, the rates are the same."""
    curve = det_curve(mated, non_mated)
    fpr, fnr, thresholds = theirs
    order = np.argsort(thresholds)
    at = np.searchsorted(thresholds[order], curve.thresholds[:-1])
    inside = at < len(thresholds)
    same = np.zeros(len(at), bool)
    same[inside] = thresholds[order][at[inside]] == curve.thresholds[:-1][inside]
    rows = order[at[same]]
    worst = max(
        np.abs(curve.fmr[:-1][same] - fpr[rows]).max(),
        np.abs(curve.fnmr[:-1][same] - fnr[rows]).max(),
    )
    print(f"largest difference at {same.sum():,} shared thresholds: {worst:.1e} (wanted 1e-9)")
    print(f"EER {eer(curve):.6f}")


def bootstraps(rounds: int) -> None:
    """Ours and the plain loop, on the same people."""
    chance = np.random.default_rng(5)
    people, mated, others = 5_000, 10_000, 90_000
    first = chance.integers(0, people, others)
    ways = {
        "by one person": None,
        "by both people": (first + chance.integers(1, people, others)) % people,
    }
    for name, second in ways.items():
        scored = Scored(
            mated=chance.normal(70, 10, mated),
            non_mated=chance.normal(30, 12, others),
            mated_people=chance.integers(0, people, mated),
            first=first,
            second=second,
            people=people,
        )
        found: dict[str, Any] = {}
        times: dict[str, list[float]] = {"ours": [], "plain loop": []}
        for _ in range(rounds):
            for who, way in (("ours", bootstrap_fnmr_at_fmr), ("plain loop", plain)):
                started = time.perf_counter()
                found[who] = way(scored, 1e-3, resamples=1_000, seed=3)
                times[who].append(time.perf_counter() - started)
        ours, loop = (statistics.median(times[who]) for who in times)
        same = np.array_equal(found["ours"], found["plain loop"])
        print(f"bootstrap {name}: {ours:.3f} s, plain loop {loop:.2f} s, {loop / ours:.0f} times, "
              f"{'identical' if same else 'DIFFERENT'} numbers")  # fmt: skip


def plain(scored: Scored, max_fmr: float, *, resamples: int, seed: int) -> Any:
    """Repeat every score as often as its people were drawn, sort, count."""
    chance = np.random.default_rng(seed)
    found = []
    for _ in range(resamples):
        drawn = draw(chance, scored.people)
        weights = drawn[scored.first]
        if scored.second is not None:
            weights = weights * drawn[scored.second]
        others = np.sort(np.repeat(scored.non_mated, weights))[::-1]
        mated = np.repeat(scored.mated, drawn[scored.mated_people])
        allowed = int(np.floor(max_fmr * len(others) * (1 + 1e-12)))
        found.append(np.count_nonzero(mated <= others[allowed]) / len(mated))
    return np.array(found)


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scores", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pyeer", action="store_true", help="also ask pyeer, once")
    given = parser.parse_args()
    simd = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    print(f"numpy {np.__version__}, SIMD: {' '.join(simd[-4:]) or 'none'}")
    curves(given.scores, given.rounds, with_pyeer=given.pyeer)
    bootstraps(given.rounds)


if __name__ == "__main__":
    main()
