"""The hosted sessions of mock vendors: a person is played, and answers are altered on their way.

What a mock does by itself is played by its control; what no document of the vendor has, and a
backend must be ready for all the same, is put into the body of an answer.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import operator
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from facematch_core import ComparedWith, Decision, LivenessDecision, SessionState
from facematch_core.base.addresses import MOCK_HEADER
from facematch_core.testing import SessionCase, SessionSimulator, SessionWord
from facematch_mock_server.base.messages import Response
from facematch_mock_server.vendors.didit import webhooks
from facematch_mock_server.world.hosted import find
from facematch_mock_server.world.webhooks import Delivery, Destination

if TYPE_CHECKING:
    from facematch_mock_server.control import Control
    from facematch_mock_server.world.clock import VirtualClock

Body = dict[str, Any]
Place = tuple[str | int, ...]

#: Whom the camera sees; for the other cases somebody who passes.
_CARDS = {SessionCase.OTHER_PERSON: "p2", SessionCase.SPOOF: "spoof"}
#: Of answers that no mock gives: without the header by which a mock is known.
_REAL = frozenset({SessionCase.SANDBOX, SessionCase.UNKNOWN_ENVIRONMENT})


class MockSessions(SessionSimulator):
    """Plays the sessions of a `MockSimulator`.

    Attributes:
        id_name: Where an answer about a session has its id.
        changes: What is put into the body of an answer, by case.
    """

    id_name: ClassVar[str]
    changes: ClassVar[Mapping[SessionCase, Callable[[Body], Any]]]

    def __init__(self, control: Control) -> None:
        self._control = control
        #: What is shown of each session.
        self._cases: dict[str, SessionCase] = {}
        #: Of each, one word that is another than usual, and its place.
        self._words: dict[str, tuple[Place, Any]] = {}
        self.cases = frozenset(SessionCase) - frozenset(self.cannot_happen)

    @property
    def clock(self) -> VirtualClock:  # type: ignore[override]  # there is nothing to set
        return self._control.world.clock

    def play(self, session_id: str, case: SessionCase) -> None:
        sessions: Any = self._control.sessions
        if case is SessionCase.VANISHED:
            self._control.open_world.sessions.remove(session_id)
        elif case is SessionCase.TRY_AGAIN:
            sessions.fail_attempt(session_id)
        else:
            sessions.finish(session_id, card=_CARDS.get(case, "p1-again"))
        self._cases[session_id] = case

    def say(self, session_id: str, place: Place, word: Any) -> None:
        self.play(session_id, SessionCase.PASSED)
        self._words[session_id] = place, word

    def alter(self, response: Response) -> Response:
        """What is sent instead of the world's own answer about a session."""
        if response.status != 200 or "json" not in (response.header("content-type") or ""):
            return response
        body = response.json()
        name = body.get(self.id_name) if isinstance(body, dict) else None
        case, word = self._cases.get(str(name)), self._words.get(str(name))
        if word is not None:
            (*path, last), text = word
            functools.reduce(operator.getitem, path, body)[last] = text
        elif case is None or case not in self.changes:
            return response
        else:
            self.changes[case](body)
        headers = [pair for pair in response.headers if pair[0] != MOCK_HEADER or case not in _REAL]
        return attrs.evolve(response, headers=tuple(headers), body=json.dumps(body).encode())


def put(**values: Any) -> Callable[[Body], None]:
    """Puts these into a body."""
    return lambda body: body.update(values)


_OTHER_ID = str(uuid.UUID(int=(4 << 76) + (0b10 << 62) + 0x5E55))


def _make_older(body: Body) -> None:
    made_at = dt.datetime.fromisoformat(body["created_at"])
    body["created_at"] = (made_at - dt.timedelta(days=1)).isoformat()


def _add_unfinished(body: Body) -> None:
    for name in ("liveness_checks", "face_matches"):
        body[name].append({**body[name][0], "status": "Not Finished", "score": None})


def _compare_with_a_document(body: Body) -> None:
    body["id_verifications"] = [{"node_id": "feature_ocr_1", "status": "Approved"}]
    body["face_matches"][0]["source_image_session_id"] = None


