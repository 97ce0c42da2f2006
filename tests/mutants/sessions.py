"""A vendor of hosted sessions, invented: a link, a webhook, another attempt in the same session.

Its backend conforms. Below are its mutants, as in `table`.
"""

import base64
import functools
import hashlib
import hmac
import json
from datetime import date, datetime, timedelta
from typing import ClassVar
from uuid import uuid4

import attrs
from mutants.faults import rescued
from mutants.making import derived, row
from mutants.reference import KEY, LIMITS, HttpReference, HttpReferenceSimulator

import facematch_core as fm
from facematch_core import testing
from facematch_core.backend import DeleteRequest, ImageLimits
from facematch_core.backend import session_types as hosted
from facematch_core.base.deadline import Deadline
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

SECRET = "reference-webhook-secret-c20ad4d7"
#: By which the vendor looks at people.
FLOW = "flow-41c7"
MATCH, LIVENESS = fm.Operation.MATCH, fm.Operation.LIVENESS
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
        return self.poll(f"{self.service_url}/sessions/{name}")

    def find(self, record):
        return f"of-{record.id}"

    def poll(self, url):
        how = {"headers": {"X-Api-Key": self.api_key}, "charges": 0, "on_refusal": "raise"}
        return HttpRequest(method="GET", url=url, **how)

    def reading(self, body, request):
        return hosted.SessionReading(
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
            created_at=datetime.fromisoformat(body["made_at"]),
            environment=self.world(body),
            facts={"flow": body["flow"]},
            access=hosted.SessionAccess(link=fm.Secret(body["link"])) if body["link"] else None,
            has_begun=bool(body["attempts"]),
            is_asked_back=body["status"] == "again",
            raw={name: body[name] for name in ("session", "status", "attempts")},
        )

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
        decision, number = self.decision_of(item["word"]), item["score"]
        score = None if number is None else fm.Score(number, f"reference/{item['kind']}")
        fields = {"score": score, "backend": self.name}
        if item["kind"] == "match":
            return hosted.SessionCheck(result=fm.MatchResult(decision=decision, **fields))
        word = fm.LivenessDecision.INCONCLUSIVE
        if number is not None:
            passed = number > self.live_from(request.record)
            word = fm.LivenessDecision.LIVE if passed else fm.LivenessDecision.NOT_LIVE
        portrait = fm.Image.from_bytes(base64.b64decode(item["picture"]))
        return hosted.SessionCheck(
            result=fm.LivenessResult(decision=word, **fields),
            portrait=portrait if request.with_portrait else None,
        )

    def decision_of(self, word):
        return DECISIONS.get(word, fm.Decision.REVIEW)

    def live_from(self, record):
        return record.liveness_threshold

    def delete_steps(self, request):
        record, url = request.record, f"{self.service_url}/sessions/{request.record.session_id}"
        shown = yield attrs.evolve(self.poll(url), expects={200, 404})
        self.compare(record, shown.at("id"))
        reply = yield attrs.evolve(self.poll(url), method="DELETE")
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
        signed_at = headers.get("X-Signed-At", "")
        signature = self.sign_body(signed_at.encode() + body)
        if not hmac.compare_digest(signature, headers.get("X-Signature", "")):
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
    documented_capabilities = ("can_delete", "finds_by_record", "takes_language")
    compared_with = (fm.ComparedWith.DOCUMENT, fm.ComparedWith.GIVEN)
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
        self.clock, self.store = testing.ManualClock(), store

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
        self.store, self.keys = {}, {}
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
            session = self.store.pop(name)
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
        return reply if is_told else attrs.evolve(reply, body={**reply.body, **hidden})


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


evolve = attrs.evolve
session = functools.partial(row, base=SessionReference, simulator=SessionVendor)


# Replacements that take more than a line


def started_anew(me, ok, request):
    yield me.post("sessions", json={**dict.fromkeys(START, "-"), "key": "-"})
    return (yield from ok(request))


def tells_the_purpose(me, ok, request):
    steps = ok(request)
    reply = yield evolve(next(steps), params={"why": request.record.purpose})
    try:
        steps.send(reply)
    except StopIteration as end:
        return end.value


def shown(**changes):
    """Replaces `reading`: it shows something else."""
    return lambda me, ok, body, request: evolve(ok(body, request), **changes)


