"""PASS, FAIL and INCONCLUSIVE: each only where the bounds say so."""

import attrs
import numpy as np
import pytest
from core.comparison.tables import LOST, answers, changed, crowd, decided, real, unanswered

from facematch_core import Environment, InvalidRequest, ThresholdRule
from facematch_core.comparison._evaluate import Asked, evaluate
from facematch_core.comparison._rounding import upper
from facematch_core.comparison.gate import At, GateProfile, Outcome, judge
from facematch_core.comparison.metrics import bounds, trials_for

DOOR = GateProfile(name="door", title="Our door", max_fmr=0.01, max_fnmr=0.05, required_fmr=2e-3)
OWN = attrs.evolve(DOOR, at=At.DEFAULT)


def judged(*made, profile=DOOR, **options):
    asked = Asked(
        required_fmr=profile.required_fmr,
        confidence=profile.evaluation_confidence,
        split=options.pop("split", True),
    )
    return judge(evaluate(made, asked), profile, **options)


def one(made, profile=DOOR, **options):
    (found,) = judged(made, profile=profile, **options).contenders
    return found


def at_default(mated, wrong, others, let_in, **more):
    """Pairs of as many people, of which so many are errors at the default threshold."""
    same = [20] * wrong + [90] * (mated - wrong)
    return answers(same, [60] * let_in + [10] * (others - let_in), **more)


def test_pass():
    """Both upper bounds are within the limits, at a threshold from other people."""
    found = one(crowd(mean=85, others=60))
    assert found.outcome is Outcome.PASS
    fmr, fnmr = found.rates
    assert (fmr.name, fnmr.name) == ("fmr", "frr")
    assert fmr.high <= 0.01
    assert fnmr.high <= 0.05
    assert (found.chosen_on, found.more, found.cost, found.leans_to_fail) == (
        "development",
        None,
        None,
        False,
    )
    assert found.sentence == (
        f"a at the threshold {found.threshold:g}: the FMR is below {upper(fmr.high)} "
        f"(limit 0.01) and the FRR is below {upper(fnmr.high)} (limit 0.05)."
    )


def test_fail():
    """At its threshold a lower bound is beyond, and at every other one as well."""
    found = one(crowd(mean=45, others=60))
    assert found.outcome is Outcome.FAIL
    assert found.rates[1].low > 0.05
    assert found.sentence.endswith("No other threshold would do.")


def test_another_threshold_might_do():
    """Chosen for an FMR that is stricter than it need be, it refuses too many; that is no FAIL."""
    strict = attrs.evolve(DOOR, required_fmr=1e-5, max_fmr=0.3)
    found = one(crowd(mean=60, others=60), strict)
    assert found.rates[1].outcome is Outcome.FAIL
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.sentence.endswith("Another threshold might do.")


def test_failures_to_acquire_are_errors():
    """Scores alone would pass."""
    fine, failing = crowd(mean=95, others=60), crowd(mean=95, others=60, failures=0.2)
    assert one(fine).outcome is Outcome.PASS
    found = one(failing)
    assert found.outcome is Outcome.FAIL
    assert found.rates[1].low > 0.05


@pytest.mark.parametrize(
    ("mated", "wrong", "others", "let_in", "outcome"),
    [
        (59, 0, 299, 0, Outcome.PASS),
        (58, 0, 299, 0, Outcome.INCONCLUSIVE),
        (59, 0, 298, 0, Outcome.INCONCLUSIVE),
        (59, 0, 299, 1, Outcome.INCONCLUSIVE),
        (59, 8, 299, 0, Outcome.FAIL),
        (59, 0, 299, 8, Outcome.FAIL),
        (59, 3, 299, 3, Outcome.INCONCLUSIVE),
    ],
)
def test_bounds_of_independent_pairs(mated, wrong, others, let_in, outcome):
    """At the default threshold: exactly the floors of the plan pass, one pair fewer does not."""
    assert (trials_for(0.05), trials_for(0.01)) == (59, 299)
    made = at_default(mated, wrong, others, let_in)
    found = one(made, OWN, split=False)
    assert found.outcome is outcome
    assert (found.threshold, found.chosen_on) == (50, "default")


