"""Whom the rules do not blame, and what they leave open."""

import contextlib
import re
import threading

import attrs
import pytest
from kit.contract import Status, run
from mutants.faults import FAIL, as_dict, nobody
from mutants.making import row, vendor
from mutants.reference import (
    EDGES,
    PASS,
    HttpReference,
    HttpReferenceSimulator,
    ReferenceBackend,
    ReferenceSimulator,
    can,
)
from mutants.sessions import Player, SessionVendor
from mutants.table import MUTANTS
from vendors.onfido import OnfidoSimulator

import facematch_core as fm
from facematch_core.backend import ImageFormat, ImageLimits, StartRequest
from facematch_core.models import Box
from facematch_core.testing import Situation, bench, find_leaks, picture_samples
from facematch_core.testing.simulator import required_situations
from facematch_onfido import OnfidoBackend

evolve = attrs.evolve
PASSED = Status.PASSED
FAILED = Status.FAILED
OPEN = Status.OPEN
APART = Status.DOES_NOT_APPLY
OVER_HTTP = {"base": HttpReference}


# --- Replacements that take more than a line


def elsewhere(me, ok, call):
    of_another_client = HttpReference(api_key=me.api_key, base_url=me.base_url)
    with contextlib.closing(of_another_client):
        return of_another_client.match(call)


def careful(me, ok, call, body):
    """Reads digits in a text with a warning, as Deepvue's are."""
    score = body["score"]
    if not isinstance(score, str):
        return ok(call, body)
    note = fm.ResultWarning(code=fm.WarningCode.OTHER, text="The score came as text.")
    result = ok(call, {**body, "score": float(score)})
    return evolve(result, warnings=(*result.warnings, note))


def from_cosine(me, ok, call, number):
    """Computes the score from a cosine, which is rounded in binary."""
    score = ok(call, number)
    if score is None:
        return None
    cosine = number / 50 - 1
    return evolve(score, value=50 + 50 * cosine, raw=cosine)


def decides_by_score(me, ok, call, body, score):
    if score is None:
        return ok(call, body, score)
    decisions = PASS if call.threshold.passes(score.value) else FAIL
    return decisions[call.operation]


def refuses_options_of_checks(me, ok, call):
    """Its vendor takes the options in comparisons alone."""
    if call.operation is fm.Operation.LIVENESS and call.options is not None:
        raise fm.Unsupported("A check takes no options.", backend=me.name, what="options")
    return ok(call)


# --- Declarations


def charges_nothing(me, ok, *request):
    return evolve(ok(*request), charged=False)


FREE_VENDOR = vendor(HttpReferenceSimulator, answer=charges_nothing)
FREE = can(billed_operations=frozenset())
FREE_HTTP = {"capabilities": FREE, "charged": lambda me, ok, call: fm.Charged.NO}


def charges_faces(me, ok, request, situation, score):
    charged = False if situation is Situation.NO_FACE else None
    return evolve(ok(request, situation, score), charged=charged)


class Refusing(HttpReferenceSimulator):
    """Answers so about a picture without a face, and charges it."""

    def answer(self, request, situation, score):
        reply = super().answer(request, situation, score)
        no_face = situation is Situation.NO_FACE
        return evolve(reply, status=400, charged=True) if no_face else reply


POOR = vendor(situations=required_situations(ReferenceBackend.capabilities))


def charges_no_face_nothing(me, ok, call, body):
    result = ok(call, body)
    return result if body["faces"] else evolve(result, billing=fm.Billing(fm.Charged.NO))


def box_in_pixels(me, ok, edges):
    left, top, right, bottom = (480 * edge for edge in edges)
    return Box(left=left, top=top, right=right, bottom=bottom, of_width=480, of_height=480)


def refusal_may_be_a_result(me, ok, call, reply):
    if reply.status == 400 and reply.at("verdict"):
        return me.result(call, as_dict(me.body(reply)))
    return None


def parse_409(me, ok, call, reply):
    return nobody(call) if reply.status == 409 else ok(call, reply)


RIGHT = [
    # Money
    row("R16", "FreeVendor", "What fails at a free vendor is free.",
        **OVER_HTTP, **FREE_HTTP, simulator=FREE_VENDOR),
    row("R16", "NobodyIsFree", "A vendor may charge nothing where nobody is seen.",
        **OVER_HTTP, result=charges_no_face_nothing,
        simulator=vendor(HttpReferenceSimulator, answer=charges_faces)),
    # The mapping
    row("R02", "Careful", "Digits may be read with a warning.", **OVER_HTTP, result=careful),
    row("R02", "Cosine", "A score of another scale is rounded.",
        score=from_cosine, decision=decides_by_score),
    # Options of its own
    row("R16", "RefusesOptionsOfChecks", "It says that it does not take them.",
        check_liveness=refuses_options_of_checks),
    row("R25", "RefusesOptionsOfChecks", "It says that it does not take them.",
        check_liveness=refuses_options_of_checks),
    row("R25", "RefusesOptionsInBuild", "It says so while it makes the request.",
        **OVER_HTTP, build=refuses_options_of_checks),
    # Pictures
    row("R24", "LimitsReferences", "It takes other pictures as a reference than as a probe.",
        capabilities=can(reference_limits=ImageLimits(
            formats={ImageFormat.JPEG, ImageFormat.PNG}, max_bytes=200_000))),
    # Where faces are
    row("R12", "Pixels", "Where faces are is the same in each unit.", box=box_in_pixels),
]  # fmt: skip
#: Those that take their time.
RIGHT_AND_SLOW = [
    row("R38", "Refuses", "A refusal may be a result.",
        **OVER_HTTP, simulator=Refusing, parse_non_200=refusal_may_be_a_result),
    row("R38", "Sparing", "It expects an answer that no simulator gives.",
        **OVER_HTTP, parse=parse_409,
        build=lambda me, ok, call: evolve(ok(call), expects={200, 409})),
]  # fmt: skip