def _mean(
    place: Place, source: str, means: Mapping[str, Any], *, yes: str
) -> tuple[SessionWord, ...]:
    """The words at one place, as a page has them; by `yes` who passed is verified."""
    return tuple(
        SessionWord(place, word, kind, source, word == yes) for word, kind in means.items()
    )


#: Didit's page on the statuses of a session and its OpenAPI, 2026-07-18; read on 2026-11-23.
_DIDIT_PAGE = "docs.didit.me, /integration/verification-statuses"
_DIDIT_API = "Didit's OpenAPI, 2026-07-18"
#: Where Didit says under which session the picture lies that a face was compared with.
_SOURCE: Place = ("face_matches", 0, "source_image_session_id")


class DiditSessions(MockSessions):
    """Those of Didit, of a workflow that looks at a face and compares it with a portrait."""

    id_name = "session_id"
    compared_with = (ComparedWith.GIVEN,)
    changes: ClassVar[Mapping[SessionCase, Callable[[Body], Any]]] = {
        SessionCase.NO_FACE_ITEM: put(liveness_checks=[], face_matches=None),
        SessionCase.OTHER_PICTURE: _compare_with_a_document,
        SessionCase.UNFINISHED: _add_unfinished,
        SessionCase.FOREIGN: put(session_id=_OTHER_ID),
        SessionCase.OLDER: _make_older,
        SessionCase.SANDBOX: put(environment="sandbox"),
        SessionCase.UNKNOWN_ENVIRONMENT: put(environment="staging"),
    }
    words = (
        *_mean(
            ("status",),
            _DIDIT_PAGE,
            {
                "Approved": SessionState.DECIDED,
                "Declined": SessionState.DECIDED,
                "In Review": SessionState.PROCESSING,
                "Not Started": SessionState.PENDING,
                "In Progress": SessionState.PENDING,
                "Awaiting User": SessionState.PENDING,
                "Resubmitted": SessionState.PENDING,
                "Expired": SessionState.EXPIRED,
                "Kyc Expired": SessionState.EXPIRED,
                "Abandoned": SessionState.ABANDONED,
            },
            yes="Approved",
        ),
        *_mean(
            ("face_matches", 0, "status"),
            _DIDIT_API,
            {
                "Approved": Decision.MATCH,
                "Declined": Decision.NO_MATCH,
                "In Review": Decision.REVIEW,
                "Not Finished": Decision.INCONCLUSIVE,
            },
            yes="Approved",
        ),
        *_mean(
            ("liveness_checks", 0, "status"),
            _DIDIT_API,
            {
                "Approved": LivenessDecision.LIVE,
                "Declined": LivenessDecision.NOT_LIVE,
                "In Review": LivenessDecision.REVIEW,
                "Not Finished": LivenessDecision.INCONCLUSIVE,
            },
            yes="Approved",
        ),
        SessionWord(_SOURCE, _OTHER_ID, ComparedWith.STORED, _DIDIT_API),
        SessionWord(_SOURCE, None, ComparedWith.UNKNOWN, _DIDIT_API),
        # Beside a portrait a document: nobody says with which of the two it was compared.
        *(
            SessionWord((kind,), [{"status": "Approved"}], ComparedWith.UNKNOWN, _DIDIT_API)
            for kind in ("id_verifications", "nfc_verifications")
        ),
        # The setting `liveness_method` asks for another one.
        SessionWord(
            ("liveness_checks", 0, "method"), "FLASHING", LivenessDecision.REVIEW, _DIDIT_API
        ),
    )
    #: What a backend needs besides its key.
    settings: ClassVar[Mapping[str, Any]] = {
        "workflow_id": "5d1f6e0a-1f4b-4c55-9a7e-3d1d6a2f9c10",
        "workflow_takes_reference": True,
        "liveness_method": "PASSIVE",
        "webhook_secrets": "didit-simulator-webhook-b7f2904e",
    }

    def deliver(self, session_id: str) -> tuple[bytes, Mapping[str, str]]:
        world = self._control.world
        session, secret = find(world, session_id), self.settings["webhook_secrets"]
        delivery = Delivery(
            id=_OTHER_ID,
            destination=_OTHER_ID,
            event=webhooks.EVENT,
            event_id=_OTHER_ID,
            session=session,
            origin="http://127.0.0.1",
            created_at=world.clock.now(),
            timestamp=int(world.clock.timestamp()),
        )
        place = Destination(uuid=_OTHER_ID, url="", events=(webhooks.EVENT,), secret=secret)
        payload = webhooks.compose(world.claims.citations(), world, delivery, place)
        return payload.body, dict(payload.headers)


