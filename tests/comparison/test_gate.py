"""PASS, FAIL and INCONCLUSIVE: each only where the bounds say so; how many more; files."""

import contextlib

import attrs
import numpy as np
import pytest
import tomli_w
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from kit.comparison.tables import LOST, answers, changed, crowd, decided, real, unanswered

from facematch_comparison.evaluation import evaluate
from facematch_comparison.gate import (
    At,
    Outcome,
    Requirements,
    built_in,
    judge,
    more_needed,
    read_requirements,
)
from facematch_comparison.model import Interval, Method, Rate
from facematch_comparison.numbers import upper_percent
from facematch_comparison.stats import bounds, exact_interval, exact_upper, trials_for
from facematch_core import Environment, InvalidRequest, ThresholdRule

DOOR = Requirements(name="door", title="Our door", max_fmr=0.01, max_frr=0.05, required_fmr=2e-3)
AS_ASKED = attrs.evolve(DOOR, at=At.DEFAULT)


def judged(*made, requirements=DOOR, split=False, **options):
    evaluation = evaluate(
        made,
        required_fmr=requirements.required_fmr,
        confidence=requirements.evaluation_confidence,
        split=split,
    )
    return judge(evaluation, requirements, **options)


def one(made, requirements=DOOR, **options):
    (found,) = judged(made, requirements=requirements, **options).systems
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
        "evaluation",
        None,
        None,
        False,
    )
    assert found.sentence == (
        f"a at the threshold {found.threshold:g}, chosen for an FMR of 0.2 %: the FMR is below "
        f"{upper_percent(fmr.high)} % (limit 1 %) and the FRR is below "
        f"{upper_percent(fnmr.high)} % (limit 5 %)."
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
    found = one(made, AS_ASKED)
    assert found.outcome is outcome
    assert (found.threshold, found.chosen_on) == (50, "default")


def test_n_more_comparisons_about_so_much_money():
    """At the rates that were seen, and at the price that was told."""
    made = attrs.evolve(real(at_default(40, 0, 200, 0)), price=0.05)
    found = one(made, AS_ASKED)
    assert [rate.more for rate in found.rates] == [99, 19]
    assert (found.more, found.cost, found.currency) == (118, 5.9, "USD")
    assert found.sentence.endswith(
        "About 99 more non-mated and 19 more mated pairs of new people, about 5.90 USD, "
        "would show a pass with 95 % confidence if the same rates are seen again; half of "
        "such tests will see more errors, so plan for half as many again."
    )


def test_only_what_is_missing_is_bought():
    """One of the two rates is shown already."""
    found = one(real(at_default(59, 0, 200, 0)), AS_ASKED)
    assert (found.more, found.cost) == (99, 4.95)
    assert "About 99 more non-mated pairs of new people" in found.sentence


@pytest.mark.parametrize(
    ("money", "told"),
    [({}, "people (no price given) would"), ({"price": 0.0, "currency": "USD"}, "at no charge")],
)
def test_money_that_nobody_asks(money, told):
    """Or that nobody told of."""
    made = attrs.evolve(at_default(40, 0, 200, 0), **money)
    assert told in one(made, AS_ASKED).sentence


def test_so_many_more_do_show_it():
    """Bought, they pass: the number is neither too small nor, by much, too large."""
    made = at_default(100, 1, 400, 0)
    fmr, fnmr = one(made, AS_ASKED).rates
    assert (fmr.outcome, fnmr.more) == (Outcome.PASS, None)
    made = at_default(50, 1, 400, 0)
    _, fnmr = one(made, AS_ASKED).rates
    # Errors come in whole numbers: one in fifty, at the numbers of pairs on either side.
    fifties = (50 + fnmr.more) // 50
    for times, outcome in ((fifties, Outcome.INCONCLUSIVE), (fifties + 1, Outcome.PASS)):
        assert one(at_default(50 * times, times, 400, 0), AS_ASKED).outcome is outcome


def test_no_number_of_pairs_would_do():
    """The rate that was seen is beyond the limit, but not yet surely."""
    found = one(real(at_default(40, 3, 400, 0)), AS_ASKED)
    assert (found.outcome, found.more, found.cost) == (Outcome.INCONCLUSIVE, None, None)
    assert found.leans_to_fail
    assert found.sentence.endswith(
        "The FRR that was seen, 7.5 %, is itself not below the limit: it leans to FAIL. If it is "
        "the true one, no number of pairs shows a pass."
    )


def test_too_close_to_the_limit():
    """Below it, by so little that nobody would pay for the proof."""
    near = attrs.evolve(AS_ASKED, max_frr=0.025 + 1e-7)
    found = one(at_default(40, 1, 400, 0), near)
    assert not found.leans_to_fail
    assert found.sentence.endswith(
        "is so close to the limit that no affordable number of pairs shows a pass."
    )


def test_split_or_not():
    """On the same pairs or on other people: both may pass, and say which."""
    made = crowd(mean=85, others=60)
    for split, chosen_on in ((False, "evaluation"), (True, "calibration")):
        found = one(made, split=split)
        assert (found.outcome, found.chosen_on) == (Outcome.PASS, chosen_on)
        assert one(crowd(mean=45, others=60), split=split).outcome is Outcome.FAIL


def test_decisions_only():
    """It has one threshold, its own, and is judged at that whatever the profile says."""
    for requirements in (DOOR, AS_ASKED):
        found = one(decided(crowd(mean=85, others=60)), requirements)
        assert (found.outcome, found.chosen_on) == (Outcome.PASS, "default")
    found = one(decided(crowd(mean=40)))
    assert found.outcome is Outcome.FAIL
    assert "No other" not in found.sentence
    nobody_told = changed(decided(crowd(mean=85, others=60)), threshold=None)
    assert one(nobody_told).sentence.startswith("a at its own threshold: ")


def test_no_threshold_at_all():
    """Its reason is the verdict; FAIL only if no threshold would do."""
    nothing = one(answers([LOST], [LOST]))
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
    found = one(made, AS_ASKED)
    assert (found.rates[0].low, found.rates[0].high, found.rates[0].more) == (None, None, 299)
    assert "the FMR is unknown (limit 1 %)" in found.sentence


def test_bounds_are_one_sided_whatever_the_report_was_made_for():
    """A report at 95 % and one at 90 % give the same verdict."""
    made = [crowd(mean=85, others=60)]
    found = [
        judge(evaluate(made, required_fmr=2e-3, confidence=confidence), DOOR).systems[0]
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
    assert judged(good, bad, systems=["good"]).outcome is Outcome.PASS
    names = [found.system for found in judged(good, small, bad).systems]
    assert names == ["good", "open", "bad"]


def test_a_system_that_is_not_there():
    """The nearest name is told."""
    with pytest.raises(InvalidRequest, match="No system is called 'godo' here; did you mean"):
        judged(crowd("good"), systems=["godo"])


@pytest.mark.parametrize("environment", [Environment.MOCK, Environment.SANDBOX])
def test_a_mock_proves_nothing(environment):
    """Unless somebody says that this is known."""
    made = attrs.evolve(real(crowd(mean=85, others=60)), environment=environment)
    with pytest.raises(InvalidRequest, match=f"a answered from a {environment}"):
        judged(made)
    assert judged(made, allow_mock=True).outcome is Outcome.PASS
    other = real(crowd("b", mean=85, others=60))
    assert judged(made, other, systems=["b"]).outcome is Outcome.PASS


def test_a_comparison_for_another_fmr():
    """Its thresholds are others; at the default threshold that does not matter."""
    said = evaluate([crowd(mean=85, others=60)], required_fmr=1e-3)
    with pytest.raises(
        InvalidRequest, match=r"for an FMR of 0\.001, and the requirements door judge"
    ):
        judge(said, DOOR)
    assert judge(said, AS_ASKED).outcome is Outcome.PASS


def test_as_json():
    """Every number of the verdict, and what it was held against."""
    document = judged(real(crowd(mean=85, others=60))).to_dict()
    assert (document["kind"], document["outcome"]) == ("verdict", "pass")
    assert document["requirements"]["max_fmr"] == 0.01
    (found,) = document["systems"]
    assert found["rates"][0]["rate"]["trials"] > 0


@pytest.mark.parametrize("seed", range(8))
def test_no_verdict_against_the_truth(seed):
    """Vendors whose true rates are known: who meets both limits never fails, who misses one by far
    never passes."""
    good = crowd(mean=75, others=40, seed=seed)  # FNMR 0.5 % and FMR 0.02 % at 60
    bad = crowd(mean=50, others=40, seed=seed)  # FNMR over 20 % wherever FMR is below 1 %
    assert one(good).outcome is not Outcome.FAIL
    assert one(bad).outcome is Outcome.FAIL


def test_two_models_are_never_judged_as_one():
    """A vendor whose model changed during the run is judged by the model that is named."""
    made = attrs.evolve(real(crowd("a (m1)", mean=85, others=60)), other_models={"m2": 40})
    with pytest.raises(InvalidRequest, match=r"The model of a \(m1\) changed during the run"):
        judged(made)
    assert judged(made, systems=["a (m1)"]).outcome is Outcome.PASS


# --- How many more pairs


@pytest.mark.parametrize(("limit", "floor"), [(0.01, 299), (1e-3, 2_995), (1e-4, 29_956)])
def test_without_an_error_it_is_the_floor(limit, floor):
    """The number that the plan names."""
    assert more_needed(Rate(errors=0, trials=0), limit, 0.95, 0) == floor == trials_for(limit)


@given(st.integers(0, 20), st.integers(1, 20), st.floats(1.2, 1.6))
def test_the_first_that_shows_it(errors, hundreds, times):
    """The bound at that many trials is within the limit, and at one fewer it is not."""
    trials = 100 * hundreds
    seen = rate(min(errors, trials // 10), trials)
    bound = exact_upper(seen.errors, trials)
    limit = max(bound / times, 1.05 * seen.value)
    assume(limit < bound)
    found = trials + more_needed(seen, limit, 0.95, trials)
    assert exact_upper(seen.value * found, found) <= limit
    assert exact_upper(seen.value * (found - 1), found - 1) > limit


@given(st.integers(0, 100), st.integers(0, 100), st.floats(0.001, 0.2))
def test_a_worse_rate_needs_more(few, more, limit):
    """And one that is not below the limit no number."""
    assume(few <= more)
    low, high = (more_needed(rate(n, 1000), limit, 0.95, 1000) for n in (few, more))
    assert high is None or low <= high
    if more / 1000 >= limit:
        assert high is None


def test_so_close_that_nobody_would():
    """A number that exists and that nobody asks for is none."""
    assert more_needed(rate(999_999, 10**8), 0.01, 0.95, 10**8) is None
    assert more_needed(rate(99, 10_000), 0.01, 0.95, 10_000) < 10**9


def rate(errors, trials, effective=None, method=Method.EXACT):
    """A rate whose pairs are worth `effective` independent ones; None for all of them."""
    found = exact_interval(errors, trials)
    told = Interval(
        low=found.low,
        high=found.high,
        confidence=0.95,
        method=method,
        effective=float(effective or trials),
    )
    return Rate(errors=errors, trials=trials, subjects=trials, interval=told)


def test_what_is_there_already_is_not_asked_again():
    """A thousand of the 2,995 that it takes."""
    assert more_needed(rate(0, 1000), 1e-3, 0.95, 1000) == 1995


def test_pairs_that_are_not_judged_are_bought_as_well():
    """Where a quarter of the pairs is judged, four times as many are needed."""
    assert more_needed(rate(0, 1000), 1e-3, 0.95, 4000) == 4 * 1995


def test_pairs_that_share_people_are_worth_less():
    """Two for one, and their own variance is not known."""
    found = more_needed(rate(0, 1000, effective=500), 1e-3, 0.95, 1000)
    assert found == 2 * 2995 - 1000


def test_a_threshold_that_is_chosen_anew():
    """On more pairs as many pass as are allowed to: what was seen by luck is not expected again."""
    lucky, usual = (
        1000 + more_needed(rate(0, 1000), 1e-3, 0.95, 1000, expected=expected)
        for expected in (0, 2e-4)
    )
    assert lucky == 2995
    assert exact_upper(2e-4 * usual, usual) <= 1e-3 < exact_upper(2e-4 * (usual - 1), usual - 1)


def test_nothing_was_judged():
    """Then it is the floor."""
    assert more_needed(Rate(errors=0, trials=0), 0.01, 0.95, 0) == 299
    assert more_needed(Rate(errors=0, trials=0), 0.01, 0.95, 700) == 299


def test_no_number_will_do():
    """The rate itself is at the limit."""
    assert more_needed(rate(10, 1000), 0.01, 0.95, 1000) is None


def test_at_least_one_more():
    """Who is asked has not shown it yet."""
    assert more_needed(rate(0, 298), 0.01, 0.95, 298) == 1
    assert more_needed(rate(0, 400), 0.01, 0.95, 400) == 1


# --- Files of requirements


OWN = {"title": "Our door", "max_fmr": 1e-3, "max_frr": 0.02}


def written(tmp_path, document):
    path = tmp_path / "door.toml"
    path.write_text(document if isinstance(document, str) else tomli_w.dumps(document))
    return path


def test_sp800_63a():
    """Its two rates, with where they stand; the threshold is chosen with room to the limit."""
    found = read_requirements("sp800-63a")
    assert (found.max_fmr, found.max_frr) == (1e-4, 1e-2)
    assert (found.at, found.confidence) == (At.REQUIRED_FMR, 0.95)
    assert found.required_fmr == pytest.approx(found.max_fmr / 5)
    assert "section 3.1.11" in found.source
    assert "independent party" in found.leaves_out


@pytest.mark.parametrize("name", built_in())
def test_all_of_ours_can_be_read(name):
    """And says where it comes from."""
    assert read_requirements(name).source
    assert read_requirements(name).name == name


def test_one_of_ones_own(tmp_path):
    """Three keys are enough; the rest has defaults."""
    path = written(tmp_path, OWN)
    expected = Requirements(
        name="door", title="Our door", max_fmr=1e-3, max_frr=0.02, required_fmr=1e-3 / 5
    )
    assert read_requirements(path) == read_requirements(str(path)) == expected
    assert expected.evaluation_confidence == pytest.approx(0.9)
    all_of_it = {
        **OWN,
        "required_fmr": 1e-3,
        "at": "default",
        "confidence": 0.99,
        "source": "the board",
        "leaves_out": "the weather",
    }
    found = read_requirements(written(tmp_path, all_of_it))
    assert (found.at, found.required_fmr, found.confidence) == (At.DEFAULT, 1e-3, 0.99)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"max_fmr": 0}, "max_fmr must be a number above 0 and below 1, not 0"),
        ({"max_fmr": 1}, "max_fmr must be a number above 0 and below 1, not 1"),
        ({"max_frr": "0.01"}, "max_frr must be a number above 0 and below 1, not str of length"),
        ({"max_frr": True}, "max_frr must be a number above 0 and below 1, not bool"),
        ({"max_frr": float("nan")}, "max_frr must be a number"),
        ({"required_fmr": 0.01}, "required_fmr must not lie above max_fmr"),
        ({"confidence": 0.5}, "confidence must be a number above 0.5 and below 1, not 0.5"),
        ({"at": "both"}, 'at must be one of "required_fmr", "default", not str of length 4'),
        ({"at": ["default"]}, "at must be one of"),
        ({"title": ""}, "title must be text, not str of length 0"),
        ({"title": 5}, "title must be text, not 5"),
        ({"max_far": 0.01}, "unknown key 'max_far'; did you mean max_frr?"),
        ({"max_fnmr": 0.01}, "max_fnmr is now max_frr"),
    ],
    ids=str,
)
def test_wrong_files(tmp_path, change, told):
    """File and key are named, in one sentence."""
    path = written(tmp_path, {**OWN, **change})
    with pytest.raises(InvalidRequest, match=told) as caught:
        read_requirements(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", OWN)
def test_a_key_that_is_missing(tmp_path, key):
    """What it is for, too."""
    with pytest.raises(InvalidRequest, match=f"needs {key}: "):
        read_requirements(written(tmp_path, {k: v for k, v in OWN.items() if k != key}))


def test_no_such_requirements(tmp_path):
    """A name is looked for among ours alone; of a file, why it cannot be read."""
    with pytest.raises(InvalidRequest, match="did you mean sp800-63a"):
        read_requirements("sp800-63b")
    with pytest.raises(InvalidRequest, match=r"nothing.toml' cannot be read: No such file"):
        read_requirements(tmp_path / "nothing.toml")
    with pytest.raises(InvalidRequest, match="cannot be read"):
        read_requirements(tmp_path)
    with pytest.raises(InvalidRequest, match="cannot be read"):
        read_requirements("a\0.toml")
    for content in (b"x = ", b"\xff", b"a = [" * 3000):
        path = tmp_path / "broken.toml"
        path.write_bytes(content)
        with pytest.raises(InvalidRequest, match="not valid TOML"):
            read_requirements(path)
    path.write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(InvalidRequest, match="over 1048576 bytes"):
        read_requirements(path)


values = st.one_of(
    st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.lists(st.integers())
)


@settings(suppress_health_check=list(HealthCheck))
@given(
    st.fixed_dictionaries(
        {},
        optional={
            key: values | st.floats(0, 1) | st.sampled_from(["default", "required_fmr"])
            for key in (*OWN, "required_fmr", "at", "confidence", "source", "other")
        },
    )
)
def test_any_file_is_read_or_refused(tmp_path, document):
    """Whatever TOML says."""
    with contextlib.suppress(InvalidRequest):
        found = read_requirements(written(tmp_path, document))
        assert 0 < found.required_fmr <= found.max_fmr < 1
