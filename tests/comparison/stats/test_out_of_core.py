"""Numbers of a report from sums and counts that a database has computed."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.comparison.tables import table_of
from pyarrow import parquet

from facematch_comparison import evaluate, read_scores
from facematch_comparison.stats import (
    Clusters,
    interval,
    interval_from_sums,
    threshold_for_fmr,
    threshold_from_counts,
)
from facematch_comparison.values.model import Method
from facematch_core import InvalidRequest
from facematch_core.models import ThresholdRule

PAGE = Path(__file__).parents[3] / "docs/choose/judge-a-score-file.md"


def sums_of(errors, probes, references):
    """The sums of a study, by pandas."""
    ends = [probes] if references is None else [probes, references]
    rate = errors.mean()
    of_ends = [pd.DataFrame({"person": end, "n": 1, "e": errors}) for end in ends]
    people = pd.concat(of_ends).groupby("person").sum()
    squares = (people["e"] - rate * people["n"]) ** 2
    couples = None
    if references is not None:
        couple = pd.DataFrame({"a": np.minimum(*ends), "b": np.maximum(*ends), "n": 1, "e": errors})
        couple = couple.groupby(["a", "b"]).sum()
        couples = ((couple["e"] - rate * couple["n"]) ** 2).sum()
    return {
        "errors": int(errors.sum()),
        "trials": len(errors),
        "people": len(people),
        "squared_pairs": (people["n"] ** 2).sum(),
        "squares": squares.sum(),
        "squared_squares": (squares**2).sum(),
        "couples": couples,
    }


@pytest.mark.parametrize("is_mated", [True, False])
@pytest.mark.parametrize(
    ("pairs", "people", "share", "method"),
    [
        (3000, 200, 0.02, Method.CLUSTERED),
        (3000, 200, 0.97, Method.CLUSTERED),
        (3000, 200, 0.001, Method.CONSERVATIVE),
        (3000, 200, 0.0, Method.CONSERVATIVE),
        (600, 30, 0.1, Method.CONSERVATIVE),
        (100, None, 0.1, Method.EXACT),
    ],
)
def test_intervals_from_sums_are_those_of_the_pairs(is_mated, pairs, people, share, method):
    random = np.random.default_rng(pairs + is_mated)
    probes = np.arange(pairs) if people is None else random.integers(0, people, pairs)
    references = None
    if not is_mated:
        references = probes + pairs
        if people is not None:
            references = (probes + random.integers(1, people, pairs)) % people
    errors = np.arange(pairs) < pairs * share
    expected = interval(errors, Clusters(probes, references), 0.9)
    found = interval_from_sums(**sums_of(errors, probes, references), confidence=0.9)
    assert found.method is expected.method is method
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-12)
    assert found.effective == pytest.approx(expected.effective, rel=1e-12)


SCORES = st.lists(st.integers(0, 12).map(lambda score: score / 4), min_size=1, max_size=40)


@given(SCORES, SCORES, st.sampled_from([0.05, 0.1, 0.3, 0.99]), st.booleans())
def test_thresholds_from_counts_are_those_of_the_pairs(mated, non_mated, fmr, is_above):
    rule = ThresholdRule.ABOVE if is_above else ThresholdRule.AT_LEAST
    table = table_of(
        [1] * (len(mated) + len(non_mated)),
        [1] * len(mated) + [2] * len(non_mated),
        mated + non_mated,
        rule=rule,
    )
    scores = np.unique(mated + non_mated)
    counts = [np.array([kind.count(score) for score in scores]) for kind in (mated, non_mated)]
    expected = threshold_for_fmr(table, fmr)
    assert threshold_from_counts(scores, *counts, fmr, rule) == expected


@pytest.mark.parametrize("scores", [[2.0, 1.0], [1.0, 1.0], [1.0, np.nan]])
def test_counts_of_scores_that_are_unsorted_repeated_or_nan_are_refused(scores):
    with pytest.raises(InvalidRequest):
        threshold_from_counts(np.array(scores), np.array([1, 1]), np.array([9, 9]), 0.5)


class Stream:
    """A table of another library."""

    def __init__(self, frame):
        self.table = pa.Table.from_pandas(frame)

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


FRAME = pd.DataFrame(
    {
        "probe_subject": ["Ada", "Bob", "Ada"],
        "reference_subject": ["Ada", "Bob", "Bob"],
        "score": [90.5, 80.25, None],
    }
)


def frame_of_polars(frame):
    return pytest.importorskip("polars").DataFrame(frame.to_dict("list"))


def relation_of_duckdb(frame):
    return pytest.importorskip("duckdb").sql("SELECT * FROM frame")


@pytest.mark.parametrize("convert", [Stream, frame_of_polars, relation_of_duckdb])
def test_tables_of_other_libraries_are_read_as_arrow_streams(convert):
    (system,) = read_scores(convert(FRAME), name="a")
    (expected,) = read_scores(FRAME, name="a")
    assert system.scores.tolist() == pytest.approx(expected.scores.tolist(), nan_ok=True)
    assert system.mated.tolist() == [True, True, False]
    assert system.person(0) == "Ada"


def test_other_objects_are_no_tables():
    with pytest.raises(InvalidRequest):
        read_scores(FRAME.to_dict())


def write_pairs(folder, pairs=1_000_000, people=20_000):
    random = np.random.default_rng(11)
    mated = np.arange(pairs) < pairs // 10
    probe = random.integers(0, people, pairs)
    other = (probe + random.integers(1, people, pairs)) % people
    hardness = random.normal(0, 4, people)
    scores = random.normal(np.where(mated, 65.0, 30.0), 10) + hardness[probe]
    scores[random.random(pairs) < 0.002] = np.nan
    frame = pd.DataFrame(
        {
            "label": mated.astype(int),
            "probe_subject": probe,
            "reference_subject": np.where(mated, probe, other),
            "score": scores.clip(0, 100).round(3),
        }
    )
    half = pairs // 2
    # pandas writes NaN as NULL; NumPy's arrays in Arrow keep it.
    kept = pa.table({name: values.to_numpy() for name, values in frame[:half].items()})
    assert not kept["score"].null_count
    parquet.write_table(kept, folder / "pairs-1.parquet")
    frame[half:].to_parquet(folder / "pairs-2.parquet", index=False)
    return frame


@pytest.mark.slow
def test_the_program_of_the_page_prints_the_numbers_of_the_report(tmp_path):
    pytest.importorskip("duckdb")
    (program,) = re.findall(
        r'^```python title="billion.py"\n(.*?)^```', PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    frame = write_pairs(tmp_path)
    printed = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    point = evaluate(read_scores(frame), required_fmr=0.001).systems[0].at_required
    expected = [f"threshold {point.threshold}"]
    for name, rate in (("FMR", point.fmr), ("FNMR", point.fnmr)):
        ends = rate.interval
        expected.append(f"{name} {rate.value:.6%} ({ends.low:.6%} to {ends.high:.6%})")
    assert printed.stdout.splitlines() == expected