_NO_TIME = "Its answers do not say when a session was made."
_NO_ENVIRONMENT = "It has no sandbox, and no answer names an environment."


_AWS_API = "AWS, API reference of GetFaceLivenessSessionResults, read on 2026-11-23"


class RekognitionSessions(MockSessions):
    """Those of Rekognition, which are a score for a live face."""

    id_name = "SessionId"
    cannot_happen: Mapping[SessionCase, str] = {
        SessionCase.NO_FACE_ITEM: "A session is about a face alone.",
        SessionCase.TRY_AGAIN: "A session serves one attempt.",
        SessionCase.OLDER: _NO_TIME,
        **dict.fromkeys(_REAL, _NO_ENVIRONMENT),
    }
    changes: ClassVar[Mapping[SessionCase, Callable[[Body], Any]]] = {
        SessionCase.UNFINISHED: lambda body: body.pop("Confidence"),
        SessionCase.LOW_SCORE: put(Confidence=50.0),
        SessionCase.FOREIGN: put(SessionId=_OTHER_ID),
    }
    words = (
        *_mean(
            ("Status",),
            _AWS_API,
            {
                "CREATED": SessionState.PENDING,
                "IN_PROGRESS": SessionState.PENDING,
                "SUCCEEDED": SessionState.DECIDED,
                "FAILED": SessionState.FAILED,
                "EXPIRED": SessionState.EXPIRED,
            },
            yes="SUCCEEDED",
        ),
        # A start asks for the other one alone, unless it is given options.
        SessionWord(
            ("Challenge", "Type"), "FaceMovementChallenge", LivenessDecision.REVIEW, _AWS_API
        ),
    )

    def kept(self, session_id: str) -> int:
        session = find(self._control.open_world, session_id)
        return int((session.metadata or {})["audit_images"])


_AZURE_API = "Microsoft's Face API 1.2, Get Liveness Session Result, read on 2026-11-23"


def _approve_nobody(body: Body) -> None:
    body |= {"status": "Succeeded"}
    body["results"]["attempts"] = []


def _begin_again(body: Body) -> None:
    attempts = body["results"]["attempts"]
    # At the end, though it is the latest: no document promises an order.
    attempts.append({"attemptId": attempts[0]["attemptId"] + 1, "attemptStatus": "Running"})


class AzureSessions(MockSessions):
    """Those of Azure: of a live face, and of one that is compared with a picture, too."""

    id_name = "sessionId"
    compared_with = (None, ComparedWith.GIVEN)
    cannot_happen: Mapping[SessionCase, str] = {
        SessionCase.OTHER_PICTURE: "A session compares with the picture of its own start.",
        SessionCase.OLDER: _NO_TIME,
        **dict.fromkeys(_REAL, _NO_ENVIRONMENT),
    }
    changes: ClassVar[Mapping[SessionCase, Callable[[Body], Any]]] = {
        SessionCase.NO_FACE_ITEM: _approve_nobody,
        SessionCase.UNFINISHED: _begin_again,
        SessionCase.FOREIGN: put(sessionId=_OTHER_ID),
    }

    words = (
        *_mean(
            ("results", "attempts", 0, "attemptStatus"),
            _AZURE_API,
            {
                "NotStarted": SessionState.PENDING,
                "Running": SessionState.PENDING,
                "Succeeded": SessionState.DECIDED,
                "Failed": SessionState.FAILED,
                "Canceled": SessionState.CANCELED,
            },
            yes="Succeeded",
        ),
        *_mean(
            ("results", "attempts", 0, "result", "livenessDecision"),
            _AZURE_API,
            {
                "realface": LivenessDecision.LIVE,
                "spoofface": LivenessDecision.NOT_LIVE,
                "uncertain": LivenessDecision.INCONCLUSIVE,
            },
            yes="realface",
        ),
    )

    def options(self, declared: type) -> Any:
        return declared(enable_session_image=True)

    def kept(self, session_id: str) -> int:
        return len(find(self._control.open_world, session_id).pictures)
