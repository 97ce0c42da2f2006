"""The mutants of the reference backend: each with one fault, and the rule that must catch it.

A row names the rule and the mutant, says in a sentence what is wrong, and gives what is in the
place of methods and attributes of the reference. In a replacement `me` is the backend and `ok` is
what the reference does. `http` rows are of the reference over HTTP: what is wrong with the reading
of bytes, or with a setting, can only be shown there. `faults` has what takes more than a line.
"""

import base64
import functools
import io
import json
import os
import sys
import threading
import time
from types import SimpleNamespace
from typing import ClassVar

import attrs
from mutants import engine, faults, reference, sessions
from mutants.faults import (
    alter,
    as_dict,
    nobody,
    quiet,
    refuse,
    remember,
    rescued,
    swap,
    tried,
    write,
)
from mutants.making import http, of_class, row, vendor
from mutants.reference import (
    LIMITS,
    PASS,
    PLACES,
    CheckSimulator,
    HttpReference,
    HttpReferenceSimulator,
    JobSimulator,
    ReferenceSimulator,
    can,
    looked_up,
)
from PIL import Image as Pillow

import facematch_core as fm
from facematch_core import models
from facematch_core.backend import NO_FACE, Backend, ImageLimits
from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.http import InconclusiveRow
from facematch_core.testing import Refusal, SimulatorReply, Situation, noise

evolve = attrs.evolve
MATCH, LIVENESS = fm.Operation.MATCH, fm.Operation.LIVENESS
#: Of each kind of call the other one.
OTHER = {MATCH: SimpleNamespace(operation=LIVENESS), LIVENESS: SimpleNamespace(operation=MATCH)}
FREE = fm.Billing(fm.Charged.NO)
INCONCLUSIVE = {operation: type(decision).INCONCLUSIVE for operation, decision in PASS.items()}
FAIL = {MATCH: fm.Decision.NO_MATCH, LIVENESS: fm.LivenessDecision.NOT_LIVE}
REVIEW = {operation: type(decision).REVIEW for operation, decision in PASS.items()}
#: Its vendor decides by a rule of its own.
UNRULED = {
    "capabilities": can(
        threshold_rule=models.ThresholdRule.VENDOR,
        default_threshold=None,
        default_liveness_threshold=None,
    )
}
#: A mutant of the reference whose vendor requires a login.
login = functools.partial(row, base=reference.LoginReference, simulator=reference.LoginSimulator)
#: A mutant of the reference whose vendor answers later.
job = functools.partial(row, base=reference.JobReference, simulator=JobSimulator)


#: Its vendor looks into nothing but a comparison.
COMPARES = {
    "capabilities": can(operations=frozenset({MATCH}), billed_operations=frozenset({MATCH})),
    "check_liveness": Backend.check_liveness,
}
#: A mutant whose vendor is asked to forget, and can be looked into.
check = functools.partial(row, base=reference.CheckReference, simulator=reference.CheckSimulator)
ONE_PICTURE = noise(7, (120, 80))


class TellsOfPhotos(ReferenceSimulator):
    """The vendor, who only compares, and says beside that if the probe is a photograph."""

    situations = ReferenceSimulator.situations - {Situation.LIVE}

    def answered(self, words, key, situation, score):
        if situation is not Situation.SPOOF:
            return super().answered(words, key, situation, score)
        status, body = super().answered(words, key, Situation.SAME_PERSON, score)
        return status, {**body, "verdict": "photo"}


class LooksAtSizes(ReferenceSimulator):
    """The vendor, who refuses what is larger than it says."""

    looks_at_pictures = True
    limits = None

    def answered(self, words, *how):
        status, body = super().answered(words, *how)
        is_large = len(base64.b64decode(words["probe"])) > LIMITS.max_bytes
        return (400, {"error": "no"}) if is_large else (status, body)


def bytes_of(size):
    limits = evolve(LIMITS, max_bytes=size, max_pixels=None)
    return {"capabilities": can(image_limits=limits), "simulator": LooksAtSizes}


def scoring_one_number(**changes):
    """The vendor, who cannot be told a score to answer with."""
    return vendor(situations=ReferenceSimulator.situations - {Situation.SCORE}, **changes)


class ForgetsTwice(CheckSimulator):
    """The vendor, who says of what is gone already that it is deleted."""

    def answer(self, request, situation, score):
        if request.method == "DELETE":
            super().answer(request, situation, score)
            return SimulatorReply(body=b"", status=204)
        return super().answer(request, situation, score)


class ChargesNobody(ReferenceSimulator):
    """The vendor, who charges nobody."""

    @property
    def charges(self):
        return 0

    @charges.setter
    def charges(self, count):
        pass


def plain_picture(level):
    """A picture of one colour, whose file has no bytes to tell it by."""
    buffer = io.BytesIO()
    Pillow.new("RGB", (96, 96), (level, level, level)).save(buffer, "PNG", compress_level=0)
    return fm.Image.from_bytes(buffer.getvalue())


def forgets_the_variable(me, ok, *about):
    """Replaces `__exit__`: what a mutant has set is not left to the tests after it."""
    del os.environ["REFERENCE_KEY"]


def refuses_other_options(me, ok, call):
    """Replaces `answer`: takes no options but the usual ones."""
    if call.options not in (None, reference.ReferenceOptions()):
        raise fm.Unsupported("It takes no others.", backend=me.name, what="options")
    return ok(call)


def with_the_first_id(me, ok, *about):
    """Replaces `answered`: each call has the id of the first one."""
    status, body = ok(*about)
    return status, {**body, "id": "call-1"} if "id" in body else body


def with_another_word(me, ok, *about):
    """Replaces `answered`: the word that nobody knows is another than the simulator names."""
    status, body = ok(*about)
    if Situation.UNKNOWN_STATUS in about:
        body = {**body, "verdict": "Pending Sunset"}
    return status, body


def with_a_traceback(me, ok, *about):
    """Replaces `answered`: an error of the server shows where it has failed."""
    status, body = ok(*about)
    place = 'Traceback (most recent call last):\n  File "/app/service.py", line 48, in compare'
    return status, {"error": f"No. {place}"} if status == 503 else body


def knows_the_day(me, ok, words, *about):
    """Replaces `answered`: the vendor takes a signature of today, by UTC."""
    is_of_today = words["day"] == time.gmtime().tm_mday
    return ok(words, *about) if is_of_today else (401, {"error": "old"})


