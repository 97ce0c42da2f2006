"""A vendor of hosted sessions, invented: a link, a webhook, another attempt in the same session.

Its backend conforms; `looks` has its mutants.
"""

import base64
import functools
import hashlib
import hmac
import json
from datetime import date, datetime, timedelta
from typing import ClassVar
from urllib.parse import quote
from uuid import uuid4

import attrs
from mutants.making import SIMULATORS, row
from mutants.reference import KEY, LIMITS, HttpReference, HttpReferenceSimulator

import facematch_core as fm
from facematch_core import testing
from facematch_core.backend import ImageLimits, read_or_none
from facematch_core.backend import session_types as hosted
from facematch_core.http import ErrorRow, HttpRequest, vendor_error
from facematch_core.testing import (
    Refusal,
    SessionCase,
    SessionWebhook,
    SessionWord,
    SimulatorReply,
    Situation,
    noise,
)
from facematch_core.testing.contract.calls import replace_value

evolve = attrs.evolve
SECRET = "reference-webhook-secret-c20ad4d7"
#: By which the vendor looks at people.
FLOW = "flow-41c7"
#: The vendor's id of its customer, in each link of `LinksWithTokens`.
REALM = "realm-of-all-sessions-77"
MATCH = fm.Operation.MATCH
LIVENESS = fm.Operation.LIVENESS
State = hosted.SessionState
STATES = {
    "open": State.PENDING,
    "again": State.PENDING,
    "looking": State.PROCESSING,
    "yes": State.DECIDED,
    "no": State.DECIDED,
    "expired": State.EXPIRED,
    "broken": State.FAILED,
}
PICTURES = {
    "given": hosted.ComparedWith.GIVEN,
    "stored": hosted.ComparedWith.STORED,
    "document": hosted.ComparedWith.DOCUMENT,
}
WORLDS = {"live": fm.Environment.PRODUCTION, "play": fm.Environment.SANDBOX}
DECISIONS = {
    "yes": fm.Decision.MATCH,
    "no": fm.Decision.NO_MATCH,
    "waits": fm.Decision.INCONCLUSIVE,
}