def rule_and_name(plug_in):
    return f"{plug_in.rule}-{plug_in.name}"


@pytest.mark.parametrize(
    "plug_in",
    RIGHT + [pytest.param(each, marks=pytest.mark.slow) for each in RIGHT_AND_SLOW],
    ids=rule_and_name,
)
def test_unusual_but_right_plug_in_passes_the_rule(plug_in):
    statuses = {case.status for case in run(plug_in.make, {plug_in.rule})}
    assert PASSED in statuses
    assert statuses <= {PASSED, APART}


#: Status, words of its reason, and the plug-in with its vendor.
NOT_JUDGED = [
    (OPEN, "Odd cannot produce SMALLER_FACE_MATCHES.", row("R14", "PoorR14", "It is named.",
        simulator=POOR)),
    (APART, "declares no liveness call", row("R16", "MatchOnly", "Nothing can meet it.",
        capabilities=can(operations=frozenset({fm.Operation.MATCH})))),
    (OPEN, "`client`", row("R38", "Elsewhere", "What was answered the kit cannot know.",
        **OVER_HTTP, match=elsewhere)),
    (OPEN, "", row("R12", "Alike", "Pictures that cannot be known apart.",
        simulator=vendor(faces=dict.fromkeys(EDGES, ReferenceSimulator.faces["probe"])))),
]  # fmt: skip
#: What a reason says of a rule that did not come as far.
CRASHES = re.compile("the simulator failed: |AttributeError|NameError")


@pytest.mark.parametrize(
    ("status", "reason", "plug_in"),
    NOT_JUDGED,
    ids=lambda value: rule_and_name(value) if hasattr(value, "rule") else "",
)
def test_rule_that_cannot_be_judged_says_why(status, reason, plug_in):
    reasons = [case.reason for case in run(plug_in.make, {plug_in.rule}) if case.status is status]
    assert reasons
    for each in reasons:
        assert reason in each
        assert not CRASHES.search(each)


# --- What a failure shows


def test_failure_reason_contains_no_picture_bytes():
    """What pytest prints of a failing rule goes into logs of others."""
    [case] = run(MUTANTS["DropsOrientation3"].make, {"R25"})
    assert case.status is FAILED
    for picture in ReferenceSimulator().pictures():
        for sample in picture_samples(picture):
            assert find_leaks(sample, case.reason) == ()
    assert "prepared" in case.reason


def test_a_call_that_never_ends_is_blamed(monkeypatch):
    monkeypatch.setattr(bench, "CALL_LIMIT_S", 0.1)
    is_over = threading.Event()

    def ask_for_ever(me, ok, call):
        answer = ok(call)
        while isinstance(answer[2], fm.OutcomeUnknown) and not is_over.wait(0.01):
            answer = ok(call)
        return answer

    mutant = row("R16", "AsksForEver", "A lost call is made until it has an answer.",
        exchange=ask_for_ever)  # fmt: skip
    reasons = [case.reason for case in run(mutant.make, {"R16"}) if case.status is FAILED]
    is_over.set()
    assert any("does not end" in reason for reason in reasons)


@pytest.mark.slow
def test_refusals_of_a_start_are_played_at_its_charged_request():
    """The first request of a start may be free, as Onfido's, which creates an applicant."""

    class Charged(OnfidoBackend):
        def error(self, reply, request):
            error = super().error(reply, request)
            if isinstance(request, StartRequest) and reply.status == 404:
                error.billing = fm.Billing(fm.Charged.YES, "a slip")
            return error

    class Simulator(OnfidoSimulator):
        def backend(self, **settings):
            return Charged(**{**self.keys, "base_url": self.url} | settings)

    [case] = run(Simulator, {"R53"})
    assert case.status is FAILED
    assert "the charge of a start, answered 404" in case.reason
    assert "at request 2" in case.reason


def test_a_passed_session_that_verifies_nobody_says_why():
    """Items alone look like a yes: the name that the vendor showed was not that of the document."""

    class OtherPlayer(Player):
        def show_document(self, session_id, holder):
            super().show_document(session_id, evolve(holder, name="Grace Hopper"))

    class Simulator(SessionVendor):
        player = OtherPlayer

    [case] = run(Simulator, {"R52"})
    assert case.status is FAILED
    assert "decided with match and live, which is a no: the name on the" in case.reason
