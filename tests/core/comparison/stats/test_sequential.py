"""Looks that are declared beforehand keep the error probability, and save pairs."""

import attrs
import numpy as np
import pytest
from core.comparison.stats.choice import World, written
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from facematch_core import InvalidRequest
from facematch_core.comparison.stats.sequential import Looks, decide, spending


@pytest.mark.parametrize(
    ("looks", "published"),
    [
        # Lan and DeMets' function of O'Brien and Fleming's type, two-sided 0.05, equal steps: D. L.
        # DeMets and K. K. G. Lan, "Interim analysis: the alpha spending function approach",
        # Statistics in Medicine 13, 1994; also of R's gsDesign and ldbounds.
        (Looks.equal(5), (4.877, 3.357, 2.680, 2.290, 2.031)),
        (Looks.equal(4), (4.333, 2.963, 2.359, 2.014)),
        (Looks.equal(2), (2.963, 1.969)),
        (Looks.equal(1), (1.960,)),
        # Pocock's type, the same places.
        (Looks.equal(5, kind="pocock"), (2.438, 2.427, 2.410, 2.397, 2.386)),
    ],
)
def test_published_boundaries(looks, published):
    """To the last digit that is printed."""
    assert looks.boundaries() == pytest.approx(published, abs=6e-4)


@settings(max_examples=5, deadline=None)
@given(
    steps=st.lists(st.floats(0.05, 1), min_size=1, max_size=6),
    alpha=st.floats(0.005, 0.2),
    kind=st.sampled_from(["obrien-fleming", "pocock"]),
)
def test_any_looks_spend_alpha_and_no_more(steps, alpha, kind):
    """Whatever the shares; a larger drift is seen more often and sooner."""
    ends = np.cumsum(steps) / sum(steps)
    looks = Looks((*ends[:-1].tolist(), 1.0), alpha, kind)
    stops = looks.stopping()
    assert sum(stops) == pytest.approx(alpha, rel=1e-6)
    spent = [looks.spent(number + 1) for number in range(len(looks))]
    assert np.cumsum(stops) == pytest.approx(spent, abs=1e-8)
    assert looks.power(3) > looks.power(1) > alpha
    assert looks.expected_share(3) <= looks.expected_share(1) <= looks.expected_share(0) <= 1
    assert all(looks.confidence(number + 1) >= 1 - alpha - 1e-9 for number in range(len(looks)))
    assert looks.power(looks.drift_for(0.8)) == pytest.approx(0.8)


def test_against_simulation():
    """The probability to stop at each look, with and without a difference."""
    looks = Looks((0.2, 0.5, 0.6, 1.0))
    chance = np.random.default_rng(3)
    shares = np.array(looks.shares)
    for drift in (0.0, 3.0):
        steps = np.diff(shares, prepend=0)
        score = np.cumsum(
            chance.normal(drift * steps, np.sqrt(steps), (200_000, len(steps))), axis=1
        )
        over = np.abs(score / np.sqrt(shares)) >= looks.boundaries()
        first = np.where(over.any(axis=1), over.argmax(axis=1), len(steps))
        seen = np.bincount(first, minlength=len(steps) + 1)[: len(steps)] / len(first)
        assert seen == pytest.approx(looks.stopping(drift), abs=0.004)


def test_one_look_is_an_ordinary_test():
    """And spends everything at the end."""
    looks = Looks((1.0,), 0.1)
    assert looks.boundaries() == pytest.approx([norm.isf(0.05)])
    assert looks.power(2) == pytest.approx(
        norm.sf(norm.isf(0.05) - 2) + norm.cdf(-norm.isf(0.05) - 2)
    )
    assert looks.expected_share(2) == pytest.approx(1)
    assert spending(0.0) == 0
    assert spending(1.0, 0.03) == pytest.approx(0.03)
    assert spending(1.0, 0.03, "pocock") == pytest.approx(0.03)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"shares": ()}, "shares that rise from above 0 to 1"),
        ({"shares": (0.5, 0.5, 1)}, "shares that rise"),
        ({"shares": (0.5,)}, "shares that rise"),
        ({"shares": (0, 1)}, "shares that rise"),
        ({"shares": (float("nan"), 1)}, "shares that rise"),
        ({"shares": (1,), "alpha": 0}, "alpha lies between 0 and 0.5"),
        ({"shares": (1,), "kind": "haybittle"}, "obrien-fleming or pocock, not 'haybittle'"),
        ({"shares": tuple((n + 1) / 51 for n in range(51))}, "at most 50 looks"),
    ],
)
def test_looks_that_cannot_be(wrong, said):
    """One sentence says why."""
    with pytest.raises(InvalidRequest, match=said):
        Looks(**wrong)