def test_n_more_comparisons_about_so_much_money():
    """At the rates that were seen, and at the price that was told."""
    made = attrs.evolve(real(at_default(40, 0, 200, 0)), price=0.05)
    found = one(made, OWN, split=False)
    assert [rate.more for rate in found.rates] == [99, 19]
    assert (found.more, found.cost, found.currency) == (118, 5.9, "USD")
    assert found.sentence.endswith(
        "About 99 more non-mated and 19 more mated comparisons of new people, about 5.90 USD, "
        "would show a pass with 95% confidence if the same rates are seen again; of such "
        "studies about every second one sees more, so take half as many again."
    )


def test_only_what_is_missing_is_bought():
    """One of the two rates is shown already."""
    found = one(real(at_default(59, 0, 200, 0)), OWN, split=False)
    assert (found.more, found.cost) == (99, 4.95)
    assert "About 99 more non-mated comparisons of new people" in found.sentence


@pytest.mark.parametrize(
    ("price", "told"), [(None, "at a price that nobody said"), (0.0, "at no charge")]
)
def test_money_that_nobody_asks(price, told):
    """Or that nobody told of."""
    made = attrs.evolve(at_default(40, 0, 200, 0), price=price)
    assert told in one(made, OWN, split=False).sentence


def test_so_many_more_do_show_it():
    """Bought, they pass: the number is neither too small nor, by much, too large."""
    made = at_default(100, 1, 400, 0)
    fmr, fnmr = one(made, OWN, split=False).rates
    assert (fmr.outcome, fnmr.more) == (Outcome.PASS, None)
    made = at_default(50, 1, 400, 0)
    _, fnmr = one(made, OWN, split=False).rates
    # Errors come in whole numbers: one in fifty, at the numbers of pairs on either side.
    fifties = (50 + fnmr.more) // 50
    for times, outcome in ((fifties, Outcome.INCONCLUSIVE), (fifties + 1, Outcome.PASS)):
        assert one(at_default(50 * times, times, 400, 0), OWN, split=False).outcome is outcome


def test_no_number_of_pairs_would_do():
    """The rate that was seen is beyond the limit, but not yet surely."""
    found = one(real(at_default(40, 3, 400, 0)), OWN, split=False)
    assert (found.outcome, found.more, found.cost) == (Outcome.INCONCLUSIVE, None, None)
    assert found.leans_to_fail
    assert found.sentence.endswith(
        "The FRR that was seen, 0.075, is itself not below the limit: it leans to FAIL. If it is "
        "the true one, no number of comparisons shows a pass."
    )


def test_too_close_to_the_limit():
    """Below it, by so little that nobody would pay for the proof."""
    profile = attrs.evolve(OWN, max_fnmr=0.025 + 1e-7)
    found = one(at_default(40, 1, 400, 0), profile, split=False)
    assert not found.leans_to_fail
    assert found.sentence.endswith(
        "is so close to the limit that no number of comparisons that "
        "anybody would make shows a pass."
    )


def test_a_threshold_that_was_fitted_never_passes():
    """Chosen on the pairs that it is judged on, it proves nothing in its own favour."""
    made = crowd(mean=85, others=60)
    found = one(made, split=False)
    assert {rate.outcome for rate in found.rates} == {Outcome.PASS}
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "which flatters it" in found.sentence
    assert one(crowd(mean=45, others=60), split=False).outcome is Outcome.FAIL


def test_decisions_only():
    """It has one threshold, its own, and is judged at that whatever the profile says."""
    for profile in (DOOR, OWN):
        found = one(decided(crowd(mean=85, others=60)), profile)
        assert (found.outcome, found.chosen_on) == (Outcome.PASS, "default")
    found = one(decided(crowd(mean=40)))
    assert found.outcome is Outcome.FAIL
    assert "No other" not in found.sentence
    nobody_told = changed(decided(crowd(mean=85, others=60)), threshold=None)
    assert one(nobody_told).sentence.startswith("a at its own threshold: ")


def test_no_threshold_at_all():
    """Its reason is the verdict; FAIL only if no threshold would do."""
    nothing = one(answers([LOST], [LOST]), split=False)
    assert (nothing.outcome, nothing.rates) == (Outcome.INCONCLUSIVE, ())
    assert nothing.sentence == "a: It compared no pair."
    same = crowd(mean=85, rule=ThresholdRule.AT_LEAST)
    swapped = changed(same, scores=np.where(same.table.mated, 5.0, 90.0))
    found = one(swapped)
    assert found.outcome is Outcome.FAIL
    assert found.sentence == (
        "a: Two different people have the highest score of all pairs (90): no threshold keeps "
        "them out and lets anybody in. No other one would do."
    )


