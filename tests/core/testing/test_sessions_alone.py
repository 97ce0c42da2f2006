"""Plug-ins of hosted sessions alone."""

import attrs
import pytest
from kit.contract import Status, failures, run
from mutants.making import row, vendor
from mutants.sessions import SHOWN, Player, SessionReference, SessionVendor

import facematch_core as fm
from facematch_core import models
from facematch_core.backend import Capabilities
from facematch_core.backend import session_types as hosted
from facematch_core.testing import SessionCase, SessionWord, SimulatorReply, Situation
from facematch_core.testing.simulator import OPERATION_OF

SITUATIONS = SessionVendor.situations - OPERATION_OF.keys()
MATCHES = frozenset({fm.Operation.MATCH})


def alone(name, fault, /, player=Player, says=(), shows=(), **changes):
    """A plug-in without calls; `shows` changes what it declares, `says` its vendor."""
    can = SessionReference.session_capabilities
    return row(
        *("", name, fault),
        base=SessionReference,
        simulator=vendor(SessionVendor, situations=SITUATIONS, player=player, **dict(says)),
        capabilities=Capabilities(
            operations=frozenset(), threshold_rule=models.ThresholdRule.ABOVE
        ),
        session_capabilities=attrs.evolve(can, **dict(shows)),
        **changes,
    )


def finds_in_a_list(me, ok, request):
    name = request.record.session_id
    if name is None:
        reply = yield me.get(f"?of={request.record.id}")
        if not reply.json()["data"]:
            raise fm.SessionNotFound("There is no such session.")
        name = reply.json()["data"][0]["session"]
    reply = yield me.get(name)
    return me.reading(reply.json(), request)


def redacts(me, ok, request, situation, score):
    _, is_list, record_id = request.path.partition("?of=")
    is_well = situation not in (Situation.OUTAGE, Situation.UNREADABLE_200)
    name = request.path.rpartition("/")[2]
    if is_list and is_well:
        of = [session for session in me.store.values() if session["id"] == record_id]
        return SimulatorReply(body={"object": "list", "data": of, "more": False}, charged=False)
    if is_well and request.method == "DELETE" and name in me.store:
        me.store[name]["redaction"] = {"status": "redacted"}
        return SimulatorReply(body=me.store[name], charged=False)
    return ok(request, situation, score)


def begins_whole(me, ok, words):
    session = ok(words)
    session.setdefault("redaction", None)
    return session


class MatchPlayer(Player):
    cases = frozenset(SessionCase) - {SessionCase.SPOOF, SessionCase.LOW_SCORE}
    words = (
        *Player.words,
        *(
            SessionWord(("redaction",), {"status": status}, hosted.SessionState.GONE, "its page")
            for status in ("processing", "redacted")
        ),
    )

    def play(self, session_id, case):
        super().play(session_id, case)
        if session := self.store.get(session_id):
            session["items"] = [item for item in session["items"] if item["kind"] == "match"]


class OneVerdictPlayer(MatchPlayer):
    cases = frozenset(SessionCase) - {SessionCase.LOW_SCORE}
    words = Player.words

    def play(self, session_id, case):
        super().play(session_id, case)
        if case is SessionCase.SPOOF:
            self.store[session_id]["items"] = SHOWN[SessionCase.OTHER_PERSON]["items"][:1]


MATCH_ALONE = {"scored": MATCHES, "needs_liveness_threshold": False, "gives_portrait": False}
# fmt: off
PLUG_INS = (
    alone("Alone", "It compares no pictures."),
    alone("Redacting", "It compares alone, has a list of sessions, and shows what was deleted.",
        shows={**MATCH_ALONE, "checks": MATCHES, "result_lasts_s": None},
        player=MatchPlayer, says={"begin": begins_whole, "answer": redacts},
        read_steps=finds_in_a_list,
        state=lambda me, ok, body: hosted.SessionState.GONE if body["redaction"] else ok(body),
        deleted=lambda me, ok, body: hosted.DeletionState.DONE if body["redaction"] else ok(body)),
    alone("OneVerdict", "Its vendor has one verdict for both: the same person, and a live face.",
        shows=MATCH_ALONE, player=OneVerdictPlayer,
        check=lambda me, ok, *item: attrs.evolve(ok(*item), covers_liveness=True)),
)
# fmt: on
SLOW = [pytest.param(each, marks=pytest.mark.slow) for each in PLUG_INS[1:]]


@pytest.mark.parametrize("plug_in", [PLUG_INS[0], *SLOW], ids=lambda plug_in: plug_in.name)
def test_it_conforms(plug_in):
    cases = tuple(run(plug_in.make))
    assert not failures(cases)
    assert {case.rule for case in cases if case.status is Status.PASSED} >= {"R52", "R55", "R58"}
