"""R24, R31, R38 and R39 beyond the mutants: whom they do not blame, and when they do not apply."""

import contextlib
import json

import attrs
import pytest
from mutants.reference import (
    LIMITS,
    HttpReference,
    HttpReferenceSimulator,
    JobReference,
    JobSimulator,
    ReferenceBackend,
    ReferenceSimulator,
    can,
)
from mutants.stricter import nobody

from facematch_core import ResultWarning, VendorError, WarningCode
from facematch_core.backend import ImageLimits
from facematch_core.plugins import backend_class
from facematch_core.testing import Situation, Status, rules
from facematch_core.testing.conformance import Alone, run_rules

PASSED = (Status.PASSED, "")


def judged(rule, simulator):
    """Status and reason of the one case of a rule."""
    [case] = run_rules(lambda: simulator, rules={rule})
    return case.status, case.reason


def fails(rule, simulator, *words):
    """Assert that the rule is broken, with these words in its reason."""
    status, reason = judged(rule, simulator)
    assert status is Status.FAILED
    assert [word for word in words if word not in reason] == [], reason


def test_no_scale_no_score():
    """Then nothing is held against a threshold."""

    without = {"capabilities": can(score_scale=None, liveness_scale=None)}
    scaleless = type("Scaleless", (HttpReference,), without)
    assert judged("R39", HttpReferenceSimulator(scaleless))[0] is Status.DOES_NOT_APPLY


def test_a_score_that_is_not_found_is_an_open_rule():
    """A vendor's number that is computed stands nowhere: a person should look."""

    class Computed(HttpReference):
        def result(self, call, body):
            result = super().result(call, body)
            score = attrs.evolve(result.score, value=result.score.value / 2, raw=None)
            return attrs.evolve(result, score=score)

    assert judged("R39", HttpReferenceSimulator(Computed))[0] is Status.OPEN


def test_an_answer_by_another_way_is_named():
    """What was answered then, the kit cannot know."""

    class Elsewhere(HttpReference):
        def match(self, call):
            other = HttpReference(api_key=self.api_key, base_url=self.base_url)
            with contextlib.closing(other):
                return other.match(call)

    status, reason = judged("R38", HttpReferenceSimulator(Elsewhere))
    assert status is Status.OPEN
    assert "`client`" in reason


def test_an_answer_that_is_no_document_leaves_the_rule_open():
    """A text, or XML: nothing in it can be changed at a place."""

    class Words(HttpReference):
        def body(self, reply):
            return json.loads(super().body(reply))

    class WordsSimulator(HttpReferenceSimulator):
        def answer(self, *asked):
            told = super().answer(*asked)
            return attrs.evolve(told, body=json.dumps(told.body))

    assert judged("R38", WordsSimulator(Words))[0] is Status.OPEN


def test_a_refusal_may_be_a_result():
    """The vendor answers so about a picture without a face; it is charged, and read again."""

    class Refuses(HttpReference):
        def parse_non_200(self, call, reply):
            body = self.body(reply)
            return self.result(call, body) if reply.status == 400 and "verdict" in body else None

    class RefusingSimulator(HttpReferenceSimulator):
        def answer(self, request, situation, score):
            told = super().answer(request, situation, score)
            no_face = situation is Situation.NO_FACE
            return attrs.evolve(told, status=400, charged=True) if no_face else told

    assert judged("R38", RefusingSimulator(Refuses)) == PASSED


def test_digits_may_be_read_with_a_warning():
    """As Deepvue's are; without one it is a mutant."""

    class Careful(HttpReference):
        def result(self, call, body):
            said = body["score"]
            if not isinstance(said, str):
                return super().result(call, body)
            result = super().result(call, {**body, "score": float(said)})
            note = ResultWarning(code=WarningCode.OTHER, text="The score came as text.")
            return attrs.evolve(result, warnings=(*result.warnings, note))

    assert judged("R39", HttpReferenceSimulator(Careful)) == PASSED


def test_what_is_expected_may_be_an_answer_that_no_simulator_gives():
    """It is the backend that says so."""

    class Sparing(HttpReference):
        def build(self, call):
            return attrs.evolve(super().build(call), expects={200, 409})

        def parse(self, call, reply):
            return nobody(call) if reply.status == 409 else super().parse(call, reply)

    assert judged("R38", HttpReferenceSimulator(Sparing)) == PASSED