def found_live(check):
    return evolve(check, result=evolve(check.result, score=None))


def waits_for_a_person(me, ok, item, request):
    check = ok(item, request)
    if item["word"] != "waits":
        return check
    return evolve(check, result=evolve(check.result, decision=fm.Decision.REVIEW))


def only_looks(me, ok, request):
    yield me.get(request.record.session_id)
    return hosted.Deletion(state=hosted.DeletionState.DONE)


def done_in_any_case(me, ok, request):
    shown = yield evolve(me.get(request.record.session_id), expects={200, 404})
    if shown.status == 404:
        return hosted.Deletion(state=hosted.DeletionState.DONE)
    return (yield from ok(request))


LimitsReferences = derived(
    SessionVendor,
    "LimitsReferences",
    player=derived(
        Player,
        "LimitedPlayer",
        reference_limits=SessionReference.session_capabilities.reference_limits,
    ),
)


def opens_in_an_outage(me, ok, request):
    """Replaces `read_steps`: an outage is an open session."""
    record = request.record
    reply = yield evolve(me.get(record.session_id or me.find(record)), expects={200, 503})
    if reply.status == 503:
        return hosted.SessionReading(session_id=record.session_id, state=State.PENDING)
    return me.reading(reply.json(), request)


def face_is_gone(deletion):
    return evolve(deletion, face_kept=False)


def takes_its_word(me, ok, body, headers, now):
    """Replaces `receive_session`: what a webhook says of the session is believed at once."""
    told = json.loads(body) if body.startswith(b"{") else {}
    vars(me).setdefault("told", set()).update(told.values())
    return ok(body, headers, now)


class SignsTheTime(Player):
    """Signs the time of a webhook, and not its body."""

    def deliver(self, session_id):
        body, headers = super().deliver(session_id)
        signed_at = headers["X-Signed-At"].encode()
        signature = hmac.new(SECRET.encode(), signed_at, hashlib.sha256).hexdigest()
        return body, headers | {"X-Signature": signature}


