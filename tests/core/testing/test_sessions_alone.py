"""Plug-ins of hosted sessions alone."""

import attrs
import pytest
from kit.contract import Status, failures, run
from mutants.making import row, vendor
from mutants.sessions import (
    SHOWN,
    STATUSES,
    LateCopies,
    Player,
    SessionReference,
    SessionVendor,
)
from vendors.veriff import VeriffSimulator

import facematch_core as fm
from facematch_core import Operation, models
from facematch_core.backend import Capabilities, ImageFormat
from facematch_core.testing import SessionCase, SimulatorReply
from facematch_core.testing.simulator import OPERATION_OF
from facematch_veriff import VeriffBackend

FREE = models.Billing(models.Charged.NO, "it was not sent")
SITUATIONS = SessionVendor.situations - OPERATION_OF.keys()


class OneVerdictPlayer(Player):
    cases = frozenset(SessionCase) - {SessionCase.LOW_SCORE}

    def play(self, session_id, case):
        super().play(session_id, case)
        if session := self.store.get(session_id):
            session["items"] = [item for item in session["items"] if item["kind"] == "match"]
        if case is SessionCase.SPOOF:
            self.store[session_id]["items"] = SHOWN[SessionCase.OTHER_PERSON]["items"][:1]


def alone(
    name,
    fault,
    /,
    *,
    player=Player,
    shows=None,
    base_simulator=SessionVendor,
    vendor_changes=(),
    **changes,
):
    """A plug-in without calls; `shows` changes what it declares."""
    changed = {"situations": SITUATIONS, "player": player, **dict(vendor_changes)}
    return row(
        "",
        name,
        fault,
        base=SessionReference,
        simulator=vendor(base_simulator, **changed),
        capabilities=Capabilities(
            operations=frozenset(), threshold_rule=models.ThresholdRule.ABOVE
        ),
        session_capabilities=attrs.evolve(SessionReference.session_capabilities, **shows or {}),
        **changes,
    )


def covers_both(me, ok, item, request):
    return attrs.evolve(ok(item, request), covers_liveness=True)


ONE_VERDICT = alone(
    "OneVerdict",
    "Its vendor has one verdict for both: the same person, and a live face.",
    player=OneVerdictPlayer,
    shows={
        "scored": frozenset({Operation.MATCH}),
        "needs_liveness_threshold": False,
        "gives_portrait": False,
    },
    check=covers_both,
)


NO_NAMES = alone(
    "NoNames",
    "Its vendor compares with a document, and does not return the name on it.",
    shows={"reads_document": False},
    holders=lambda me, ok, body: (),
)


def after_a_person(me, ok, request):
    """Replaces `start_steps`: the vendor wants a person before the session, which is free."""
    yield me.post("people", json={"key": request.record.id}, charges=0)
    return (yield from ok(request))


def makes_people(me, ok, request, situation, score):
    if request.path != "/people":
        return ok(request, situation, score)
    if situation in STATUSES:
        return SimulatorReply(body={"hello": "world"}, status=STATUSES[situation])
    return SimulatorReply(body={}, charged=False)


class FilmPlayer(Player):
    """Its vendor keeps a film of every session until it is deleted."""

    always_kept = 1

    def kept(self, session_id):
        return 1 if session_id in self.store else 0


class LatePlayer(Player):
    """Its vendor cannot be asked for a session by the record's id."""

    documented_capabilities = dict.fromkeys(("can_delete", "takes_language"), True)


ALONE = alone("Alone", "It compares no pictures.")
#: Those that take their time.
CONFORMING_AND_SLOW = [
    alone(
        "TwoRequests",
        "A start sends two requests, of which the first is free.",
        vendor_changes={"answer": makes_people},
        start_steps=after_a_person,
    ),
    alone("Films", "Its vendor always keeps a film.", player=FilmPlayer),
    alone(
        "LateCopies",
        "Its vendor tells whose session it is once it has decided.",
        base_simulator=LateCopies,
        player=LatePlayer,
        shows={"finds_by_record": False},
    ),
    ONE_VERDICT,
    NO_NAMES,
]


@pytest.mark.parametrize(
    "plug_in",
    [ALONE] + [pytest.param(each, marks=pytest.mark.slow) for each in CONFORMING_AND_SLOW],
    ids=lambda plug_in: plug_in.name,
)
def test_session_only_plug_in_conforms(plug_in):
    cases = tuple(run(plug_in.make))
    assert not failures(cases)
    assert {case.rule for case in cases if case.status is Status.PASSED} >= {"R52", "R55", "R58"}


class LookingPlayer(Player):
    looks_at_references = True


class LookingVendor(SessionVendor):
    player = LookingPlayer


class RefusesWebp(SessionReference):
    """Declares that it takes references of every format, and sends no WebP."""

    def start_steps(self, request):
        if request.reference is not None and request.reference.format is ImageFormat.WEBP:
            raise fm.RequestRejected("The reference is a WebP.", billing=FREE)
        return (yield from super().start_steps(request))


@pytest.mark.parametrize(
    ("backend", "status"),
    [(SessionReference, Status.PASSED), (RefusesWebp, Status.FAILED)],
)
def test_references_within_the_declared_limits_are_sent_to_a_vendor_that_looks(backend, status):
    (case,) = run(lambda: LookingVendor(backend), {"R53"})
    assert case.status is status, case.reason
    if status is Status.FAILED:
        assert "within the limits" in case.reason


def test_settings_of_a_session_only_plug_in_are_checked():
    variables = {"api_kee": "REFERENCE_API_KEY"}
    mutant = alone("Misspelt", "A variable is of a setting that it lacks.",
        environment_variables=variables)  # fmt: skip
    [case] = run(mutant.make, {"R52"})
    assert case.status is Status.FAILED
    assert "`environment_variables` names unknown settings" in case.reason


def test_an_option_of_a_start_that_is_dropped_is_named():
    class Drops(VeriffBackend):
        def start_steps(self, request):
            return super().start_steps(attrs.evolve(request, options=None))

    keys = {**VeriffSimulator.keys, "environment": "mock"}
    simulator = type("Simulator", (VeriffSimulator,), {"backend_class": Drops, "keys": keys})
    [case] = run(simulator, {"R52"})
    assert case.status is Status.FAILED
    assert "VeriffSessionOptions" in case.reason