def at_the_edge(me, ok, *about):
    """Replaces `answered`: a pass has the best score."""
    status, body = ok(*about)
    return status, {**body, "score": 100.0} if body.get("score") == 93.5 else body


class RefusedReference(HttpReference):
    """Conforms; reads the two refusals that its vendor documents beside the situations."""

    error_codes: ClassVar = {"blank": InconclusiveRow(NO_FACE, fm.Charged.NO, "the vendor's page")}

    def error_code(self, reply):
        return reply.at("error")


RefusesAsDocumented = vendor(
    HttpReferenceSimulator,
    refusals=(
        Refusal(status=413, body={"error": "big"}, error=fm.RequestRejected, charged=FREE.charged),
        Refusal(status=422, body={"error": "blank"}, error=None, charged=FREE.charged),
    ),
)
#: A mutant of the reference whose vendor documents refusals.
refused = functools.partial(row, base=RefusedReference, simulator=RefusesAsDocumented)


# Replacements that several rows are made of.


def asked_for(words):
    """Replaces `request`: some of its words are others, for some calls."""
    return lambda me, ok, call: ok(call) | words(call)


def knows_its_key(me, ok, words, key, *how):
    """Replaces `answered`: the vendor refuses each key but its own."""
    return ok(words, key, *how) if key == reference.KEY else (401, {"error": "no"})


KNOWS_ITS_KEY = vendor(answered=knows_its_key)


def unless(outcome, *problems):
    """Replaces `reconcile`: what a look that fails so is said to mean."""
    return rescued(
        problems,
        lambda me, error, again: fm.Reconciliation(
            outcome=outcome, call=again.args[0], reason="It failed."
        ),
    )


def number(change):
    """Replaces `score`: another number than the vendor's, where there is one."""
    return lambda me, ok, call, score: ok(call, None if score is None else change(score))


def without(gone):
    """Replaces `warnings`: some of them are missing."""
    return lambda me, ok, body: tuple(w for w in ok(body) if not gone(w))


def each_picture(change):
    """Replaces `pictures`: the bytes of each are others."""
    return lambda me, ok, call: {place: change(data) for place, data in ok(call).items()}


def alike(gap=0.0, *, compared):
    """Replaces `result`: the faces of the probe have a likeness each, the last one another."""

    def read(me, ok, call, body):
        result = ok(call, body)
        if result.score is None:
            return result
        scores = [result.score for _ in result.probe_faces]
        scores[1:] = [evolve(score, value=score.value + gap) for score in scores[1:]]
        pairs = zip(result.probe_faces, scores, strict=True)
        faces = [evolve(face, similarity=s, compared=compared) for face, s in pairs]
        return evolve(result, probe_faces=faces)

    return read


def words_that_are_set(me, ok, call):
    return {word: value for word, value in ok(call).items() if value is not None}


def lost(answer):
    """Whether nobody knows what became of a call."""
    return isinstance(answer[2], fm.OutcomeUnknown)


def instead_of_number(change):
    """Replaces `body` over HTTP: something else where the score stands, past what reads JSON."""

    def read(me, ok, reply):
        body = json.loads(reply.body)
        return {**body, "score": change(body["score"])} if "score" in body else body

    return read


def believing(is_dropped):
    """Replaces `result`: of a score that is dropped the verdict stays."""

    def read(me, ok, call, body):
        if not is_dropped(as_dict(body).get("score")):
            return ok(call, body)
        return evolve(ok(call, {**body, "score": None}), decision=PASS[call.operation])

    return read


def missing(**there):
    """Replaces `body` over HTTP: something where a body has nothing."""
    return lambda me, ok, reply: {**there, **ok(reply)} if "warnings" in ok(reply) else ok(reply)


def logging_in(charges, names=("deadline",)):
    """A `sign` that logs in before each request."""

    def sign(me, ok, request, call, **how):
        login = me.post("login", json={}, charges=charges)
        me.client.send(login, backend=me.name, **{name: how[name] for name in names})
        return request

    return sign


#: Held by a mutant while it logs in.
LOGIN_LOCK = threading.Lock()


def in_turn(me, ok, *about):
    with LOGIN_LOCK:
        return ok(*about)


def passed(me, call):
    """A pass that no vendor has given."""
    return me.result(call, faults.A_PASS)