def takes_what_it_can_read(me, ok, body, headers, now):
    """Replaces `receive_session`: the body need only be JSON, because just the time is signed."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise fm.WebhookRefused("The delivery is not signed.") from None
    signed_at = headers.get("X-Signed-At", "")
    if me.sign_body(signed_at.encode()) != headers.get("X-Signature", ""):
        raise fm.WebhookRefused("The delivery is not signed.")
    if me.is_old(now.timestamp() - float(signed_at)):
        raise fm.WebhookRefused("The delivery is old.")
    return (me.hint(document),)


class ShowsNoFlow(SessionVendor):
    """The vendor, who does not tell by which way it has looked."""

    def answer(self, request, situation, score):
        reply = super().answer(request, situation, score)
        if "flow" not in reply.body:
            return reply
        shown = {name: value for name, value in reply.body.items() if name != "flow"}
        return attrs.evolve(reply, body=shown)


class ListsSessions(SessionVendor):
    """The vendor, whose list of all sessions has pages of 20, the newest first."""

    def answer(self, request, situation, score):
        if request.path != "/sessions/newest" or situation in STATUSES:
            return super().answer(request, situation, score)
        newest = [*self.store.values()][:-21:-1]
        return SimulatorReply(body={"sessions": newest}, charged=False)


def looks_among_the_newest(me, ok, request):
    """Replaces `read_steps`: a lost session is looked for in the list of all sessions."""
    record = request.record
    if record.session_id is None:
        newest = yield me.get("newest")
        found = [body for body in newest.json()["sessions"] if body["id"] == record.id]
        record = evolve(record, session_id=found[0]["session"] if found else "none")
    return (yield from ok(evolve(request, record=record)))


def forgets_the_link_in_the_end(me, ok, body, request):
    """Replaces `reading`: no link once the time of the session is over."""
    ends_at = datetime.fromisoformat(body["made_at"]) + timedelta(seconds=body["lasts_s"])
    is_over = request.clock.now() > ends_at
    return evolve(ok(body, request), access=None) if is_over else ok(body, request)


class KeepsTheFace(SessionVendor):
    """The vendor, who keeps the face of each session until that is deleted, too."""

    player = derived(Player, "FacePlayer", always_kept=1, kept=lambda me, ok, session_id: 1)


# fmt: off
ROWS = (
    # What a good plug-in must do, and these do not
    session("R52", "ReadDropsTheLink", "A reading does not show the link again.",
        reading=shown(access=None)),
    session("R52", "LooksBeforeItOpens", "A session in which nobody was shows a check.",
        checks=lambda me, ok, body, request: ok(body if body["items"]
            else {**body, "items": PASSED}, request)),
    session("R55", "OneAttemptCounts", "A session that passes at the second attempt is a no.",
        reading=lambda me, ok, body, request: ok(body, request) if body["attempts"] < 2
            else evolve(ok(body, request), approved=False)),
    session("R53", "EachStartIsNew", "A start that is repeated makes another session.",
        key_of=lambda me, ok, record: uuid4().hex),
    session("R53", "RefusesALargeReference", "A reference of half the declared bytes is refused.",
        simulator=derived(LooksAtReferences, "RefusesHalf", most_bytes=LIMITS.max_bytes // 2)),
    session("R55", "LiveFromALittleBelow", "A face is live from just below the threshold.",
        live_from=lambda me, ok, record: ok(record) - 0.005),
    session("R52", "SaysDoneForEachWord", "The vendor's word is reported as one word of ours.",
        reading=shown(vendor_status="done")),
    session("R56", "GoneIsUnavailable", "A session that is gone is said to be unavailable.",
        missing=lambda me, ok, reply, call: fm.VendorUnavailable("None.", status_code=404)),
    session("R57", "WebhookAsks", "A webhook is looked up before its signature is checked.",
        receive_session=lambda me, ok, *delivery: (me.client.send(me.get("session-1"),
            backend=me.name, deadline=Deadline.after(5.0)), ok(*delivery))[1]),
    # R52
    session("R52", "NoAccess", "A start gives no link.",
        started=lambda me, ok, body: evolve(ok(body), access=None)),
    session("R52", "OpenIsLooked", "A session in which nobody was is looked at by a person.",
        state=lambda me, ok, body: State.PROCESSING if body["status"] == "open" else ok(body)),
    session("R52", "ReadIsAStart", "Each reading makes another session.", read_steps=started_anew),
    session("R52", "NeverApproved", "What the vendor approved is not approved.",
        reading=shown(approved=False)),
    session("R52", "AskedBackForEver", "The vendor is said to wait for whoever does not come.",
        reading=shown(is_asked_back=True)),
    *(session("R52", f"Drops{what}", f"The {word} of a start is taken and forgotten.",
        words_of=lambda me, ok, request, word=word: {**ok(request), word: None})
        for what, word in (("WhereToGoBack", "back"), ("TheLanguage", "language"))),
    session("R52", "LinkLastsAWeek", "A link works for a week, whatever the session.",
        words_of=lambda me, ok, request: ok(request) | {"lasts_s": 604800.0}),
    # R53
    session("R53", "AnySuccessIsASession", "An answer in another form is a session all the same.",
        started=lambda me, ok, body: ok({"session": "some", "link": me.service_url, **body})),
    session("R53", "GatewayIsFree", "A start that met a broken gateway is free.",
        error=lambda me, ok, reply, call: fm.VendorUnavailable("Down.", billing=NOT_CHARGED)
            if reply.status == 502 else ok(reply, call)),
    session("R53", "StartsAgain", "A start whose answer is lost is made again.",
        start_session=rescued(fm.OutcomeUnknown, lambda me, error, again: again())),
    session("R53", "FindsNothing", "Looks for a lost session by another name.",
        find=lambda me, ok, record: f"of-{record.subject_ref}"),
    session("R53", "OneKeyAPerson", "The key of a start is whom it is for.",
        key_of=lambda me, ok, record: record.subject_ref,
        reading=lambda me, ok, body, request: evolve(ok(body, request),
            record_id=request.record.id, terms=request.record.terms),
        session_capabilities=evolve(SessionReference.session_capabilities, finds_by_record=False)),
    session("R53", "LooksAmongTheNewest", "A lost session is found only among the newest of all.",
        simulator=ListsSessions, read_steps=looks_among_the_newest),
    session("R52", "SaysThatLinksWorkOnce", "A link is said to work once, and read again.",
        session_capabilities=evolve(SessionReference.session_capabilities, link_works_once=True)),
    session("R52", "ResumesNothing", "An expired session is said to go on, and has no link.",
        session_capabilities=evolve(SessionReference.session_capabilities, resumes_expired=True),
        reading=forgets_the_link_in_the_end),
    # R54
    session("R54", "LinkIsAFact", "The record has the link.",
        started=lambda me, ok, body: evolve(ok(body), vendor={"way": body["link"]})),
    session("R54", "AddressInRaw", "`raw` has the address of the person's film.",
        reading=lambda me, ok, body, request: evolve(ok(body, request),
            raw={"film": [f"{me.service_url}/films/7"]})),
    session("R54", "NamesInRaw", "`raw` is whatever the vendor shows, but link and pictures.",
        reading=lambda me, ok, body, request: evolve(ok(body, request), raw={name: value
            for name, value in body.items() if name not in ("link", "items")})),
    session("R54", "KeepsAFilm", "The vendor is asked to keep a film of each person.",
        words_of=lambda me, ok, request: ok(request) | {"film": 1}),
    # R55
    session("R55", "ApprovedIsEnough", "An approval without an item is a pass.",
        checks=lambda me, ok, body, request: ok(
            {**body, "items": body["items"] or PASSED * (body["status"] == "yes")}, request)),
    session("R55", "AnyDecisionIsAYes", "Whether the vendor approved is not read.",
        reading=shown(approved=None)),
    session("R55", "SucceededIsLive", "A check that ran found a live face, whatever its number.",
        check=lambda me, ok, item, request: found_live(ok({**item, "score": 99.0}, request))
            if item["kind"] == "live" else ok(item, request)),
    session("R55", "WaitsForWhatItDoesNotKnow", "A word that nobody knows is an open session.",
        state=lambda me, ok, body: STATES.get(body["status"], State.PENDING)),
    session("R55", "UnfinishedIsReviewed", "An item that is not finished is for a person.",
        check=waits_for_a_person),
    session("R55", "ItsOwnThreshold", "A live face begins where the backend says.",
        live_from=lambda me, ok, record: 60.0),
    session("R55", "NoDocumentIsRead", "Whose document it is, is not read.",
        holders=lambda me, ok, body: ()),
    session("R55", "NoBirthDateIsRead", "The date of birth on a document is not read.",
        holders=lambda me, ok, body: [evolve(of, date_of_birth=None) for of in ok(body)]),
    session("R55", "NameIsAWarning", "The name on a document is told in a warning.",
        reading=lambda me, ok, body, request: evolve(ok(body, request), warnings=[fm.ResultWarning(
            code=fm.WarningCode.OTHER, severity=fm.models.Severity.INFORMATION,
            text=body["holder"])])),
    session("R54", "TellsThePurpose", "The vendor learns what a session is for.",
        start_steps=tells_the_purpose),
    # R56
    session("R56", "EchoesTheRecord", "What the vendor keeps is not looked at.",
        reading=lambda me, ok, body, request: evolve(ok(body, request),
            record_id=request.record.id, terms=request.record.terms)),
    session("R56", "EchoesTheId", "Whose answer it is, is not looked at.",
        reading=lambda me, ok, body, request: evolve(ok(body, request),
            session_id=request.record.session_id or body["session"])),
    *(session("R56", name, f"Which way of looking the vendor shows is {how}.",
        reading=lambda me, ok, body, request, facts=facts: evolve(
            ok(body, request), facts=facts(request.record)))
        for name, how, facts in (
            ("EchoesTheFacts", "what it should be", lambda record: record.facts),
            ("ShowsNoFacts", "not read", lambda record: {}))),
    session("R56", "DeletesAnyones", "The session of another record is deleted, too.",
        compare=lambda me, ok, record, record_id: None),
    session("R56", "DeletesAnyonesUntilDecided", "The same, of a vendor that tells whose session "
        "it is when it has decided.", simulator=LateCopies,
        compare=lambda me, ok, record, record_id: None),
    # R57
    session("R57", "RefusesAll", "No webhook is taken.", sign_body=lambda me, ok, body: "-"),
    session("R57", "HintsAtTheDelivery", "The hint has the id of something else.",
        hint=lambda me, ok, body: evolve(ok(body), session_id=body["id"])),
    session("R57", "UnsignedIsFine", "A webhook without a signature is taken.",
        receive_session=lambda me, ok, body, headers, now: ok(body,
            {"X-Signed-At": f"{now.timestamp():.0f}", "X-Signature": me.sign_body(
                headers.get("X-Signed-At", f"{now.timestamp():.0f}").encode() + body),
                **headers}, now)),
    session("R57", "TakesAnotherBody", "The body of a webhook may be another than was signed.",
        receive_session=takes_what_it_can_read,
        simulator=derived(SessionVendor, "SignsTheTimeAlone", player=SignsTheTime)),
    session("R57", "OldIsFine", "How long ago a webhook was signed is not asked.",
        is_old=lambda me, ok, age_s: False),
    session("R57", "ReadsFirst", "A webhook is read before it is verified.",
        receive_session=lambda me, ok, body, *more: json.loads(body) and ok(body, *more)),
    # R58
    session("R58", "MissingIsRejected", "A session that is not there is a refused request.",
        session_capabilities=evolve(SessionReference.session_capabilities, result_lasts_s=None,
            finds_by_record=False),
        missing=lambda me, ok, reply, call: fm.RequestRejected("No.", status_code=404)),
    session("R58", "OutageIsMissing", "An outage says that a session is not there.",
        error=lambda me, ok, reply, call: me.missing(reply, call)),
    session("R58", "DeletesNothing", "A deletion is reported as done, and not sent.",
        delete_steps=only_looks),
    session("R58", "MissingIsDone", "The deletion of what is not there is done.",
        delete_steps=done_in_any_case),
    session("R58", "AskedIsDone", "A deletion that the vendor only took note of is done.",
        deleted=lambda me, ok, body: hosted.DeletionState.DONE),
    session("R58", "SaysTwiceTheTime", "Results are said to last twice as long as they do.",
        session_capabilities=evolve(SessionReference.session_capabilities,
            result_lasts_s=2 * 86400.0)),
    session("R58", "CannotDeleteTwice", "The second deletion of a session is a refused request.",
        missing=lambda me, ok, reply, call: fm.RequestRejected("No.", status_code=404)
            if isinstance(call, DeleteRequest) else ok(reply, call)),
    session("R52", "LinkIsAToken", "The link of a start is handed over as a token.",
        started=lambda me, ok, body: evolve(ok(body),
            access=hosted.SessionAccess(token=fm.Secret(body["link"])))),
    session("R53", "DeclaresNoLimit", "A reference of any size is sent to a vendor with a limit.",
        simulator=LimitsReferences, session_capabilities=evolve(
            SessionReference.session_capabilities, reference_limits=ImageLimits())),
    session("R55", "DeclaresAScore", "A score of matches is declared, and never given.",
        check=lambda me, ok, item, request: ok({**item, "score": None}, request)
            if item["kind"] == "match" else ok(item, request)),
    session("R55", "WritesTheStatusLarge", "The vendor's word is reported in capitals.",
        reading=lambda me, ok, body, request: evolve(ok(body, request),
            vendor_status=body["status"].upper())),
    # What only one check of a rule notices
    session("R55", "ReportsWhatWasNotChecked", "A check that was not made has no verdict.",
        checks=lambda me, ok, body, request: ok(body if body["items"] or body["status"] != "yes"
            else {**body, "items": [{"kind": "match", "word": "waits", "score": None}]}, request)),
    session("R52", "ReadShowsAnotherPage", "A reading shows a page that the start did not.",
        reading=lambda me, ok, body, request: evolve(ok(body, request), access=hosted.SessionAccess(
            link=fm.Secret(body["link"]), page={"page": body["session"]}))),
    session("R53", "NoCreditIsAWrongField", "A start without credit is a refused request.",
        error=lambda me, ok, reply, call: fm.RequestRejected("No.", status_code=402,
            billing=NOT_CHARGED) if reply.status == 402 else ok(reply, call)),
    session("R53", "NoCreditIsCharged", "A start without credit was charged.",
        error=lambda me, ok, reply, call: fm.InsufficientCredit("No.", status_code=402,
            billing=fm.Billing(fm.Charged.YES)) if reply.status == 402 else ok(reply, call)),
    session("R56", "EchoesWhatIsNotShown", "A fact that the vendor does not show is what it should "
        "be.", simulator=ShowsNoFlow, session_capabilities=evolve(
            SessionReference.session_capabilities,
            stores=frozenset({hosted.VendorCopy.ID, hosted.VendorCopy.SUBJECT})),
        reading=lambda me, ok, body, request: evolve(ok({**body, "flow": FLOW}, request),
            facts=request.record.facts, terms=None)),
    session("R58", "SaysHalfTheTime", "Results are said to last half as long as they do.",
        session_capabilities=evolve(SessionReference.session_capabilities,
            result_lasts_s=86400.0 / 2)),
    session("R58", "DeletionCosts", "A deletion starts a session first.",
        delete_steps=started_anew),
    session("R58", "LeavesTheFace", "The session is deleted, and the face stays.",
        simulator=KeepsTheFace),
    session("R58", "SaysTheFaceIsGone", "That the face is gone, too, is said and not told.",
        delete_steps=lambda me, ok, request: face_is_gone((yield from ok(request)))),
    session("R58", "OutageIsOpen", "In an outage a session is one that nobody has opened.",
        read_steps=opens_in_an_outage),
    session("R57", "TakesItsWord", "A webhook is believed before its signature is read.",
        receive_session=takes_its_word,
        reading=lambda me, ok, body, request: evolve(ok(body, request), approved=True, checks=tuple(
            me.checks({**body, "items": PASSED}, request))) if body["session"] in vars(me).get(
                "told", ()) else ok(body, request)),
    session("R57", "NamesNoSession", "A signed webhook is taken, and names no session.",
        receive_session=lambda me, ok, *delivery: ok(*delivery)[:0]),
    # What the vendor's documents say beyond its words
    session("R52", "NobodyIsAskedBack", "A session that the vendor handed back expires.",
        reading=shown(is_asked_back=False)),
    session("R52", "SendsElsewhere", "The URL to return to is sent in another field.",
        words_of=lambda me, ok, request: {**ok(request), "back": None, "next": request.return_url}),
    session("R52", "SpeaksElsewhere", "The language is sent in another field.",
        words_of=lambda me, ok, request: {**ok(request), "language": "en",
            "tongue": request.language}),
    session("R53", "TooSoonIsRejected", "A documented refusal of a start is another error.",
        too_soon=lambda me, ok, reply: fm.RequestRejected("No.", status_code=409,
            billing=NOT_CHARGED)),
    session("R53", "TooSoonIsCharged", "A documented refusal of a start was charged.",
        too_soon=lambda me, ok, reply: fm.RateLimited("Wait.", status_code=409, retry_after_s=7.0,
            billing=fm.Billing(fm.Charged.YES))),
    session("R58", "WaitsAMoment", "When to read again after a refusal is not told.",
        too_soon=lambda me, ok, reply: fm.RateLimited("Wait.", status_code=409,
            billing=NOT_CHARGED)),
    session("R56", "DeclaresNoCopies", "The vendor repeats the terms, and nobody looks.",
        session_capabilities=evolve(SessionReference.session_capabilities,
            stores=frozenset({hosted.VendorCopy.ID, hosted.VendorCopy.SUBJECT}))),
    session("R52", "DeclaresNoDeletion", "That the vendor deletes a session is not declared.",
        session_capabilities=evolve(SessionReference.session_capabilities, can_delete=False)),
    session("R57", "ForgetsWhose", "A webhook tells whose session it is, and the hint does not.",
        hint=lambda me, ok, body: evolve(ok(body), record_id=None)),
    session("R57", "HintsAtBills", "A webhook about something else names a session.",
        hints=lambda me, ok, body: ok({"session": "bill", "id": None, **body})),
    session("R57", "OverlooksFilms", "A webhook about a film of a session names none.",
        hints=lambda me, ok, body: () if "film" in body else ok(body)),
    # R59
    session("R59", "NeverAPortrait", "Nobody has a portrait.",
        check=lambda me, ok, item, request: evolve(ok(item, request), portrait=None)),
    session("R58", "NothingToDelete", "What is deleted was not there.",
        deleted=lambda me, ok, body: hosted.DeletionState.NOT_THERE),
    # R62
    session("R56", "NoSandbox", "That an answer is from the sandbox is not read.",
        world=lambda me, ok, body: None if body["world"] == "play" else ok(body)),
)
# fmt: on