def test_nothing_of_one_kind_was_seen():
    """It may be anything, and what it takes is the floor."""
    made = unanswered(at_default(59, 0, 20, 0), slice(59, None))
    found = one(made, OWN, split=False)
    assert (found.rates[0].low, found.rates[0].high, found.rates[0].more) == (None, None, 299)
    assert "nothing of the FMR was seen (limit 0.01)" in found.sentence


def test_bounds_are_one_sided_whatever_the_report_was_made_for():
    """A report at 95 % and one at 90 % give the same verdict."""
    made = [crowd(mean=85, others=60)]
    found = [
        judge(evaluate(made, Asked(required_fmr=2e-3, confidence=confidence)), DOOR).contenders[0]
        for confidence in (0.9, 0.95)
    ]
    for a, b in zip(found[0].rates, found[1].rates, strict=True):
        assert (a.low, a.high) == pytest.approx((b.low, b.high))
        assert (a.low, a.high) == bounds(a.rate, 0.95)


def test_of_several_all_must_pass():
    """One that fails is a FAIL, one that is open is no PASS."""
    good, bad = crowd("good", mean=85, others=60), crowd("bad", mean=45, others=60)
    small = decided(crowd("open", mean=85, others=60))
    small = unanswered(small, np.flatnonzero(~small.table.mated))
    assert judged(good, attrs.evolve(good, table=attrs.evolve(good.table, name="two"))).outcome is (
        Outcome.PASS
    )
    assert judged(good, bad).outcome is Outcome.FAIL
    assert judged(good, small).outcome is Outcome.INCONCLUSIVE
    assert judged(good, small, bad).outcome is Outcome.FAIL
    assert judged(good, bad, contenders=["good"]).outcome is Outcome.PASS
    names = [found.contender for found in judged(good, small, bad).contenders]
    assert names == ["good", "open", "bad"]


def test_a_contender_that_is_not_there():
    """The nearest name is told."""
    with pytest.raises(InvalidRequest, match="No contender is called 'godo' here; did you mean"):
        judged(crowd("good"), contenders=["godo"])


@pytest.mark.parametrize("environment", [Environment.MOCK, Environment.SANDBOX])
def test_a_mock_proves_nothing(environment):
    """Unless somebody says that this is known."""
    made = attrs.evolve(real(crowd(mean=85, others=60)), environment=environment)
    with pytest.raises(InvalidRequest, match=f"a answered from a {environment}"):
        judged(made)
    assert judged(made, allow_mock=True).outcome is Outcome.PASS
    other = real(crowd("b", mean=85, others=60))
    assert judged(made, other, contenders=["b"]).outcome is Outcome.PASS


def test_a_comparison_for_another_fmr():
    """Its thresholds are others; at the default threshold that does not matter."""
    said = evaluate([crowd(mean=85, others=60)], Asked(required_fmr=1e-3))
    with pytest.raises(InvalidRequest, match=r"for an FMR of 0\.001, and the profile door judges"):
        judge(said, DOOR)
    assert judge(said, OWN).outcome is Outcome.PASS


def test_as_json():
    """Every number of the verdict, and what it was held against."""
    document = judged(real(crowd(mean=85, others=60))).to_dict()
    assert (document["kind"], document["outcome"]) == ("verdict", "pass")
    assert document["profile"]["max_fmr"] == 0.01
    (found,) = document["contenders"]
    assert found["rates"][0]["rate"]["trials"] > 0


@pytest.mark.parametrize("seed", range(8))
def test_no_verdict_against_the_truth(seed):
    """Vendors whose true rates are known: who meets both limits never fails, who misses one by far
    never passes."""
    good = crowd(mean=75, others=40, seed=seed)  # FNMR 0.5 % and FMR 0.02 % at 60
    bad = crowd(mean=50, others=40, seed=seed)  # FNMR over 20 % wherever FMR is below 1 %
    assert one(good).outcome is not Outcome.FAIL
    assert one(bad).outcome is Outcome.FAIL
