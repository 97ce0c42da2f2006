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
from facematch_comparison.model import Rate
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
    fmr, frr = found.rates
    assert (fmr.name, frr.name) == ("fmr", "frr")
    assert fmr.high <= 0.01
    assert frr.high <= 0.05
    assert (found.chosen_on, found.more, found.cost) == ("evaluation", None, None)
    assert not found.leans_to_fail
    for rate in found.rates:
        assert f"below {upper_percent(rate.high)} % (limit" in found.sentence


def test_fail():
    """At its threshold a lower bound is beyond, and at every other one as well."""
    found = one(crowd(mean=45, others=60))
    assert found.outcome is Outcome.FAIL
    assert found.rates[1].low > 0.05
    assert found.sentence.endswith("No other threshold would do.")


@pytest.mark.parametrize(("rate", "limit"), [("fmr", "max_fmr"), ("frr", "max_frr")])
def test_exactly_at_the_limit(rate, limit):
    """A bound that equals the limit is within it: the upper one passes, the lower one fails not."""
    made = at_default(400, 20, 400, 20)
    generous = attrs.evolve(AS_ASKED, max_fmr=0.5, max_frr=0.5)
    (bound,) = (one_rate for one_rate in one(made, generous).rates if one_rate.name == rate)

    def outcome(value):
        found = one(made, attrs.evolve(generous, **{limit: float(value)}))
        return {one_rate.name: one_rate.outcome for one_rate in found.rates}[rate]

    assert outcome(bound.high) is Outcome.PASS
    assert outcome(np.nextafter(bound.high, 0)) is Outcome.INCONCLUSIVE
    assert outcome(bound.low) is Outcome.INCONCLUSIVE
    assert outcome(np.nextafter(bound.low, 0)) is Outcome.FAIL


@pytest.mark.parametrize(
    ("fmr_low", "frr_low", "outcome"),
    [
        # Between the points FMR may be as low as at the second, and FRR as low as at the first.
        ((0.5, 0.0), (0.0, 0.5), Outcome.INCONCLUSIVE),
        ((0.5, 0.02), (0.0, 0.5), Outcome.FAIL),
        ((0.5, 0.01), (0.05, 0.5), Outcome.INCONCLUSIVE),
        ((0.5, 0.0), (0.06, 0.5), Outcome.FAIL),
        # Beyond the last point FMR is no lower than there.
        ((0.5, 0.02), (0.06, 0.04), Outcome.FAIL),
        ((0.5, 0.0), (0.06, 0.04), Outcome.INCONCLUSIVE),
    ],
)
def test_whether_another_threshold_would_do(fmr_low, frr_low, outcome):
    """By hand, on a curve of two points; at its own threshold the system fails."""
    evaluation = evaluate(
        [crowd(mean=45, others=60)], required_fmr=2e-3, confidence=DOOR.evaluation_confidence
    )
    (system,) = evaluation.systems
    curve = attrs.evolve(system.curve, thresholds=(1, 2), fmr_low=fmr_low, frr_low=frr_low)
    systems = (attrs.evolve(system, curve=curve),)
    found = judge(attrs.evolve(evaluation, systems=systems), DOOR)
    assert (found.outcome, found.systems[0].rates[1].outcome) == (outcome, Outcome.FAIL)


def test_another_threshold_might_do():
    """Chosen for an FMR that is stricter than it need be, it refuses too many; that is no FAIL."""
    strict = attrs.evolve(DOOR, required_fmr=1e-5, max_fmr=0.3)
    found = one(crowd(mean=60, others=60), strict)
    assert found.rates[1].outcome is Outcome.FAIL
    assert found.outcome is Outcome.INCONCLUSIVE


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


@pytest.mark.parametrize(
    ("others", "price", "more", "cost", "words"),
    [
        # Of either kind; of the one that is not shown yet.
        (200, 0.05, [99, 19], 5.9, "About 99 more non-mated and 19 more mated pairs of new people"),
        (200, 0.0, [99, 19], 0.0, ", at no charge,"),
        (200, None, [99, 19], None, "(no price given)"),
        (400, 0.05, [None, 19], 0.95, "about 0.95 USD"),
    ],
)
def test_n_more_comparisons_about_so_much_money(others, price, more, cost, words):
    """At the rates that were seen, and at the price that was told."""
    money = {"price": price, "currency": None if price is None else "USD"}
    found = one(attrs.evolve(at_default(40, 0, others, 0), **money), AS_ASKED)
    assert [rate.more for rate in found.rates] == more
    assert (found.more, found.cost) == (sum(filter(None, more)), cost)
    assert words in found.sentence


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