@attrs.define(kw_only=True, eq=False, slots=False)
class SessionReference(HttpReference):
    """Conforms; its vendor looks at people, and leaves the verdict on a live face to a number."""

    session_capabilities: ClassVar = hosted.SessionCapabilities(
        checks=frozenset({MATCH, LIVENESS}),
        start_is_repeatable=True,
        stores=frozenset(hosted.VendorCopy),
        result_lasts_s=86400.0,
        needs_liveness_threshold=True,
        compares_with=frozenset({hosted.ComparedWith.GIVEN, hosted.ComparedWith.DOCUMENT}),
        reads_document=True,
        reference_limits=ImageLimits(max_bytes=LIMITS.max_bytes),
        takes_return_url=True,
        takes_language=True,
        **dict.fromkeys(("finds_by_record", "can_delete", "gives_portrait"), True),
    )
    session_facts: ClassVar = {"flow": FLOW}
    own_error: ClassVar = ("error",)
    #: What a mutant reports of each session, whatever the vendor shows.
    misread: ClassVar = {}
    webhook_secret: fm.Secret = attrs.field(default=SECRET, converter=fm.Secret)

    def start_steps(self, request):
        reply = yield self.post("sessions", json=self.words_of(request))
        return self.started(reply.json())

    def words_of(self, request):
        record = request.record
        return {
            "key": self.key_of(record),
            "id": record.id,
            "terms": record.terms,
            "subject": record.subject_ref,
            "picture": request.reference and base64.b64encode(request.reference.data).decode(),
            "back": request.return_url,
            "language": request.language,
            "lasts_s": record.valid_for_s,
        }

    def key_of(self, record):
        return record.id

    def started(self, body):
        access = hosted.SessionAccess(link=fm.Secret(body["link"]))
        return hosted.SessionReading(session_id=body["session"], state=State.PENDING, access=access)

    def read_steps(self, request):
        record = request.record
        reply = yield self.get(record.session_id or self.find(record))
        return self.reading(reply.json(), request)

    def get(self, name):
        return self.poll(f"{self.service_url}/sessions/{quote(name, safe='')}")

    def find(self, record):
        return f"of-{record.id}"

    def poll(self, url):
        how = {"headers": {"X-Api-Key": self.api_key}, "charges": 0, "on_refusal": "raise"}
        return HttpRequest(method="GET", url=url, **how)

    def reading(self, body, request):
        reading = hosted.SessionReading(
            session_id=body["session"],
            state=self.state(body),
            vendor_status=body["status"],
            approved=body["status"] == "yes",
            checks=tuple(self.checks(body, request)),
            compared_with=PICTURES.get(body["picture"], hosted.ComparedWith.UNKNOWN),
            document_holders=self.holders(body),
            record_id=body["id"],
            terms=body["terms"],
            subject_ref=body["subject"],
            created_at=self.read_made_at(body),
            environment=self.world(body),
            facts={"flow": body["flow"]},
            access=hosted.SessionAccess(link=read_or_none(fm.Secret, body.get("link"), "link")),
            has_begun=bool(body.get("attempts")),
            is_asked_back=body["status"] == "again",
            raw={name: body.get(name) for name in ("session", "status", "attempts")},
        )
        return evolve(reading, **self.misread)

    def read_made_at(self, body):
        return read_or_none(datetime.fromisoformat, body.get("made_at"), "made_at")

    def holders(self, body):
        if body["holder"] is None:
            return ()
        born = date.fromisoformat(body["born"])
        return (hosted.DocumentHolder(name=body["holder"], date_of_birth=born),)

    def state(self, body):
        return STATES.get(body["status"], State.UNKNOWN)

    def world(self, body):
        return WORLDS.get(body["world"], body["world"])

    def checks(self, body, request):
        for item in body["items"]:
            yield self.check(item, request)

    def check(self, item, request):
        number = item["score"]
        score = None if number is None else fm.Score(number, f"reference/{item['kind']}")
        fields = {"score": score, "backend": self.name}
        if item["kind"] == "match":
            decision = self.decision_of(item["word"])
            return hosted.SessionCheck(result=fm.MatchResult(decision=decision, **fields))
        word = fm.LivenessDecision.INCONCLUSIVE
        if number is not None:
            passed = number > self.live_from(request.record)
            word = fm.LivenessDecision.LIVE if passed else fm.LivenessDecision.NOT_LIVE
        portrait = None
        if request.with_portrait:
            portrait = fm.Image.from_bytes(base64.b64decode(item["picture"]))
        return hosted.SessionCheck(
            result=fm.LivenessResult(decision=word, **fields), portrait=portrait
        )

    def decision_of(self, word):
        return DECISIONS.get(word, fm.Decision.REVIEW)

    def live_from(self, record):
        return record.liveness_threshold

    def delete_steps(self, request):
        record = request.record
        request = self.get(record.session_id or self.find(record))
        shown = yield evolve(request, expects={200, 404})
        self.compare(record, shown.at("id"))
        reply = yield evolve(request, method="DELETE")
        return hosted.Deletion(state=self.deleted(reply.json()))

    def compare(self, record, record_id):
        if record_id not in (None, record.id):
            raise fm.SessionMismatch("It is another record's.", field="record_id")

    def deleted(self, body):
        return hosted.DeletionState(body["removed"])

    def error(self, reply, request):
        if reply.status == 404:
            return self.missing(reply, request)
        if reply.status == 409:
            return self.too_soon(reply)
        return super().error(reply, request)

    def too_soon(self, reply):
        row = ErrorRow(fm.RateLimited, fm.Charged.NO, "it says so", "wait a little")
        return vendor_error(reply, {}, backend=self.name, now=self.client.clock.now(), row=row)

    def missing(self, reply, call):
        return fm.SessionNotFound("There is no such session.", status_code=404)

    def receive_session(self, body, headers, now):
        signed_at = headers.get("x-signed-at", "")
        signature = self.sign_body(signed_at.encode() + body)
        if not hmac.compare_digest(signature, headers.get("x-signature", "")):
            raise fm.WebhookRefused("The delivery is not signed.")
        if self.is_old(now.timestamp() - float(signed_at)):
            raise fm.WebhookRefused("The delivery is old.")
        return self.hints(json.loads(body))

    def hints(self, body):
        return (self.hint(body),) if "session" in body else ()

    def sign_body(self, body):
        return hmac.new(self.webhook_secret.reveal().encode(), body, hashlib.sha256).hexdigest()

    def is_old(self, age_s):
        return age_s > 300

    def hint(self, body):
        return hosted.SessionHint(record_id=body["id"], session_id=body["session"])