def test_the_power_of_looks_has_a_range():
    """Above alpha, below 1."""
    with pytest.raises(InvalidRequest, match="The power lies between alpha and 1"):
        Looks.equal(2).drift_for(0.01)


# --- At a run -----------------------------------------------------------------------------------


def so_far(answers, share):
    """What is there of each kind of pairs when so much of a run is done."""
    table = answers.table
    done = np.zeros(len(table), bool)
    for kind in (table.mated, ~table.mated):
        rows = np.flatnonzero(kind)
        done[rows[: round(share * len(rows))]] = True
    return attrs.evolve(
        answers,
        table=attrs.evolve(
            table,
            answered=done,
            acquired=table.acquired & done,
            scores=np.where(done, table.scores, np.nan),
            decisions=np.where(done, table.decisions, -1).astype(np.int8),
        ),
        not_answered={"not asked": int((~done).sum())},
    )


def run_through(looks, first, second, **more):
    """The look that a run ends with."""
    for number, share in enumerate(looks.shares, 1):
        result = decide(looks, number, so_far(first, share), so_far(second, share), **more)
        if result.stop:
            break
    return result


def test_a_large_difference_stops_a_run():
    """Early, with the better one named, what is saved, and an interval that holds at any look."""
    first, second = World(mean=(3.3, 5.0)).study(np.random.default_rng(1))
    looks = Looks.equal(4)
    result = run_through(looks, first, second, required_fmr=0.01, resamples=200)
    assert result.stop
    assert result.number < 4
    assert result.share == pytest.approx(looks.shares[result.number - 1])
    assert result.saved == pytest.approx(1 - result.share)
    assert result.z >= result.boundary == looks.boundaries()[result.number - 1]
    assert result.difference.interval.low > 0
    assert result.confidence == looks.confidence(result.number) > 0.95
    assert "b turns away fewer people, and that is not chance" in result.sentence
    other = decide(
        looks,
        result.number,
        so_far(second, result.share),
        so_far(first, result.share),
        required_fmr=0.01,
        resamples=200,
    )
    assert (other.stop, "b turns away" in other.sentence) == (True, True)
    assert other.z < 0


def test_systems_that_are_alike_go_on_to_the_end():
    """And one against itself has no difference at all."""
    first, second = World(mean=(4.0, 4.0)).study(np.random.default_rng(2))
    looks = Looks.equal(2)
    result = run_through(looks, first, second, required_fmr=0.01, resamples=200)
    assert (result.number, result.stop, result.saved) == (2, False, 0)
    assert result.sentence.endswith("no difference is shown.")
    twin = decide(looks, 1, first, first, required_fmr=0.01, resamples=100)
    assert (twin.z, twin.stop) == (0, False)
    assert twin.sentence.endswith("go on.")


def test_few_disagreements_are_not_enough():
    """Five pairs that only one turns away: resamples never show the other, McNemar's test might."""
    others = list(np.linspace(1, 40, 100))
    first = written([20] * 5 + [90] * 195, others, "a")
    second = written([90] * 200, others, "b")
    result = decide(Looks.equal(1), 1, first, second, required_fmr=0.01, resamples=200)
    assert result.z == pytest.approx(norm.isf(2 * 0.5**5 / 2))
    assert not result.stop
    assert result.difference.interval.low < 0 < result.difference.interval.high


def test_before_there_is_anything():
    """A look at nothing stops nothing."""
    first, second = World(mean=(3.0, 4.0)).study(np.random.default_rng(3))
    result = decide(
        Looks.equal(2), 1, so_far(first, 0), so_far(second, 0), required_fmr=0.01, resamples=100
    )
    assert (result.z, result.stop, result.share, result.difference) == (None, False, 0, None)
    assert "cannot be compared yet" in result.sentence


def test_looks_that_were_not_declared():
    """Are refused, as are answers to other pairs."""
    first, second = World(mean=(3.0, 4.0)).study(np.random.default_rng(4))
    for number in (0, 3):
        with pytest.raises(InvalidRequest, match="Looks go from 1 to 2"):
            decide(Looks.equal(2), number, first, second, required_fmr=0.01)
    (third,) = World(mated=10).study(np.random.default_rng(5))
    with pytest.raises(InvalidRequest, match="other pairs"):
        decide(Looks.equal(2), 1, first, third, required_fmr=0.01)