@pytest.mark.parametrize(
    ("wrong", "max_frr", "leans_to_fail"), [(3, 0.05, True), (1, 0.025 + 1e-7, False)]
)
def test_no_number_of_pairs_would_do(wrong, max_frr, leans_to_fail):
    """The rate is beyond the limit but not yet surely, or so close that nobody would pay for it."""
    made = real(at_default(40, wrong, 400, 0))
    found = one(made, attrs.evolve(AS_ASKED, max_frr=max_frr))
    assert (found.outcome, found.more, found.cost) == (Outcome.INCONCLUSIVE, None, None)
    assert found.leans_to_fail is leans_to_fail
    assert ("leans to FAIL" in found.sentence) is leans_to_fail


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
    unknown = one(changed(decided(crowd(mean=85, others=60)), threshold=None))
    assert (unknown.threshold, unknown.outcome) == (None, Outcome.PASS)


def test_no_threshold_at_all():
    """Its reason is the verdict; FAIL only if no threshold would do."""
    nothing = one(answers([LOST], [LOST]))
    assert (nothing.outcome, nothing.rates) == (Outcome.INCONCLUSIVE, ())
    assert nothing.sentence == "a: It compared no pair."
    # 20 pairs of two people have the highest score: nobody gets in without them.
    tops = answers([*range(50, 90)] * 10, [10] * 380 + [90] * 20, rule=ThresholdRule.AT_LEAST)
    found = one(tops)
    assert (found.outcome, found.rates) == (Outcome.FAIL, ())


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
    with pytest.raises(InvalidRequest, match="'godo' here; did you mean"):
        judged(crowd("good"), systems=["godo"])


@pytest.mark.parametrize("environment", [Environment.MOCK, Environment.SANDBOX])
def test_a_mock_proves_nothing(environment):
    """Unless somebody says that this is known."""
    made = attrs.evolve(real(crowd(mean=85, others=60)), environment=environment)
    with pytest.raises(InvalidRequest, match=f"{environment}.*`allow_mock=True`"):
        judged(made)
    assert judged(made, allow_mock=True).outcome is Outcome.PASS
    other = real(crowd("b", mean=85, others=60))
    assert judged(made, other, systems=["b"]).outcome is Outcome.PASS


def test_an_evaluation_for_something_else():
    """Thresholds for another FMR, which does not matter at the default one; narrow intervals."""
    said = evaluate([crowd(mean=85, others=60)], required_fmr=1e-3)
    with pytest.raises(InvalidRequest, match=r"FMR of 0\.001, .* requirements door judge"):
        judge(said, DOOR)
    assert judge(said, AS_ASKED).outcome is Outcome.PASS
    with pytest.raises(InvalidRequest, match=r"intervals of 95 %.* need 98 %"):
        judge(said, attrs.evolve(AS_ASKED, confidence=0.99))


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


def rate(errors, trials, effective=None):
    """A rate whose pairs are worth `effective` independent ones; None for all of them."""
    interval = exact_interval(errors, trials)
    interval = attrs.evolve(interval, effective=float(effective or trials))
    return Rate(errors=errors, trials=trials, subjects=trials, interval=interval)


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


@pytest.mark.parametrize(
    ("seen", "asked", "more"),
    [
        # A thousand of the 2,995 that it takes.
        (rate(0, 1000), 1000, 1995),
        # Where a quarter of the pairs is judged, four times as many are needed.
        (rate(0, 1000), 4000, 4 * 1995),
        # Two for one, and their own variance is not known.
        (rate(0, 1000, effective=500), 1000, 2 * 2995 - 1000),
        # Who is asked has not shown it yet.
        (rate(0, 2994), 2994, 1),
        (rate(0, 4000), 4000, 1),
        # Nothing was judged: the floor. The rate itself is at the limit: no number.
        (Rate(errors=0, trials=0), 0, 2995),
        (Rate(errors=0, trials=0), 700, 2995),
        (rate(1, 1000), 1000, None),
    ],
)
def test_how_many_more(seen, asked, more):
    """For one in a thousand, with 95 % confidence."""
    assert more_needed(seen, 1e-3, 0.95, asked) == more


def test_a_threshold_that_is_chosen_anew():
    """On more pairs as many pass as are allowed to: what was seen by luck is not expected again."""
    usual = 1000 + more_needed(rate(0, 1000), 1e-3, 0.95, 1000, expected=2e-4)
    assert exact_upper(2e-4 * usual, usual) <= 1e-3 < exact_upper(2e-4 * (usual - 1), usual - 1)


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
    "change",
    [
        *({"max_fmr": 0}, {"max_fmr": 1}, {"max_frr": "0.01"}, {"max_frr": True}),
        *({"max_frr": float("nan")}, {"required_fmr": 0.01}, {"confidence": 0.5}),
        *({"at": "both"}, {"at": ["default"]}, {"title": ""}, {"title": 5}, {"max_far": 0.01}),
    ],
    ids=str,
)
def test_wrong_files(tmp_path, change):
    """File and key are named, in one sentence."""
    path = written(tmp_path, {**OWN, **change})
    (key,) = change
    with pytest.raises(InvalidRequest, match=key) as caught:
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
