"""The DET curve of ten million scores, beside scikit-learn's and pyeer's; and a difference.

    python benchmarks/metrics.py [--scores N] [--rounds N] [--pyeer]

One tenth of the scores is mated. What is compared is all that
it takes from two arrays of scores to a curve with its thresholds; scikit-learn also has to be given
labels, which are made before. Most of ours is numpy's sort, which is as fast as the processor's
features let it be: of ten million scores it takes 3 to 30 times fewer CPU seconds, by the processor
(3.6 without AVX2, 30 with AVX-512); of two million 1.9 to 15 times fewer. So the curve is measured
with each set of features that this processor has, in a process of its own in which numpy may not
use the others (``NPY_DISABLE_CPU_FEATURES``). CPU seconds are medians over the rounds. Peak memory
is what is allocated above the data, by tracemalloc, in a run of its own. pyeer takes minutes, so it
is asked only on request and once. The difference of two systems over a million pairs of 10,000
people draws people, and the thresholds for an FMR of 1e-3, 2,000 times again; beside it, ten times,
the plain loop that repeats every score as often as its people were drawn, and sorts.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.metrics import det_curve as by_scikit_learn

from facematch_comparison.answers import ScoreTable
from facematch_comparison.stats import (
    Rates,
    Side,
    compare_systems,
    curve_of,
    det_curve,
    threshold_for_fmr,
)
from facematch_core import ThresholdRule

#: What we ask of ourselves on any processor: times as fast, and the part of scikit-learn's memory.
FASTER, LEANER = 3.0, 1 / 3

#: Features of processors that numpy has its own code for, the newest first; each needs those after.
FEATURES = ("AVX512_SPR", "AVX512_ICL", "X86_V4", "X86_V3")


def seconds(call: Callable[[], Any]) -> float:
    """CPU seconds of one run."""
    started = time.process_time()
    call()
    return time.process_time() - started


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
        return det_curve(np.sort(mated), np.sort(non_mated), ThresholdRule.AT_LEAST)

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
    curve = det_curve(np.sort(mated), np.sort(non_mated), ThresholdRule.AT_LEAST)
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
    print(f"EER {curve.eer:.6f}")


def differences() -> None:
    """Two systems over a million pairs, ours and the plain loop."""
    chance = np.random.default_rng(5)
    people, mated, others, resamples, few = 10_000, 100_000, 900_000, 2_000, 10
    first = chance.integers(0, people, others)
    probe = np.concatenate([np.arange(mated) % people, first])
    reference = np.concatenate(
        [np.arange(mated) % people, (first + chance.integers(1, people, others)) % people]
    )
    is_mated = np.arange(mated + others) < mated
    tables = [
        ScoreTable(
            name=name,
            rule=ThresholdRule.ABOVE,
            mated=is_mated,
            scores=chance.normal(np.where(is_mated, mean, 30), 10),
            decisions=np.full(mated + others, -1, np.int8),
            acquired=np.ones(mated + others, bool),
            answered=np.ones(mated + others, bool),
            probe_subjects=probe,
            reference_subjects=reference,
        )
        for name, mean in (("a", 80), ("b", 79))
    ]
    started = time.perf_counter()
    sides = [
        Side(table=table, threshold=threshold_for_fmr(table, 1e-3).threshold) for table in tables
    ]
    chosen = time.perf_counter()
    ((apart,), _) = compare_systems(sides, required_fmr=1e-3, resamples=resamples)
    drawn = time.perf_counter()
    curve_of(Rates(tables[0]))
    drew = time.perf_counter()
    values = [plain(tables, draw) for draw in _draws(people, few)]
    looped = (time.perf_counter() - drew) / few * resamples
    print(f"a million pairs: thresholds {chosen - started:.1f} s, difference with "
          f"{resamples:,} draws {drawn - chosen:.1f} s, curve {drew - drawn:.1f} s")  # fmt: skip
    print(f"plain loop {looped:.0f} s, {looped / (drawn - chosen):.0f} times as long")
    print(f"difference {apart.frr}, the plain loop's from {min(values):.4f} to {max(values):.4f}")


def _draws(people: int, resamples: int) -> Iterator[Any]:
    """How often each of the people is drawn."""
    random = np.random.default_rng(1)
    for _ in range(resamples):
        yield np.bincount(random.integers(0, people, people), minlength=people)


def plain(tables: list[ScoreTable], drawn: Any) -> float:
    """Repeat every score as often as its people were drawn, sort, count."""
    rates = []
    for table in tables:
        times = drawn[table.probe_subjects]
        strangers = np.repeat(
            table.scores[~table.mated],
            (times * drawn[table.reference_subjects])[~table.mated],
        )
        at = np.sort(strangers)[::-1][int(1e-3 * len(strangers))]
        mated = np.repeat(table.scores[table.mated], times[table.mated])
        rates.append(np.count_nonzero(mated <= at) / len(mated))
    return float(rates[0] - rates[1])


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scores", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pyeer", action="store_true", help="also ask pyeer, once")
    parser.add_argument("--curves", action="store_true", help="only these, with all features")
    arguments = parser.parse_args()
    if arguments.curves:
        curves(arguments.scores, arguments.rounds, with_pyeer=arguments.pyeer)
        return
    # Where the processor has none of them (another kind of processor), there is one set.
    sets = [place for place, name in enumerate(FEATURES) if has_feature(name)] + [len(FEATURES)]
    print(f"numpy {np.__version__}")
    for place in sets:
        disabled = " ".join(filter(has_feature, FEATURES[:place]))
        print(f"\nwith {[*FEATURES, 'the baseline'][place]}; disabled: {disabled or 'none'}")
        command = [sys.executable, *sys.argv, "--curves"]
        environment = os.environ | {"NPY_DISABLE_CPU_FEATURES": disabled}
        subprocess.run(command, env=environment, check=True)
    print()
    differences()


def has_feature(name: str) -> bool:
    """Whether this processor has a feature, and numpy uses it."""
    from numpy._core._multiarray_umath import __cpu_features__

    return bool(__cpu_features__.get(name))


if __name__ == "__main__":
    main()