PICTURE = base64.b64encode(noise(7, (96, 96)).data).decode()
PASSED = [
    {"kind": "match", "word": "yes", "score": 91.5},
    {"kind": "live", "word": "yes", "score": 88.25, "picture": PICTURE},
]
#: What is another thing than usual in what the vendor shows, by case.
SHOWN = {
    SessionCase.PASSED: {},
    SessionCase.OTHER_PERSON: {"status": "no", "items": [{**PASSED[0], "word": "no"}, PASSED[1]]},
    SessionCase.SPOOF: {"status": "no", "items": [PASSED[0], {**PASSED[1], "score": 3.5}]},
    SessionCase.NO_FACE_ITEM: {"items": []},
    SessionCase.OTHER_PICTURE: {"picture": "stored"},
    SessionCase.UNFINISHED: {"items": [*PASSED, {"kind": "match", "word": "waits", "score": None}]},
    SessionCase.LOW_SCORE: {"items": [PASSED[0], {**PASSED[1], "score": 50.0}]},
    SessionCase.TRY_AGAIN: {"status": "open", "items": [], "attempts": 1},
    SessionCase.FOREIGN: {"session": "session-of-somebody"},
    SessionCase.OLDER: {"made_at": "2019-12-30T12:00:00+00:00"},
    SessionCase.SANDBOX: {"world": "play"},
    SessionCase.UNKNOWN_ENVIRONMENT: {"world": "staging"},
}


#: The vendor's page.
WORDS = {
    ("status",): STATES,
    ("items", 0, "word"): DECISIONS,
    ("picture",): {**PICTURES, None: fm.ComparedWith.UNKNOWN},
}


NOT_CHARGED = fm.Billing(fm.Charged.NO, "it says so")
#: Refusals that the vendor documents.
TOO_SOON = Refusal(
    status=409,
    headers={"Retry-After": "7"},
    body={"error": "soon"},
    error=fm.RateLimited,
    charged=fm.Charged.NO,
)
NOT_THERE = Refusal(
    status=404, body={"error": "none"}, error=fm.errors.SessionNotFound, charged=fm.Charged.NO
)


