"""Measure what a shadow costs its caller, and how often its verdict is right.

    python benchmarks/shadow.py [--months N] [--seed N] [--calls N]

*Months*: 5,000 calls of 3,500 people, 3 % of them impostors; two vendors with correlated errors, of
which the labels of the disagreements are known. How often does the interval contain the true
difference, how often are equal vendors called different, and how wide is the interval beside that
of as many labels of calls at random? Runs the functions of `facematch compare shadow`.

*Time*: how much longer a `verify` takes at the median with a shadow of every call. Both vendors
answer in this process after 2 ms. The two verifiers take turns.
"""

from __future__ import annotations

import argparse
import datetime as dt
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
from _bench import begin, end, heading, verdict
from client_overhead import picture
from scipy.stats import norm

from facematch_comparison.production import shadow
from facematch_comparison.production.calls import Selection
from facematch_comparison.production.labels.review import Labels, Question
from facematch_comparison.production.labels.reviewers import AgreedLabels, agree
from facematch_comparison.production.shadow import Costs, compare_sides, find_sides
from facematch_comparison.stats import Paired
from facematch_core import CallLog, FaceVerifier, Image, Shadow
from facematch_core.backend import Backend, Capabilities, MatchRequest
from facematch_core.models import Billing, Charged, Decision, MatchResult, Operation

CALLS = 5000
PEOPLE = 3500
IMPOSTORS = 0.03
#: The true rates of the two vendors, and of two equal ones.
RATES = {"frr": (0.04, 0.03), "fmr": (0.005, 0.008)}
EQUAL = {"frr": (0.035, 0.035), "fmr": (0.005, 0.005)}
COSTS = Costs(false_match=50, false_reject=2, currency="USD")
MADE_AT = dt.datetime(2026, 11, 28, tzinfo=dt.UTC)


def simulate(generator: np.random.Generator, rates: Any) -> tuple[pd.DataFrame, AgreedLabels, Any]:
    """Return a log, the labels of all disagreements, and each call's errors of both vendors."""
    genuine = generator.random(CALLS) >= IMPOSTORS
    common = generator.normal(size=CALLS)
    people = generator.integers(0, PEOPLE, CALLS)
    # Numbers in place of texts, because pandas finds them far sooner.
    call_ids: Any = np.arange(CALLS)
    rows_by_side = []
    accepts = []
    for number, side in enumerate(("answered", "shadow")):
        similarity = np.sqrt(0.49) * common + np.sqrt(0.51) * generator.normal(size=CALLS)
        passes = similarity > norm.ppf(rates["frr"][number])
        false_match = similarity > norm.isf(rates["fmr"][number])
        accepts.append(np.where(genuine, passes, false_match))
        columns = {
            "call_id": call_ids,
            "side": side,
            "at": pd.Timestamp(MADE_AT) + pd.to_timedelta(np.arange(CALLS), unit="s"),
            "operation": "match",
            "system": side,
            "person": people,
            "decision": np.where(accepts[number], "match", "no_match"),
            "charged": "yes",
            "warnings": "",
            "charges": 1.0,
            "elapsed_s": 1.0,
        }
        none = dict.fromkeys(("not_asked", "environment", "scale", "model", "error"))
        numbers = dict.fromkeys(("score", "threshold"), np.nan)
        rows_by_side.append(pd.DataFrame(columns | none | numbers))
    disagrees = accepts[0] != accepts[1]
    table = pd.concat(rows_by_side, ignore_index=True)
    question = Question(
        operation=Operation.MATCH,
        answered="answered",
        candidate="shadow",
        review_is_accepted=False,
        until=MADE_AT + dt.timedelta(seconds=CALLS - 1),
    )
    labels = Labels(
        file="review.csv",
        question=str(question),
        listed=frozenset(call_ids[disagrees].tolist()),
        genuine=dict(zip(call_ids[disagrees].tolist(), genuine[disagrees].tolist(), strict=True)),
        unclear=frozenset(),
    )
    return table, agree([labels]), (accepts[0] != genuine, accepts[1] != genuine, people)