# fmt: off
ROWS = (
    # A good call
    row("R51", "LooksForAnotherName", "Looks for the score under a name that no answer has.",
        score=lambda me, ok, call, score: ok(call, {}["similarity"])),
    http("R51", "ReadsTheFirstBody", "Every answer is read from the body that came first.",
        body=lambda me, ok, reply: remember(me, "body", lambda: ok(reply))),
    http("R51", "MistypedHost", "Its own address is not among the hosts that it allows.",
        allowed_hosts=frozenset({"api.elsewhere.example"})),
    # What a result says
    row("R51", "SignsWithAnotherName", "Results carry the vendor's name instead of the backend's.",
        result=lambda me, ok, call, body: evolve(ok(call, body), backend="Reference Inc.")),
    row("R02", "ClampedScore", "No score may look too good to be true.",
        score=number(lambda score: min(max(score, 1.0), 99.0))),
    row("R02", "ZeroIsNone", "`if score` where `if score is not None` was meant.",
        score=number(lambda score: score or None)),
    row("R51", "UndeclaredLiveness", "Answers liveness calls without declaring them.",
        capabilities=can(operations=frozenset({MATCH}), billed_operations=frozenset({MATCH}))),

    # Verdicts and thresholds
    row("R02", "AtLeastForAbove", ">= where > is declared.",
        decision=lambda me, ok, call, body, score: PASS[call.operation]
            if score and score.value == me.threshold(call) else ok(call, body, score)),
    row("R02", "RoundsTheThreshold",
        "Where the vendor has a rule of its own it is sent one decimal of a threshold.",
        **UNRULED, request=words_that_are_set,
        threshold=lambda me, ok, call: call.threshold and round(call.threshold.value, 1)),

    # What is missing, unknown or impossible
    row("R02", "ZeroForNone", "0 where the vendor gave no score.",
        score=lambda me, ok, call, score: ok(call, score or 0.0),
        decision=lambda me, ok, call, body, score: ok(call, body, score)
            if body["score"] is not None else INCONCLUSIVE[call.operation]),
    row("R02", "VerdictWithoutScore",
        'Believes a "yes" that cannot be held against the caller\'s threshold.',
        unscored=lambda me, ok, call, decision: decision if decision is PASS[call.operation]
            else ok(call, decision)),
    row("R12", "DropsInformation", "Only grave warnings are handed on.",
        warnings=without(lambda w: w.severity is models.Severity.INFORMATION)),
    row("R13", "UnknownStatusByScore", "A verdict that nobody knows is decided by the score.",
        decision=lambda me, ok, call, body, score: ok(call, body, score)
            if score is None or body["verdict"] in ("yes", "no")
            else ok(call, {"verdict": "yes" if score.value > me.threshold(call) else "no"}, score)),
    row("R13", "KnownWarningsOnly", "A warning that nobody knows is left out.",
        warnings=without(lambda w: w.code is fm.WarningCode.OTHER)),
    row("R13", "UnknownWeightIsHarmless", "A weight that nobody knows is treated as information.",
        warnings=lambda me, ok, body: tuple(evolve(w, severity=models.Severity.INFORMATION)
            if w.severity is models.Severity.UNKNOWN else w for w in ok(body))),
    row("R02", "NoScoreIsFree", "A verdict without its score is odd, and said to be free.",
        result=lambda me, ok, call, body: ok(call, body)
            if body["score"] is not None or body["warnings"]
            else refuse(fm.UnexpectedResponse("No score.", billing=FREE))),
    row("R12", "TheLowerOfTwo", "Of two faces in a picture that which is less alike is taken.",
        decision=lambda me, ok, call, body, score: FAIL[call.operation]
            if len(body["faces"].get("probe", ())) > 1 else ok(call, body, score)),
    row("R12", "ComparedWithNobody", "Each face has its likeness, and none is the one compared.",
        result=alike(compared=False)),
    row("R14", "TakesTheMostSimilar", "Of several faces the most similar one decides.",
        by_face=lambda me, ok, call, faces: evolve(ok(call, faces),
            decision=fm.Decision.MATCH, score=faces[1].similarity,
            faces=[evolve(face, compared=face is faces[1]) for face in faces])),
    row("R14", "ScoreOfTheSmaller", "A review, with the score of the smaller face.",
        by_face=lambda me, ok, call, faces: evolve(ok(call, faces), score=faces[1].similarity)),
    row("R14", "ComparesTheSmaller", "A review, with the smaller face as the compared one.",
        by_face=lambda me, ok, call, faces: evolve(ok(call, faces), score=faces[1].similarity,
            faces=[evolve(face, compared=face is faces[1]) for face in faces])),
    row("R14", "ForgetsTheSmaller", "A smaller face that matches leaves it at no match.",
        by_face=lambda me, ok, call, faces: evolve(ok(call, faces),
            decision=fm.Decision.NO_MATCH)),
    row("R14", "HidesTheSmaller", "The warning that a smaller face matches is left out.",
        by_face=lambda me, ok, call, faces: evolve(ok(call, faces), warnings=())),
    row("R02", "PassesWithoutItsScore",
        "Drops a score beyond the scale, and believes the verdict beside it.",
        result=believing(lambda score: isinstance(score, float) and score > 100)),

    # Who pays, and who knows of it
    row("R16", "UndeclaredPrice", "Does not declare that liveness costs money.",
        capabilities=can(billed_operations=frozenset({MATCH}))),
    row("R16", "MismatchesAreFree",
        "Says that a negative answer was not charged, where the vendor charges every answer.",
        result=lambda me, ok, call, body: evolve(ok(call, body), billing=FREE)
            if ok(call, body).decision in (fm.Decision.NO_MATCH, fm.LivenessDecision.NOT_LIVE)
            else ok(call, body)),
    row("R16", "SwappedBilled", "A refused key was paid.",
        refusal=lambda me, ok, status: ok(status) if status != 401 else fm.AuthenticationFailed(
            "Refused.", billing=fm.Billing(fm.Charged.YES), status_code=401)),
    row("R16", "LostIsUnavailable", 'A lost answer is called "unavailable, try again".',
        lost=lambda me, ok: fm.VendorUnavailable("Please try again.")),
    row("R16", "PromisesToFindWhatWasNotKept",
        "A lost answer is reported as one that the records know, though the vendor keeps nothing.",
        lost=lambda me, ok: alter(ok(), reconcilable=True)),
    row("R16", "RepeatsLostChecks",
        "A liveness check that was lost is made again: it changes nothing, but costs the same.",
        exchange=lambda me, ok, call: ok(call)
            if lost(answer := ok(call)) and call.operation is LIVENESS else answer),
    row("R19", "IgnoresTheDeadline", "Waits as long as the vendor likes.",
        exchange=lambda me, ok, call: ok(evolve(call, deadline=NO_DEADLINE))),

    # Keys and faces
    row("R21", "PictureInRaw", "The probe is kept in the raw body, as base64.",
        raw=lambda me, ok, call, body: ok(call, body) | {
            "probe": base64.b64encode(b"data:" + call.probe.data).decode()}),
    row("R21", "Prints", "Prints what it sends, key and all.",
        request=lambda me, ok, call: (sys.stdout.write(me.key.reveal()), ok(call))[1]),

    # What cannot be done
    row("R24", "CountsInKibibytes", "Declares 400 KiB where the vendor takes 400 kB.",
        capabilities=can(image_limits=evolve(LIMITS, max_bytes=400 * 1024))),
    row("R25", "KeepsWhatItShouldNot", "The vendor is always asked to keep the call.",
        request=asked_for(lambda call: {"retention": fm.Retention.KEEP})),
    row("R24", "AsksBeforeItRefuses", "Looks at the limits when the vendor has the picture.",
        capabilities=can(image_limits=ImageLimits()),
        exchange=lambda me, ok, call: (ok(quiet(call)), [getattr(call, place).prepared(LIMITS,
            fit=False) for place in ok.__self__.pictures(call)])[0]),
    row("R25", "FailsWithMetadata", "A call with metadata is an error, though they are declared.",
        exchange=lambda me, ok, call: ok(call) if not call.metadata else (ok(call)[0], None,
            fm.RequestRejected("No field is called so."))),

    # Threads, other processes, the end, and the vendor's records
    row("R28", "WarmsUpEachThread", "The first call of each thread is made, and paid, twice.",
        exchange=lambda me, ok, call: (remember(me, threading.get_ident(),
            lambda: ok(quiet(call))), ok(call))[1]),
    row("R28", "SharedBetweenThreads", "The call is kept on the object while it is made.",
        exchange=lambda me, ok, call: (swap(me, "current", call), time.sleep(0.0005),
            ok(me.current))[2]),
    row("R30", "OneSessionForAll", "Closing one backend closes the session that all share.",
        close=lambda me, ok: swap(me.vendor, "closed", True),
        exchange=lambda me, ok, call: ok(call) if "closed" not in vars(me.vendor)
            else (None, None, fm.VendorUnavailable("The session is closed."))),
    row("R32", "ForgetsWhatItKept", "Of calls, those can be found that were not kept.",
        reconcilable=lambda me, ok, call: not ok(call)),
    row("R32", "FindsNoCallAtAll", "Looks into the records, and asks for no call.",
        reconcilable=lambda me, ok, call: False,
        capabilities=can(retention=frozenset({fm.Retention.MINIMAL}))),
    row("R32", "FindsByTheEndOfTheId", "Compares the end of the id, which people read out.",
        record=lambda me, ok, call: next((kept for call_id, kept in me.vendor.records.items()
            if call_id[-12:] == call.id[-12:]), None)),
    row("R32", "LooksByAPaidCall", "The error of a search says that it may have been charged.",
        record=lambda me, ok, call: kept if (kept := ok(call)) is not None
            else refuse(fm.OutcomeUnknown("No answer."))),
    row("R32", "FindsItFree", "What is found says that the vendor charged nothing.",
        record=lambda me, ok, call: None if (kept := ok(call)) is None
            else evolve(kept, billing=fm.Billing(fm.Charged.NO, "it was only looked up"))),
    row("R25", "KeepsTheFirstReference",
        "The reference is uploaded once, and every later probe is compared with that one.",
        pictures=lambda me, ok, call: ok(call) if call.operation is not MATCH
            else ok(call) | {"reference": remember(me, "", lambda: call.reference.data)}),

    # What an answer of any status, with any body, says
    http("R38", "TakesAPageForAnOutage",
        "A gateway's page of markup is the vendor's own fault, so free and worth another attempt.",
        error=lambda me, ok, reply, call: fm.VendorUnavailable("Down.", status_code=reply.status)
            if reply.status in (500, 503, 504) and reply.body.startswith(b"<")
            else ok(reply, call)),
    http("R38", "BlamesTheKey", "Whatever is answered in one sentence is about the key.",
        error=lambda me, ok, reply, call: fm.AuthenticationFailed("It is the key.", billing=FREE,
            status_code=reply.status) if reply.at("detail") else ok(reply, call)),
    http("R38", "QuotesTheBody", "The error shows what was answered, if it is short.",
        error=lambda me, ok, reply, call: alter(error := ok(reply, call),
            message=error.message + (f" {reply.body!r}" if len(reply.body) < 300 else ""))),
    http("R38", "BelievesAnAnswerOfAnyStatus",
        'Every 2xx with an object in it is a pass: the vendor "accepted" it.',
        parse_non_200=lambda me, ok, call, reply: passed(me, call)
            if 200 <= reply.status < 300 else None),
    http("R38", "AVerdictIsEnough", "A verdict whose score was left out is believed.",
        body=missing(score=None), unscored=lambda me, ok, call, decision: decision),
    http("R38", "FreeIfItIsOdd", "A score that is no number is said to be free.",
        score=lambda me, ok, call, score: ok(call, score) if score is None or type(score) is float
            else refuse(fm.UnexpectedResponse("Odd.", billing=FREE))),
    http("R38", "OddIsNoScore", "A score that is no number is dropped, and the verdict believed.",
        result=believing(lambda score: type(score) not in (float, type(None)))),
    http("R38", "TrueIsOne", "A flag where the score stands is read as 1 or 0.",
        body=instead_of_number(lambda score: float(score) if isinstance(score, bool) else score)),
    http("R38", "NoVerdictIsYes", "A body without a verdict is read as a yes.",
        body=missing(verdict="yes")),
    http("R38", "NoObjectIsNoAnswer",
        "A 200 that is no JSON object was never an answer: not charged, try again.",
        body=lambda me, ok, reply: body if isinstance(body := ok(reply), dict)
            else refuse(fm.VendorUnavailable("The vendor did not answer."))),

    # What reaches the vendor
    row("R25", "ProbeSentTwice", "A call about one picture sends it as the reference, too.",
        pictures=lambda me, ok, call: {"reference": call.probe.data} | ok(call)),
    *(row("R25", f"DropsOrientation{turn}", f"Orientation {turn} of EXIF is dropped.",
        pictures=each_picture(functools.partial(faults.without_orientation, only=turn)))
        for turn in (3, 6)),
    row("R25", "TellsARecordThatIsNot", "The id of the answer is reported as that of a record.",
        session=lambda me, ok, call, body: body["id"]),
    row("R02", "SaysTheVendorSetIt", "Reports the caller's threshold as one that the vendor chose.",
        result=lambda me, ok, call, body: evolve(ok(call, body), threshold=call.threshold
            and evolve(call.threshold, source=models.ThresholdSource.VENDOR))),

    # Settings, and what is said of them
    row("R31", "DiagnoseWritesItDown", "Writes what it has found to a file as well.",
        diagnose=lambda me, ok: (write(b"key: set"), ok())[1]),
    row("R31", "DiagnoseAsks", "Makes a call to see whether the key works.",
        diagnose=lambda me, ok: (me.vendor.ask({"key": me.key.reveal()}, 1.0),
            {**ok(), "key": "tried"})[1]),

    # Money, time and the rest, as plug-ins that passed a contract which asks less had it wrong
    *(http("R16", f"SendsAgainAfterA{status}",
        f"A {status}, too, may mean that the token is old: the call is sent a second time.",
        should_relogin=lambda me, ok, request, reply, again=status: reply.status == again)
        for status in (404, 500)),
    http("R51", "PaysForItsLogin", "A login counts as charged.", sign=logging_in(1)),
    http("R51", "LogsInForever", "A login ignores the deadline of its call.",
        sign=logging_in(0, names=())),
    http("R51", "NamesItsKeyInClear", "The key is sent as plain text, so an echo is not masked.",
        sign=lambda me, ok, request, call, **how: evolve(request,
            headers={"X-Api-Key": me.api_key.reveal()})),
    row("R32", "LookingCosts", "Looks by a call that the vendor charges.",
        record=lambda me, ok, call: (vars(me.vendor).update(charges=me.vendor.charges + 1),
            ok(call))[1]),
    http("R38", "FailsAtNull", "Its code fails at a refusal whose body is null.",
        error=lambda me, ok, reply, call: ok(reply, call) if reply.body != b"null"
            else refuse(KeyError("error"))),
    http("R38", "NotFoundIsNobody", "A 404 is read as a picture without a face, which is free.",
        parse_non_200=lambda me, ok, call, reply: nobody(call) if reply.status == 404 else None),

    # Where faces are
    row("R12", "FacesSwapped", "The faces of the reference are reported as those of the probe.",
        faces=lambda me, ok, body, place: ok(body, PLACES[place == PLACES[0]])),
    row("R12", "FacesNeverGiven", "Declares that it says where faces are, and never does.",
        faces=lambda me, ok, *answer: tuple(evolve(face, box=None) for face in ok(*answer))),
    row("R12", "TwoWereCompared", "Every face of a picture is reported as the compared one.",
        faces=lambda me, ok, *answer: tuple(evolve(face, compared=True) for face in ok(*answer))),
    row("R12", "FacesUndeclared", "Says where faces are, and does not declare it.",
        capabilities=can(reports_faces=False)),


    # What a good plug-in must do, and these do not: they refuse, drop or forget it
    row("R51", "LeavesAPassToAPerson", "Who passes is left to a person.",
        decision=lambda me, ok, call, *answer: REVIEW[call.operation]
            if ok(call, *answer) is PASS[call.operation] else ok(call, *answer)),
    row("R51", "KeepsTheLastPass", "A no is answered by the pass before it.",
        exchange=faults.keeps_the_last_pass),
    row("R51", "SaysItWasASandbox", "Each result is reported as one of a sandbox.",
        result=lambda me, ok, call, body: evolve(ok(call, body),
            environment=fm.Environment.SANDBOX)),
    row("R02", "LeavesANoToAPerson", "Who does not pass is left to a person.",
        decision=lambda me, ok, call, *answer: REVIEW[call.operation]
            if ok(call, *answer) is FAIL[call.operation] else ok(call, *answer)),
    row("R02", "LeavesANoAtAThresholdToAPerson", "A no is left to a person if a caller sets a "
        "threshold.", decision=lambda me, ok, call, *answer: REVIEW[call.operation]
            if call.threshold.source is models.ThresholdSource.CALLER
            and ok(call, *answer) is FAIL[call.operation] else ok(call, *answer)),
    row("R02", "ScoreOfAnotherScale", "A score is reported on a scale that is not declared.",
        score=lambda me, ok, call, score: score if score is None
            else fm.Score(score, "reference/other")),
    row("R02", "MultipliesTheFraction", "A fraction is multiplied in binary, and 29 % is below 29.",
        score=lambda me, ok, call, score: score if score is None else evolve(
            ok(call, score), value=score / 100 * 100, raw=score / 100)),
    row("R02", "RoundsTheScore", "A score has one decimal, where the vendor gives more.",
        score=number(lambda score: round(score, 1))),
    row("R02", "NobodyIsAnotherPerson", "A picture without a face is a no, as the vendor words it.",
        unscored=lambda me, ok, call, decision: decision if decision is FAIL[call.operation]
            else ok(call, decision)),
    row("R02", "NobodyIsNotTold", "The warning that there is no face is left out.",
        warnings=without(lambda w: w.code is fm.WarningCode.NO_FACE)),
    row("R12", "TellsOfOneFace", "Of several faces one is reported.",
        faces=lambda me, ok, *answer: ok(*answer)[:1]),
    row("R13", "ForgetsTheUnknownWord", "A verdict that nobody knows is a review without its word.",
        result=lambda me, ok, call, body: ok(call, body) if body["verdict"] in ("yes", "no")
            else evolve(ok(call, body), vendor_status="review")),
    row("R13", "DropsTheText", "A warning is handed on without its text.",
        warnings=lambda me, ok, body: tuple(evolve(w, text="") for w in ok(body))),
    row("R13", "TakesItForAKnownOne", "A warning that nobody knows is given a known code.",
        warnings=lambda me, ok, body: tuple(evolve(w, code=fm.WarningCode.MULTIPLE_FACES)
            if w.code is fm.WarningCode.OTHER else w for w in ok(body))),
    row("R16", "PassesARefusal", "A call that was refused for its rate is a free pass.",
        exchange=faults.passes_what_was_limited,
        result=lambda me, ok, call, body: evolve(ok(call, body), billing=FREE)
            if body is faults.A_PASS else ok(call, body)),
    row("R16", "SaysNotWhyItIsPaid", "A charge is reported without its ground.",
        result=lambda me, ok, call, body: evolve(ok(call, body),
            billing=fm.Billing(me.charged(call)))),
    row("R16", "KeepingIsFree", "A call that the vendor keeps is reported as free.",
        result=lambda me, ok, call, body: ok(call, body)
            if call.retention is not fm.Retention.KEEP
            else evolve(ok(call, body), billing=FREE)),
    row("R16", "WaitsBackwards", "A limit asks to wait for less than no time.",
        refusal=lambda me, ok, status: ok(status) if status != 429
            else fm.RateLimited("Too many.", status_code=status, retry_after_s=-1.0)),
    row("R25", "KeepsEveryCall", "Every call is in the records, and found there.",
        keep=lambda me, ok, call, result: ok(evolve(call, retention=fm.Retention.KEEP), result),
        reconcilable=lambda me, ok, call: True),
    row("R32", "FindsItUnderAnotherId", "What is found is reported for another call.",
        reconcile=lambda me, ok, call, **how: evolve(ok(call, **how),
            call=evolve(call, id="00000000-0000-4000-8000-000000000000"))),
    row("R32", "GivesTheBareResult", "A look gives the result, in place of what it found out.",
        reconcile=lambda me, ok, call, **how: ok(call, **how).result),
    http("R38", "QuotesALongText", "The error repeats the message of an answer, however long.",
        error=lambda me, ok, reply, call: alter(error := ok(reply, call),
            message=error.message + str(reply.at("message")))
            if len(str(reply.at("message"))) > 500 else ok(reply, call)),
    http("R38", "TriesAgainAfterA2xx", "A success without a result is free, and tried again.",
        error=lambda me, ok, reply, call: fm.VendorUnavailable("Not yet.", billing=FREE,
            status_code=reply.status) if reply.status < 300 else ok(reply, call)),
    http("R38", "BelievesEachWait", "The wait of an answer is taken as it is, also below zero.",
        error=lambda me, ok, reply, call: fm.RateLimited("Wait.", billing=FREE,
            status_code=reply.status,
            retry_after_s=tried(ValueError, float, reply.headers["Retry-After"]))
            if reply.status == 429 else ok(reply, call)),
    job("R16", "BusyPollIsAReview", "A job whose poll was refused once ends in a review.",
        refused=faults.remembers_a_busy_poll,
        decision=lambda me, ok, call, *answer: REVIEW[call.operation]
            if vars(me).pop("busy", False) else ok(call, *answer)),
    job("R16", "BusyPollIsFree", "A job whose poll was refused once is reported as free.",
        refused=faults.remembers_a_busy_poll, charged=lambda me, ok, call: fm.Charged.NO
            if vars(me).pop("busy", False) else ok(call)),
    check("R49", "RemovesAtAGoodEnd", "Removes what it has made only if the call has a result.",
        before=lambda me, ok, applicant: (),
        after=lambda me, ok, applicant: iter([me.removal(applicant)])),

    # What a plug-in declares
    row("R51", "NamedAfterABrand", "Its name has a space and a full stop.", name="Reference Inc."),
    row("R51", "DeclaresNothing", "Declares no operation.",
        capabilities=can(operations=frozenset(), billed_operations=frozenset())),
    row("R51", "BillsWhatItLacks", "Liveness is billed, and not offered.",
        capabilities=can(operations=frozenset({MATCH})), check_liveness=Backend.check_liveness),
    http("R51", "MistypedVariable", "An environment variable is of a setting that it lacks.",
        environment_variables={"api_kee": "REFERENCE_API_KEY"}),
    row("R51", "ListsNoSecret", "The simulator's list of secrets is empty.",
        simulator=vendor(secrets=())),
    row("R51", "OneIdForAll", "Every result has the id of the first one.",
        result=lambda me, ok, call, body: evolve(ok(call, body), ids=remember(me, "ids",
            lambda: ok(call, body).ids))),
    row("R31", "TakesAnySetting", "A misspelt setting is ignored.",
        __init__=lambda me, ok, vendor, key=reference.KEY, **more: ok(vendor, key)),
    row("R31", "ShowsAnUnknownSetting", "The error for an unknown setting has its value.",
        __init__=lambda me, ok, vendor, key=reference.KEY, **more: refuse(TypeError(f"{more}"))
            if more else ok(vendor, key)),
    row("R31", "DiagnoseShowsTheKey", "What it says of itself has the key.",
        diagnose=lambda me, ok: {**ok(), "key": me.key.reveal()}),
    row("R30", "PrefersTheEnvironment", "A key in the environment wins over the one it was given.",
        simulator=KNOWS_ITS_KEY, environment_variables={"key": "REFERENCE_KEY"},
        request=lambda me, ok, call: ok(call) | {
            "key": os.environ.get("REFERENCE_KEY", me.key.reveal())}),
    row("R25", "KeepsItForAWeek", "The face of each call stays at the vendor for a week.",
        request=asked_for(lambda call: {"kept_s": 604800.0})),
    row("R02", "ZeroWithoutAFace", "A picture without a face has a score of 0.",
        result=lambda me, ok, call, body: ok(call, body) if body["faces"]
            else evolve(ok(call, body), score=fm.Score(0.0, me.capabilities.score_scale))),
    row("R02", "NamesAThresholdOfItsOwn", "A default threshold is reported, and none is set.",
        **UNRULED, request=words_that_are_set,
        threshold=lambda me, ok, call: call.threshold and call.threshold.value,
        result=lambda me, ok, call, body: evolve(ok(call, body), threshold=call.threshold
            or fm.Threshold(50.0, models.ThresholdRule.VENDOR, models.ThresholdSource.DEFAULT))),

    # Refusals
    row("R16", "RefusedAtAnUnknownPrice", "It is not known what a refused request costs.",
        refusal=lambda me, ok, status: alter(ok(status), billing=fm.Billing(fm.Charged.UNKNOWN))
            if status == 400 else ok(status)),
    row("R16", "TriesABadFieldAgain", "A refused field is to be tried again.",
        refusal=lambda me, ok, status: alter(ok(status), retryable=status in (400, 429))),
    row("R16", "GivesUpWhenThrottled", "A limit of calls is not to be tried again.",
        refusal=lambda me, ok, status: alter(ok(status), retryable=False)),
    http("R38", "RefusesAtAnUnknownPrice", "It is not known what an unknown refusal costs.",
        error=lambda me, ok, reply, call: alter(ok(reply, call),
            billing=fm.Billing(fm.Charged.UNKNOWN)) if reply.status == 409 else ok(reply, call)),
    http("R38", "PaysForALimit", "A limit was charged, and is to be tried again.",
        error=lambda me, ok, reply, call: alter(ok(reply, call), retryable=True,
            billing=fm.Billing(fm.Charged.YES)) if reply.status == 429 else ok(reply, call)),
    http("R38", "ReadsEachAnswerOnce", "An answer that is read again is refused.",
        result=lambda me, ok, call, body: refuse(fm.UnexpectedResponse("It was read."))
            if body["id"] in remember(me, "ids", set)
            else (ok(call, body), remember(me, "ids", set).add(body["id"]))[0]),
    http("R38", "PercentIsANumber", "The number in front of a percent sign is a score.",
        score=lambda me, ok, call, score: score if score is None else fm.Score(
            float(score.rstrip("%")) if isinstance(score, str) and "%" in score else score,
            ok(call, 1.0).scale)),
    login("R63", "LoginIsASetting", "A login without an answer is an error of the settings.",
        token=rescued(fm.VendorError, lambda me, error, again: refuse(
            fm.ConfigurationError("No token.")))),
    job("R32", "NobodyKnowsOfAnOpenJob", "A job that goes on is one that nobody can know of.",
        reconcile=lambda me, ok, call, **how: found if (found := ok(call, **how)).result is not None
            else evolve(found, outcome=fm.Reconciled.CANNOT_KNOW)),

    # A vendor that requires a login
    login("R63", "WaitsForTheLock", "Whoever needs a token waits for the lock of who logs in.",
        token=in_turn),
    login("R63", "LogsInWithoutALimit", "A login lasts as long as the vendor likes.",
        token=lambda me, ok, call, deadline: ok(call, Deadline.after(25.0))),
    login("R63", "PaysForAFailedLogin", "The outcome of a call without a token is unknown.",
        token=rescued(fm.VendorError, lambda me, error, again: refuse(
            fm.OutcomeUnknown("It may be charged.")))),
    login("R63", "CallsWithoutAToken", "Without a token the picture is sent all the same.",
        token=rescued(fm.VendorError, lambda me, error, again: fm.Secret("no-token"))),
    login("R63", "NeverLogsInAgain", "The error of a login is the answer to every later call.",
        token=lambda me, ok, call, deadline: refuse(vars(me)["failed"]) if "failed" in vars(me)
            else rescued(fm.VendorError, lambda me, error, again: (
                vars(me).update(failed=error), refuse(error)))(me, ok, call, deadline)),

    # A vendor that answers later
    job("R51", "KeepsOnePollForAll", "Asks once alone, and waits for the end in that answer.",
        follow=faults.keeps_the_poll),
    job("R16", "GivesUpAtABusyPoll",
        "A job that was paid for is given up at the first refused poll, for another attempt.",
        refused=lambda me, ok, refusal: refuse(fm.VendorUnavailable("Try again."))),
    job("R16", "LosesItsJob", "The error of a job that was refused at a poll does not name it.",
        vendor_id=lambda me, ok, reply: None),
    job("R32", "CallsItRefused", "A job that goes on is reported as one that was refused.",
        **dict.fromkeys(("match", "check_liveness"), rescued(fm.DeadlineExceeded,
            lambda me, error, again: refuse(alter(fm.RequestRejected("It is not done.",
                billing=error.billing), ids=error.ids, reconcilable=True))))),

    # A look into the records, and the removal of what a call leaves
    check("R32", "NeverThereYet", "Says of every call that it is not in the records yet.",
        reconcile=lambda me, ok, call, **how: looked_up(call, None)),
    check("R32", "AFaultIsTheEnd", "A look that its vendor refuses says that nobody can know.",
        reconcile=unless(fm.Reconciled.CANNOT_KNOW, fm.VendorError)),
    check("R32", "WaitsForWhatIsGone", "What its vendor does not know is not there yet, for ever.",
        reconcile=unless(fm.Reconciled.NOT_YET, fm.RequestRejected)),
    check("R49", "DeletesAsAStep", "The removal is the last request of the call: a refusal of it "
        "takes the place of the answer.",
        before=lambda me, ok, applicant: (), after=lambda me, ok, applicant: iter([
            evolve(me.removal(applicant), is_cleanup=False, expects={204})])),
    check("R49", "RemovesTwice", "Removes at the end of a call twice what it has made.",
        before=lambda me, ok, applicant: iter([me.removal(applicant)] * 2)),

    # Vendors of another kind
    row("R02", "ReadsNoWordOfAPhoto", "Does not read that the probe of a comparison is a photo.",
        simulator=TellsOfPhotos, **COMPARES, decision=lambda me, ok, call, body, score:
            ok(call, {**body, "verdict": body["verdict"].replace("photo", "yes")}, score)),
    row("R24", "SaysMoreThanIsTaken", "Declares twice as many bytes as its vendor takes.",
        **bytes_of(2 * LIMITS.max_bytes)),
    row("R24", "SaysLessThanIsTaken", "Declares half as many bytes as its vendor takes.",
        **bytes_of(LIMITS.max_bytes // 2)),
    row("R24", "SaysNothingOfWhatIsTaken", "Declares no limit of bytes, and its vendor has one.",
        **bytes_of(None)),
    row("R25", "OnePictureForBoth", "The simulator's two pictures are one.",
        simulator=vendor(pictures=lambda me, ok: (ONE_PICTURE, ONE_PICTURE))),
    row("R25", "DropsItsOptionsOfChecks", "Options are declared for both operations, and heard of "
        "in comparisons alone.",
        request=lambda me, ok, call: ok(call) | ({"options": None}
            if call.operation is LIVENESS else {})),
    row("R25", "DropsItsOptionsOfComparisons", "The same, and heard of in checks alone.",
        request=lambda me, ok, call: ok(call) | ({"options": None}
            if call.operation is MATCH else {})),
    row("R25", "TakesItsOptionsNowhere", "Options are declared, and refused in every call.",
        answer=refuses_other_options),
    of_class("R19", "ReadsTheLateAnswerLater", faults.ReadsTheLateAnswerLater),

    # What only one check of a rule notices
    row("R51", "LosesNoAnswer", "The simulator of a vendor that charges cannot lose an answer.",
        simulator=vendor(situations=ReferenceSimulator.situations - {Situation.LOST_ANSWER})),
    http("R51", "OneIdOfItsVendor", "The simulator gives every call one id.",
        simulator=vendor(HttpReferenceSimulator, answered=with_the_first_id)),
    row("R02", "DeclaresAScaleForNothing", "A scale is declared, and no result has a score.",
        **UNRULED, request=words_that_are_set, threshold=lambda me, ok, call: None,
        score=lambda me, ok, call, score: None, unscored=lambda me, ok, call, decision: decision),
    row("R28", "DeclaresAScaleInThreads", "In threads, too, no result has a score.",
        simulator=scoring_one_number(), score=lambda me, ok, call, score: None,
        unscored=lambda me, ok, call, decision: decision),
    row("R02", "PassesAtTheEdge", "The simulator's pass has the best score of all.",
        simulator=scoring_one_number(answered=at_the_edge)),
    http("R13", "SaysAnotherWord", "The simulator sends another word than the one it names.",
        simulator=vendor(HttpReferenceSimulator, answered=with_another_word)),
    row("R16", "AsksTwice", "Each question is asked twice, of a vendor who charges nobody.",
        simulator=ChargesNobody, capabilities=can(billed_operations=frozenset()),
        charged=lambda me, ok, call: fm.Charged.NO,
        exchange=lambda me, ok, call: (ok(quiet(call)), ok(call))[1]),
    row("R16", "OutageAtAnUnknownPrice", "An outage may have been paid, and is no unknown outcome.",
        refusal=lambda me, ok, status: alter(ok(status), billing=fm.Billing(fm.Charged.UNKNOWN))
            if status == 503 else ok(status)),
    row("R16", "TriesALostCallAgain", "A lost answer, maybe paid, is to be tried again.",
        lost=lambda me, ok: alter(ok(), retryable=True)),
    refused("R16", "TakesItForTheKey", "A documented refusal of the picture is about the key.",
        error=lambda me, ok, reply, call: fm.AuthenticationFailed("It is the key.", billing=FREE,
            status_code=413) if reply.status == 413 else ok(reply, call)),
    refused("R16", "HasNoRowForIt", "A documented word for a picture without a face is not read.",
        error_codes={}),
    refused("R16", "RefusedAtAPrice", "A documented refusal, which is free, was paid.",
        error=lambda me, ok, reply, call: fm.RequestRejected("No.", status_code=413,
            billing=fm.Billing(fm.Charged.YES)) if reply.status == 413 else ok(reply, call)),
    row("R32", "FindsItWithoutItsId", "What is found does not name the call.",
        record=lambda me, ok, call: None if (kept := ok(call)) is None
            else evolve(kept, ids=evolve(kept.ids, call=None))),
    check("R49", "RemovesOneTwice", "Of what a call has made, one thing is removed twice.",
        simulator=ForgetsTwice, before=lambda me, ok, applicant: iter([me.removal(applicant)] * 2)),
    check("R49", "RemovesTheFirst", "Each call removes what the first one has made.",
        simulator=ForgetsTwice, before=lambda me, ok, applicant: ok(
            remember(me, "applicant", lambda: applicant))),
    row("R25", "CutsTheReference", "A reference of the caller has at most 36 characters.",
        request=asked_for(lambda call: {"caller_ref": call.caller_ref and call.caller_ref[:36]})),
    row("R25", "WritesMetadataAsTexts", "Numbers in the metadata arrive as texts.",
        request=asked_for(lambda call: {"metadata": {name: str(value)
            for name, value in (call.metadata or {}).items()}})),
    row("R25", "ReceivesTexts", "The simulator shows pictures as base64.",
        simulator=vendor(received=property(lambda me: {
            **ReferenceSimulator.received.fget(me), "probe": me.words["probe"]}))),
    row("R25", "KeepsWhatIsNamed", "Calls with metadata are kept.",
        request=asked_for(lambda call: {"retention": fm.Retention.KEEP} if call.metadata else {})),
    row("R21", "PicturesOfOneColour", "The simulator's pictures have nothing to look for.",
        simulator=vendor(pictures=lambda me, ok: (plain_picture(90), plain_picture(120)))),
    row("R19", "CleansUpWhenItIsLate", "After its deadline a call takes as long again to clean up.",
        late=lambda me, ok, call: (time.sleep(4 * call.deadline.limit_s), ok(call))[1]),
    of_class("R28", "BillsByTheCounter", faults.BillsByTheCounter),
    row("R30", "SetsAVariable", "A call sets an environment variable.",
        simulator=vendor(__exit__=forgets_the_variable),
        request=lambda me, ok, call: (os.environ.update(REFERENCE_KEY="set"), ok(call))[1]),
    of_class("R30", "TheNewestKeyForAll", faults.TheNewestKeyForAll, KNOWS_ITS_KEY),
    http("R38", "RefusesAnOddScore", "A score that is no number is a refused request.",
        score=lambda me, ok, call, score: ok(call, score) if score is None or type(score) is float
            else refuse(fm.RequestRejected("Odd.", billing=FREE))),
    http("R38", "TakesANotFoundForAPass", "A 404 is a pass, where no face is ever missing.",
        simulator=vendor(HttpReferenceSimulator,
            situations=HttpReferenceSimulator.situations - {Situation.NO_FACE}),
        parse_non_200=lambda me, ok, call, reply: evolve(passed(me, call), score=None)
            if reply.status == 404 else None),
    row("R51", "ForgetsTheId", "The id of a call is not read, so nobody can ask about it.",
        simulator=vendor(last_id="call-1"), result=lambda me, ok, call, body: evolve(
            ok(call, body), ids=models.Ids())),
    row("R02", "TakesAnotherRate", "The threshold of another rate is read in the answer.",
        **UNRULED, simulator=vendor(vendor_thresholds={MATCH: 25.0, LIVENESS: 25.0}),
        request=words_that_are_set,
        threshold=lambda me, ok, call: call.threshold and call.threshold.value,
        result=lambda me, ok, call, body: evolve(ok(call, body), threshold=call.threshold
            or fm.Threshold(35.0, models.ThresholdRule.VENDOR, models.ThresholdSource.VENDOR))),
    row("R12", "CutsTheChin", "The box of a face ends a little above the chin.",
        box=lambda me, ok, edges: ok((*edges[:3], edges[3] - 0.05))),
    http("R16", "ShowsTheTraceback", "An error has the whole text of the server, paths and all.",
        simulator=vendor(HttpReferenceSimulator, answered=with_a_traceback),
        error=lambda me, ok, reply, call: alter(error := ok(reply, call),
            message=f"{error.message} {as_dict(reply.json()).get('error')}")
            if reply.status == 503 else ok(reply, call)),
    row("R30", "SignsWithTheLocalDay", "The day in a signature is that of the machine's time zone.",
        simulator=vendor(answered=knows_the_day),
        request=lambda me, ok, call: ok(call) | {"day": time.localtime().tm_mday}),
    of_class("R25", "ReadsItOnItsSide", engine.ReadsItOnItsSide, engine.ColourSimulator),
)
# fmt: on

#: By name.
TABLES = (ROWS, sessions.ROWS)
MUTANTS = {row.name: row for table in TABLES for row in table}
