"""Plug-ins of hosted sessions alone."""

import attrs
import pytest
from kit.contract import Status, failures, run
from mutants.sessions import SHOWN, Player, SessionReference, SessionVendor

import facematch_core as fm
from facematch_core import models
from facematch_core.backend import Capabilities
from facematch_core.backend import session_types as hosted
from facematch_core.testing import SessionCase, SessionWord, SimulatorReply, Situation


class Alone(SessionReference):
    """Compares no pictures."""

    name = "alone"
    capabilities = Capabilities(operations=frozenset(), threshold_rule=models.ThresholdRule.ABOVE)


class Vendor(SessionVendor):
    situations = SessionVendor.situations - {
        *(Situation.SAME_PERSON, Situation.DIFFERENT_PEOPLE),
        *(Situation.LIVE, Situation.SPOOF),
    }

    def __init__(self):
        super().__init__(Alone)


class Redacting(Alone):
    """Compares alone, finds a session in a list, and shows of what was deleted that it was."""

    session_capabilities = attrs.evolve(
        Alone.session_capabilities,
        checks=frozenset({fm.Operation.MATCH}),
        scored=frozenset({fm.Operation.MATCH}),
        result_lasts_s=None,
        needs_liveness_threshold=False,
        gives_portrait=False,
    )

    def read_steps(self, request):
        name = request.record.session_id
        if name is None:
            reply = yield self.get(f"?of={request.record.id}")
            if not reply.json()["data"]:
                raise fm.SessionNotFound("There is no such session.")
            name = reply.json()["data"][0]["session"]
        reply = yield self.get(name)
        return self.reading(reply.json(), request)

    def state(self, body):
        return hosted.SessionState.GONE if body["redaction"] else super().state(body)

    def deleted(self, body):
        return hosted.DeletionState.DONE if body["redaction"] else super().deleted(body)


class RedactingPlayer(Player):
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


class RedactingVendor(Vendor):
    def __init__(self):
        super().__init__()
        self.backend_class = Redacting
        self.sessions = RedactingPlayer(self.store)

    def begin(self, words):
        session = super().begin(words)
        session.setdefault("redaction", None)
        return session

    def answer(self, request, situation, score):
        _, is_list, record_id = request.path.partition("?of=")
        is_well = situation not in (Situation.OUTAGE, Situation.UNREADABLE_200)
        name = request.path.rpartition("/")[2]
        if is_list and is_well:
            of = [session for session in self.store.values() if session["id"] == record_id]
            body = {"object": "list", "url": "/sessions", "data": of, "more": False}
            return SimulatorReply(body=body, charged=False)
        if is_well and request.method == "DELETE" and name in self.store:
            self.store[name]["redaction"] = {"status": "redacted"}
            return SimulatorReply(body=self.store[name], charged=False)
        return super().answer(request, situation, score)


class OneVerdict(Alone):
    """Its vendor has one verdict for both: the same person, and a live face."""

    session_capabilities = attrs.evolve(
        Alone.session_capabilities,
        scored=frozenset({fm.Operation.MATCH}),
        needs_liveness_threshold=False,
        gives_portrait=False,
    )

    def check(self, item, request):
        return attrs.evolve(super().check(item, request), covers_liveness=True)


class OneVerdictPlayer(RedactingPlayer):
    cases = frozenset(SessionCase) - {SessionCase.LOW_SCORE}
    words = Player.words

    def play(self, session_id, case):
        super().play(session_id, case)
        if case is SessionCase.SPOOF:
            self.store[session_id]["items"] = SHOWN[SessionCase.OTHER_PERSON]["items"][:1]


class OneVerdictVendor(Vendor):
    def __init__(self):
        super().__init__()
        self.backend_class = OneVerdict
        self.sessions = OneVerdictPlayer(self.store)


SLOW = [pytest.param(each, marks=pytest.mark.slow) for each in (RedactingVendor, OneVerdictVendor)]


@pytest.mark.parametrize("vendor", [Vendor, *SLOW])
def test_it_conforms(vendor):
    cases = tuple(run(vendor))
    assert not failures(cases)
    assert {case.rule for case in cases if case.status is Status.PASSED} >= {"R52", "R55", "R58"}