def test_a_score_that_a_later_answer_does_not_have_is_seen():
    """Also where the call rightly goes on."""

    class Remembering(JobReference):
        def refused(self, refusal):
            self.lost = True

        def score(self, call, told):
            return super().score(call, 77.5 if vars(self).pop("lost", False) else told)

    fails("R38", JobSimulator(Remembering), "request 3 of 3", "77.5")


def test_a_poll_that_is_repeated_for_ever_is_seen():
    """Good answers must end it, whatever was answered before."""

    class Sulking(JobReference):
        def refused(self, refusal):
            self.sulks = True

        def is_done(self, body):
            return super().is_done(body) and not vars(self).get("sulks")

    fails("R38", JobSimulator(Sulking), "do not end it")


def test_a_refused_poll_may_end_the_call():
    """Whether it is asked again is its author's business; what it cost the core says."""

    class Giving(JobReference):
        def refused(self, refusal):
            raise refusal

    assert judged("R38", JobSimulator(Giving)) == PASSED


@pytest.mark.parametrize("name", ["didit", "local"])
def test_pure_rules_need_no_simulator(name):
    """They run with nothing but the class, and may not apply to one of another kind."""
    found = run_rules(lambda: Alone(backend_class(name)), pure_only=True)
    assert {case.status for case in found} - {Status.DOES_NOT_APPLY} == {Status.PASSED}
    assert {case.rule for case in found} == {rule.number for rule in rules() if rule.pure}


def test_a_poller_needs_no_simulator():
    """Nobody knows what would end its call: none of its readings is held against it."""

    class Patient(JobReference):
        def steps(self, call):
            reply = yield self.submit(call)
            while reply.at("state") != "done":
                with contextlib.suppress(VendorError):
                    reply = yield self.poll(f"{self.address}/jobs/7")
            return self.parse(call, reply)

    found = run_rules(lambda: Alone(Patient), pure_only=True)
    assert {case.status for case in found} == {Status.PASSED}


class Particular(ReferenceSimulator):
    """Its references may be larger than its probes, and no picture may be long or nearly empty."""

    limits = attrs.evolve(LIMITS, max_side_px=300, min_bytes=200)
    reference_limits = ImageLimits(formats=LIMITS.formats, max_bytes=600_000)


def declaring(**limits):
    """The reference, which declares these limits."""
    return type("Declaring", (ReferenceBackend,), {"capabilities": can(**limits)})


ALL = {"image_limits": Particular.limits, "reference_limits": Particular.reference_limits}


def test_limits_of_each_picture_are_held():
    """Those of the reference are its own; where the vendor's are not known, by its word."""
    assert judged("R24", Particular(declaring(**ALL))) == PASSED
    silent = type("Silent", (ReferenceSimulator,), {"limits": None})
    assert judged("R24", silent(declaring(**ALL))) == PASSED


@pytest.mark.parametrize(
    ("declared", "place", "wrong"),
    [
        ({"image_limits": attrs.evolve(ALL["image_limits"], max_side_px=None)}, "probe", "side"),
        ({"image_limits": attrs.evolve(ALL["image_limits"], min_bytes=1)}, "probe", "bytes"),
        ({"reference_limits": ImageLimits(formats=LIMITS.formats)}, "reference", "bytes"),
        ({"reference_limits": ImageLimits(max_bytes=600_000)}, "reference", "format"),
    ],
)
def test_a_limit_that_is_not_declared_is_named(declared, place, wrong):
    """With the picture that it is about."""
    fails("R24", Particular(declaring(**ALL | declared)), place, wrong)


def test_plain_attributes_and_validators_of_attrs_will_do():
    """The core holds the first, attrs the second, which says what it was given."""

    @attrs.define(kw_only=True, eq=False, slots=False)
    class Plain(HttpReference):
        region: str = "eu"
        tries: int = attrs.field(default=1, validator=attrs.validators.instance_of(int))

    assert judged("R31", HttpReferenceSimulator(Plain)) == PASSED


def test_a_validator_of_ones_own_may_not_show_the_value():
    """It may be a key that stands in the wrong place."""

    def quoted(_, attribute, value):
        if not isinstance(value, int):
            raise TypeError(f"{attribute.name} cannot be {value!r}")

    @attrs.define(kw_only=True, eq=False, slots=False)
    class Quoting(HttpReference):
        tries: int = attrs.field(default=1, validator=quoted)

    fails("R31", HttpReferenceSimulator(Quoting), "tries", "shows the value")