def measure_months(months: int, seed: int) -> None:
    """Print how often intervals and verdicts are right."""
    generator = np.random.default_rng(seed)
    rejects = (1 - IMPOSTORS) * (RATES["frr"][0] - RATES["frr"][1])
    matches = IMPOSTORS * (RATES["fmr"][0] - RATES["fmr"][1])
    true_errors = 1000 * (rejects + matches)
    true_money = 1000 * (COSTS.false_reject * rejects + COSTS.false_match * matches)
    intervals_held = dict.fromkeys(("error", "money"), 0)
    called_different = dict.fromkeys(("error", "either kind", "money"), 0)
    widths = []
    widths_at_random = []
    labelled = []
    for _ in range(months):
        table, labels, wrong = simulate(generator, RATES)
        compared = compare_sides(
            find_sides(table, Selection()),
            Selection(),
            log="",
            made_at=MADE_AT,
            labels=labels,
            costs=COSTS,
        )
        errors = compared.net_of("error")
        assert errors is not None
        assert compared.money is not None
        ends = errors.saved.interval
        intervals_held["error"] += ends.low <= true_errors <= ends.high
        of_money = compared.money.saved.interval
        intervals_held["money"] += of_money.low <= true_money <= of_money.high
        widths.append(ends.high - ends.low)
        labelled.append(len(labels.listed))
        first, second, people = wrong
        drawn = generator.choice(CALLS, len(labels.listed), replace=False)
        at_random = Paired(first[drawn], second[drawn], people[drawn]).interval(0.95)
        widths_at_random.append(1000 * (at_random.high - at_random.low))
        table, labels, _ = simulate(generator, EQUAL)
        compared = compare_sides(
            find_sides(table, Selection()),
            Selection(),
            log="",
            made_at=MADE_AT,
            labels=labels,
            costs=COSTS,
        )
        assert compared.money is not None
        called_different["error"] += compared.net[0].is_real
        called_different["either kind"] += any(net.is_real for net in compared.net[1:])
        called_different["money"] += compared.money.is_real
    print(f"{statistics.mean(labelled):.0f} labels of {CALLS:,} calls")
    for name, count in intervals_held.items():
        share = 100 * count / months
        print(f"the interval of {name} contains the truth in {share:.1f} %")
    verdict("interval of errors, % held", 100 * intervals_held["error"] / months, least=93.5)
    verdict("interval of errors, % held", 100 * intervals_held["error"] / months, most=96.5)
    for name, count in called_different.items():
        verdict(f"equal vendors called different by {name}, %", 100 * count / months, most=6)
    width = statistics.mean(widths) / statistics.mean(widths_at_random)
    verdict("width beside as many labels at random", width, most=0.4)


class Slow(Backend):
    """Answers after 2 ms, as if over a network."""

    name = "slow"
    reports_sent = True
    capabilities = Capabilities(
        operations=frozenset({Operation.MATCH}), default_threshold=50.0, score_scale="slow/1"
    )

    def match(self, request: MatchRequest) -> MatchResult:
        request.on_sent()
        time.sleep(0.002)
        billing = Billing(Charged.NO, "it is free")
        return MatchResult(decision=Decision.MATCH, backend=self.name, billing=billing)


#: Calls of one verifier before the other one's turn.
_SLICE = 50


def measure_time(calls: int) -> None:
    """Print how much a shadow of every call adds to the median."""
    pair = [Image.from_bytes(picture(seed, 20_000)) for seed in (0, 1)]
    with tempfile.TemporaryDirectory() as folder:
        log = CallLog(f"sqlite:///{Path(folder)}/calls.sqlite3", key="k")
        alone = FaceVerifier(Slow())
        shadowed = Shadow(FaceVerifier(Slow()), FaceVerifier(Slow()), log=log, fraction=1)
        times: dict[str, list[float]] = {"alone": [], "with a shadow": []}
        for _ in range(calls // _SLICE):
            for name, verifier in (("alone", alone), ("with a shadow", shadowed)):
                for _ in range(_SLICE):
                    began = time.perf_counter()
                    verifier.verify(*pair, caller_ref="customer-17")
                    times[name].append(1000 * (time.perf_counter() - began))
                # The candidate must not slow down the other's turn.
                shadowed.wait(60)
        counts = shadowed.counts
        shadowed.close()
    medians = {name: statistics.median(each) for name, each in times.items()}
    for name, median in medians.items():
        print(f"{name}: {median:.3f} ms at the median")
    print(counts)
    added = medians["with a shadow"] - medians["alone"]
    verdict("milliseconds that a shadow adds", added, most=0.3)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure a shadow.")
    parser.add_argument("--months", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--calls", type=int, default=2000)
    options = parser.parse_args()
    begin()
    heading("time of a call")
    measure_time(options.calls)
    heading("months")
    # The digest of a log takes most of the time, and is not measured.
    with mock.patch.object(shadow, "digest_of", return_value=""):
        measure_months(options.months, options.seed)
    end()


if __name__ == "__main__":
    main()