class Player(testing.SessionSimulator):
    """Changes what the vendor shows."""

    cases = frozenset(SessionCase)
    hands_over = ("link",)
    hands_over_again = ("link",)
    documented_capabilities = dict.fromkeys(
        ("can_delete", "finds_by_record", "takes_language"), True
    )
    compared_with = (fm.ComparedWith.DOCUMENT, fm.ComparedWith.GIVEN)
    webhook_max_age_s = 300.0
    words = (
        *(
            SessionWord(
                place,
                word,
                means,
                "its invented page",
                is_yes=word in ("yes", "given"),
                is_asked_back=word == "again",
            )
            for place, table in WORDS.items()
            for word, means in table.items()
        ),
        *(
            SessionWord(("removed",), state.value, hosted.Deletion(state=state), "its page")
            for state in (hosted.DeletionState.DONE, hosted.DeletionState.REQUESTED)
        ),
        # What the vendor did not approve stays a no, whatever a check says.
        SessionWord(
            ("items", 0, "word"), "waits", fm.Decision.INCONCLUSIVE, "it", case=SessionCase.SPOOF
        ),
    )
    start_refusals = delete_refusals = (TOO_SOON,)
    read_refusals = (TOO_SOON, NOT_THERE)

    def __init__(self, store):
        self.clock = testing.ManualClock()
        self.store = store

    def play(self, session_id, case):
        if case is SessionCase.VANISHED:
            del self.store[session_id]
            return
        before = self.store[session_id]
        usual = {"status": "yes", "items": PASSED, "attempts": before["attempts"] + 1}
        self.store[session_id] = before | usual | SHOWN[case]

    def show_document(self, session_id, holder):
        shown = {"holder": holder.name, "born": holder.date_of_birth.isoformat()}
        self.store[session_id] = self.store[session_id] | shown

    def say(self, session_id, place, word, case=SessionCase.PASSED):
        self.play(session_id, case)
        self.store[session_id] = replace_value(self.store[session_id], place, word)

    def kept(self, session_id):
        return self.store.get(session_id, {"films": 0})["films"]

    def lasts_s(self, session_id):
        return self.store[session_id]["lasts_s"]

    def received(self, session_id):
        session = self.store[session_id]
        return {"return_urls": (session["back"],), "language": session["language"]}

    def deliver(self, session_id):
        return self.signed({"session": session_id, "id": self.store[session_id]["id"]})

    def webhooks(self, session_id):
        film = {"session": session_id, "id": None, "film": "ready"}
        webhooks = []
        for document, names_session in ((film, True), ({"bill": "july"}, False)):
            body, headers = self.signed(document)
            webhooks.append(SessionWebhook(body=body, headers=headers, names_session=names_session))
        return webhooks

    def signed(self, document):
        body = json.dumps(document).encode()
        signed_at = f"{self.clock.now().timestamp():.0f}"
        content = signed_at.encode() + body
        signature = hmac.new(SECRET.encode(), content, hashlib.sha256).hexdigest()
        return body, {"X-Signed-At": signed_at, "X-Signature": signature}


#: What refuses or breaks every request about a session.
STATUSES = {
    Situation.OUTAGE: 503,
    Situation.UNREADABLE_200: 200,
    Situation.NO_CREDIT: 402,
    Situation.BAD_KEY: 401,
}


#: The words of a start that the vendor keeps.
START = ("id", "terms", "subject", "lasts_s", "back", "language")


class SessionVendor(HttpReferenceSimulator):
    """The vendor: a session by the key of its start, or by the record's id."""

    secrets = (KEY, SECRET)
    player = Player

    def __init__(self, backend_class=SessionReference):
        super().__init__(backend_class)
        #: Sessions by their ids, and ids by the keys of their starts.
        self.store = {}
        self.keys = {}
        self.sessions = self.player(self.store)

    def answer(self, request, situation, score):
        if not request.path.startswith("/sessions"):
            return super().answer(request, situation, score)
        if situation in STATUSES:
            return SimulatorReply(body={"hello": "world"}, status=STATUSES[situation])
        if request.method == "POST":
            return SimulatorReply(body=self.begin(request.json()))
        name = request.path.rpartition("/")[2]
        ids = {f"of-{session['id']}": key for key, session in self.store.items()}
        session = self.store.get(ids.get(name, name))
        if session and self.sessions.clock.now() > datetime.fromisoformat(session["ends_at"]):
            session = None
        if session is None:
            return SimulatorReply(body={"error": "none"}, status=404)
        if request.method == "DELETE":
            session = self.store.pop(ids.get(name, name))
        return SimulatorReply(body=session, charged=False)

    def begin(self, words):
        session_id = self.keys.setdefault(words["key"], f"session-{next(self._numbers)}")
        self.store.setdefault(
            session_id,
            {
                **{name: words[name] for name in START},
                "session": session_id,
                "films": words.get("film", 0),
                "link": f"{self.url}/go/{uuid4().hex}",
                "status": "open",
                "attempts": 0,
                "items": [],
                "picture": "given" if words.get("picture") else "document",
                **dict.fromkeys(("holder", "born")),
                "removed": "done",
                "flow": FLOW,
                "world": "live",
                "made_at": self.sessions.clock.now().isoformat(),
                "ends_at": (self.sessions.clock.now() + timedelta(days=1)).isoformat(),
            },
        )
        return self.store[session_id]


