"""What a simulator cannot produce is named, never passed over."""

from typing import ClassVar

import pytest
from kit.fakes import picture
from mutants.reference import ReferenceBackend, ReferenceSimulator, can

from facematch_core import Operation, ThresholdRule
from facematch_core.testing import BackendContract, Situation
from facematch_core.testing.bench import Bench
from facematch_core.testing.simulator import required


class Poor(ReferenceSimulator):
    """Knows only what every simulator must know."""

    situations = required(ReferenceBackend.capabilities)


#: Some rules, and the situation that each cannot do without.
NEEDS = {
    "test_r03_score_is_the_vendors_number": "SCORE",
    "test_r12_two_faces_are_told": "TWO_FACES",
    "test_r19_deadline_holds": "SLOW or DRIPPING or ENDLESS",
    "test_r22_demographics_are_dropped": "DEMOGRAPHICS",
}


def test_a_missing_situation_is_named():
    """The rule is skipped with a sentence that tells what is missing."""
    for rule, missing in NEEDS.items():
        with pytest.raises(pytest.skip.Exception) as skipped:
            getattr(BackendContract(), rule)(Bench(Poor()))
        assert str(skipped.value) == f"Not tested: Poor cannot produce {missing}."


def test_the_required_ones_may_not_be_missing():
    """Without them nothing could be judged, so R05 fails and names them."""

    class Poorer(Poor):
        situations = Poor.situations - {Situation.SPOOF, Situation.LOST_ANSWER}

    with pytest.raises(AssertionError, match="the simulator must produce LOST_ANSWER, SPOOF"):
        BackendContract().test_r05_declarations_can_be_tested(Bench(Poorer()))


def test_every_secret_is_named():
    """A simulator that keeps silent about the key would make every search for it pass."""

    class Forgetful(ReferenceSimulator):
        secrets = ()

    with pytest.raises(AssertionError, match="does not name the secret in key"):
        BackendContract().test_r05_declarations_can_be_tested(Bench(Forgetful()))


def test_an_undeclared_operation_is_named():
    """What only a liveness call can meet is skipped for a backend without."""

    class MatchOnly(ReferenceBackend):
        capabilities = can(operations=frozenset({Operation.MATCH}))

    bench = Bench(ReferenceSimulator(MatchOnly))
    with pytest.raises(pytest.skip.Exception) as skipped:
        BackendContract().test_r18_no_request_is_repeated(bench, Situation.LIVE)
    assert str(skipped.value) == "Does not apply: reference declares no liveness call."


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"threshold_rule": ThresholdRule.VENDOR}, "leaves the threshold rule to its vendor"),
        ({"score_scale": None, "liveness_scale": None}, "declares no scale of scores"),
    ],
)
def test_an_edge_that_nobody_knows_is_named(changes, why):
    """Rules about thresholds need a rule and a scale."""

    class Edgeless(ReferenceBackend):
        capabilities = can(**changes)

    with pytest.raises(pytest.skip.Exception) as skipped:
        BackendContract().test_r08_no_pass_below_the_threshold(Bench(ReferenceSimulator(Edgeless)))
    assert str(skipped.value) == f"Does not apply: reference {why}."


def test_an_option_that_nobody_can_see_fails():
    """A backend that declares to pass something on is not believed on its word."""

    class Blind(ReferenceSimulator):
        received: ClassVar = {}
        situations = ReferenceSimulator.situations - {Situation.TURNED}

    with pytest.raises(AssertionError, match=r"it is declared, and the vendor heard"):
        BackendContract().test_r25_options_are_refused_or_arrive(Bench(Blind()))


@pytest.mark.parametrize("blind", [True, False], ids=["not told", "no others"])
def test_own_options_that_nobody_can_see_are_an_open_rule(blind):
    """Unlike what every backend has: which of them arrive, a simulator may not be able to tell."""

    class Blind(ReferenceSimulator):
        @property
        def received(self):
            told = dict(super().received)
            if blind:
                del told["options"]
            return told

        def other_options(self, declared):
            return super().other_options(declared) if blind else ()

    with pytest.raises(pytest.skip.Exception) as skipped:
        BackendContract().test_r25_options_are_refused_or_arrive(Bench(Blind()))
    told = str(skipped.value)
    assert told.startswith("Not tested: ")
    assert all(name in told for name in ("ReferenceOptions", "Blind", "other_options", "received"))


def test_each_of_the_other_options_must_arrive():
    """One that does not is enough."""

    class Choosy(ReferenceSimulator):
        def other_options(self, declared):
            return [*super().other_options(declared), declared()]

    with pytest.raises(AssertionError, match="the vendor heard the same as of ReferenceOptions"):
        BackendContract().test_r25_options_are_refused_or_arrive(Bench(Choosy()))


def test_plain_pictures_are_refused():
    """Pictures that could not be recognised in a log would prove nothing."""

    class Plain(ReferenceSimulator):
        def pictures(self):
            return picture(kind="BMP"), picture((1, 2, 3), kind="BMP")

    with pytest.raises(AssertionError, match="too plain to be found again"):
        BackendContract().test_r21_nothing_leaks(Bench(Plain()), Situation.SAME_PERSON)