class LateCopies(SessionVendor):
    """The vendor, who tells whose session it is once it has decided."""

    def answer(self, request, situation, score):
        reply = super().answer(request, situation, score)
        is_told = not isinstance(reply.body, dict) or reply.body.get("status") in ("yes", "no")
        hidden = {} if is_told else dict.fromkeys(("id", "terms", "subject"))
        return reply if is_told else evolve(reply, body={**reply.body, **hidden})


class LinksWithTokens(SessionVendor):
    """The vendor, whose link has a token in the path and in the query beside what is no secret."""

    def begin(self, words):
        session = super().begin(words)
        if "?" not in session["link"]:
            values = f"session={session['session']}&realm={REALM}&auth={uuid4().hex}"
            session["link"] = f"{self.url}/go/{uuid4().hex}?{values}"
        return session


class TellsTheRealm(SessionReference):
    """Conforms: neither the id of a session nor that of the account is a secret."""

    def started(self, body):
        raw = {"session": body["session"], "realm": REALM}
        return evolve(super().started(body), raw=raw)


class LooksAtReferences(SessionVendor):
    """The vendor, who refuses a reference that is larger than it says."""

    most_bytes = LIMITS.max_bytes

    def __init__(self, backend_class=SessionReference):
        super().__init__(backend_class)
        self.sessions.looks_at_references = True

    def answer(self, request, situation, score):
        picture = request.json().get("picture") if request.method == "POST" else None
        if picture and len(base64.b64decode(picture)) > self.most_bytes:
            return SimulatorReply(body={"error": "too large"}, status=400)
        return super().answer(request, situation, score)


session = functools.partial(row, base=SessionReference)
SIMULATORS[SessionReference] = SessionVendor


class SignsTheTime(Player):
    """Signs the time of a webhook, and not its body."""

    def deliver(self, session_id):
        body, headers = super().deliver(session_id)
        signed_at = headers["X-Signed-At"].encode()
        signature = hmac.new(SECRET.encode(), signed_at, hashlib.sha256).hexdigest()
        return body, headers | {"X-Signature": signature}


class SignsTheTimeAlone(SessionVendor):
    """The vendor, who signs the time of a webhook, and not its body."""

    player = SignsTheTime


class LimitedPlayer(Player):
    """Says how large a reference may be."""

    documented_capabilities: ClassVar = {
        "reference_limits": SessionReference.session_capabilities.reference_limits
    }


class LimitsReferences(SessionVendor):
    """The vendor, who says how large a reference may be."""

    player = LimitedPlayer


class ShowsNoFlow(SessionVendor):
    """The vendor, who does not tell by which way it has looked."""

    def answer(self, request, situation, score):
        reply = super().answer(request, situation, score)
        if "flow" not in reply.body:
            return reply
        shown = {name: value for name, value in reply.body.items() if name != "flow"}
        return evolve(reply, body=shown)


class ListsSessions(SessionVendor):
    """The vendor, whose list of all sessions has pages of 20, the newest first."""

    def answer(self, request, situation, score):
        if request.path != "/sessions/newest" or situation in STATUSES:
            return super().answer(request, situation, score)
        newest = [*self.store.values()][:-21:-1]
        return SimulatorReply(body={"sessions": newest}, charged=False)


class FacePlayer(Player):
    """Has the face of each session for ever."""

    always_kept = 1

    def kept(self, session_id):
        return 1


class KeepsTheFace(SessionVendor):
    """The vendor, who keeps the face of each session until that is deleted, too."""

    player = FacePlayer
