"""Mutants that a contract which asks less lets through: each was met in a plug-in that passed one.

A score multiplied in floating point, a deadline that is one of each wait alone, a bill that the
vendor's books contradict, a first byte that is told too late, a library's answer that is believed.
Rows are written as in `table`; most are of the reference that asks by a vendor's library.
"""

import contextlib
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import warnings
from decimal import Decimal
from typing import ClassVar

import attrs
from mutants.faults import A_PASS, changed, quiet
from mutants.making import http, of_class, row, sdk
from mutants.reference import (
    PLACES,
    STALLS,
    HttpReference,
    HttpReferenceSimulator,
    Library,
    ReferenceBackend,
    ReferenceSimulator,
    SdkReference,
    StepsReference,
    StepsSimulator,
    stranger,
    upload_in,
)

import facematch_core as fm
from facematch_core.backend import Capabilities, Compared, EngineBackend
from facematch_core.http import HttpClient
from facematch_core.testing import EngineSimulator, Situation, noise

evolve = attrs.evolve


class Fractions(ReferenceBackend):
    """The reference, whose vendor tells scores from 0 to 1."""

    def score(self, call, number):
        found = super().score(call, number)
        return found and fm.Score.from_fraction(number, found.scale, raw_name="score")


class FractionsSimulator(ReferenceSimulator):
    """That vendor."""

    def answered(self, *asked):
        status, body = super().answered(*asked)
        if isinstance(body.get("score"), float):
            body["score"] = float(Decimal(repr(body["score"])).scaleb(-2))
        return status, body


class UnsaidSimulator(ReferenceSimulator):
    """The vendor, who does not say what an answer about nobody costs."""

    price_unknown = frozenset({Situation.NO_FACE})


class SdkSteps(SdkReference):
    """The reference of several requests, made by the vendor's library: charges are its own."""

    def ask(self, call):
        # Answers 200, each of which is charged, by the id of the call.
        self.charges[call.call_id] = 0
        words = self.request(call)
        for place, data in self.pictures(call).items():
            status, content = self.asked(call, "upload", data)
            try:
                words[place] = upload_in(json.loads(content))
            except (KeyError, TypeError, ValueError, RecursionError):
                return status, content
        return self.asked(call, str(call.operation), words)

    def asked(self, call, path, words):
        status, content = self.library.ask(path, self.api_key.reveal(), words)
        self.charges[call.call_id] += status == 200
        return status, content

    @property
    def charges(self):
        return vars(self).setdefault("counted", {})

    def parse(self, call, answer):
        charges = self.charges.pop(call.call_id)
        try:
            result = super().parse(call, answer)
        except fm.VendorError as error:
            raise self.after(error, charges) from None
        except (KeyError, TypeError, ValueError):
            billing = self.bill(charges)
            raise fm.UnexpectedResponse("An answer in another form.", billing=billing) from None
        return evolve(result, billing=self.bill(charges))

    def after(self, error, charges):
        """The error of a call that has cost so much before it."""
        if charges and error.billing.charged is fm.Charged.NO:
            return changed(error, billing=self.bill(charges), retryable=False)
        return error

    def bill(self, charges):
        return fm.Billing(fm.Charged.YES, "the vendor charges every request", charges)


def unguarded(me, ok, call):
    """Ask the library past `guarded_call`, with the deadline as its own time-out."""
    call.on_sent()
    library = Library(me.address, timeout=call.deadline_s)
    try:
        answer = library.ask(str(call.operation), me.api_key.reveal(), me.request(call))
    except TimeoutError:
        raise fm.DeadlineExceeded("The vendor did not answer in time.") from None
    try:
        return me.parse(call, answer)
    except TypeError:
        raise fm.UnexpectedResponse("An answer in another form.") from None


class PatientClient(HttpClient):
    """Waits as long as the vendor likes."""

    def send(self, request, *, deadline_s=None, **how):
        return super().send(request, **how)


class HastySimulator(HttpReferenceSimulator):
    """Ends what has no end after a second: a test waits no longer for a mutant that would."""

    def set_situation(self, situation, **how):
        super().set_situation(situation, **how)
        if situation in STALLS:
            ends = threading.Timer(1.0, super().set_situation, (Situation.SAME_PERSON,))
            ends.daemon = True
            ends.start()


class SlowEngine(EngineBackend):
    """An engine that says that it keeps deadlines, and does not look at them."""

    name = "engine"
    keeps_deadline = True
    capabilities = Capabilities(score_scale="engine/match", default_threshold=50.0)
    slow = False

    def compare(self, call):
        if self.slow:
            time.sleep(0.9)
        return Compared(score=7.0 if call.reference.digest == stranger().digest else 93.5)


class SlowEngineSimulator(EngineSimulator):
    """Its pictures."""

    pictures: ClassVar = {
        Situation.SAME_PERSON: (noise(1, (96, 96)), noise(2, (96, 96))),
        Situation.DIFFERENT_PEOPLE: (noise(1, (96, 96)), stranger()),
    }

    def __init__(self, backend_class):
        self.backend_class = backend_class
        super().__init__()

    def set_situation(self, situation, **how):
        super().set_situation(Situation.SAME_PERSON)
        self.backend_class.slow = situation is Situation.SLOW


class TurningCostsSimulator(ReferenceSimulator):
    """The vendor, who charges twice where it turns a picture."""

    def ask(self, words, timeout_s):
        status, body = super().ask(words, timeout_s)
        with self._lock:
            self.charges += status == 200 and words["rotate"]
        return status, body


def someone_else(shared, key):
    """Take time, as work does, until another thread writes there too; 0.1 s if none does."""
    mine, until = shared[key], time.monotonic() + 0.1
    while shared[key] is mine and time.monotonic() < until:
        time.sleep(0.001)


class CallsHome(SlowEngine):
    """An engine that reports its use to somebody."""

    def compare(self, call):
        with socket.socket(type=socket.SOCK_DGRAM) as line:
            line.sendto(b"used", ("127.0.0.1", 9))
        return super().compare(call)


class FollowsRedirects(SdkReference):
    """Its library goes wherever a redirect leads, with the key."""

    def ask(self, call):
        request = urllib.request.Request(
            f"{self.address}/{call.operation}",
            json.dumps(self.request(call)).encode(),
            {"X-Api-Key": self.api_key.reveal()},
        )
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()


@attrs.define(kw_only=True, eq=False, slots=False)
class NoAddressOfItsOwn(HttpReference):
    """Its own address cannot be used: a property stands where a method is called."""

    base_url: str = ""

    @property
    def vendor_url(self):
        return "https://api.reference.example"


#: What a library keeps for the whole process.
GLOBALS = {}


def by_globals(words):
    """The pictures, by way of what all threads share."""
    GLOBALS.update({place: words[place] for place in PLACES if place in words})
    someone_else(GLOBALS, next(place for place in PLACES if place in words))
    return words | {place: GLOBALS[place] for place in PLACES if place in words}


def nobody(call):
    """A result about nobody."""
    match = call.operation is fm.Operation.MATCH
    kind = fm.MatchResult if match else fm.LivenessResult
    decision = fm.Decision.INCONCLUSIVE if match else fm.LivenessDecision.INCONCLUSIVE
    return kind(decision=decision, backend="reference")


def deaf(do):
    """Do it, and go on if it is refused."""
    with contextlib.suppress(Exception):
        do()


def tried(do):
    """Do it, whatever it raises."""
    with contextlib.suppress(BaseException):
        do()


def private(name):
    """A logger that hands nothing on."""
    logger = logging.getLogger(name)
    logger.propagate = False
    return logger


def as_dict(body):
    """The body, if it is an object."""
    return body if isinstance(body, dict) else {}


# fmt: off
ROWS = (
    row("R03", "TimesAHundred",
        "A fraction of 0.57 is multiplied by 100, which is a little less than 57.",
        base=Fractions, simulator=FractionsSimulator,
        score=lambda me, ok, call, told: told if told is None
            else evolve(ok(call, told), value=told * 100)),
    row("R16", "NobodyIsFree", "Says that an answer about nobody was not charged.",
        result=lambda me, ok, call, body: ok(call, body) if body["score"] is not None
            else evolve(ok(call, body), billing=fm.Billing(fm.Charged.NO))),
    row("R16", "NobodysPriceIsUnknown", "Does not know what an answer about nobody costs.",
        result=lambda me, ok, call, body: ok(call, body) if body["score"] is not None
            else evolve(ok(call, body), billing=fm.Billing(fm.Charged.UNKNOWN))),
    row("R16", "UploadsAreFree", "Its uploads are declared as free, and the vendor charges them.",
        base=StepsReference, simulator=StepsSimulator,
        upload=lambda me, ok, data: evolve(ok(data), charges=0)),
    row("R16", "ThreeRequestsAreOneCharge", "Asks three times by a library, and tells one charge.",
        base=SdkSteps, simulator=StepsSimulator,
        bill=lambda me, ok, charges: ok(1)),
    row("R16", "GuessesThePrice", "Tells a charge where its vendor does not say whether it is one.",
        simulator=UnsaidSimulator),
    row("R17", "UploadsWereFree", "An error after the uploads says that nothing was charged.",
        base=SdkSteps, simulator=StepsSimulator,
        after=lambda me, ok, error, charges: error),
    sdk("R19", "EachWaitHasTheDeadline",
        "Its library is given the deadline as the time-out of each wait: an answer that drips "
        "goes on for ever.",
        simulator=HastySimulator,
        match=unguarded, check_liveness=unguarded),
    http("R19", "ItsOwnClientHasNoDeadline", "A client of its own drops the deadline.",
        simulator=HastySimulator,
        make_client=lambda me, ok: PatientClient()),
    of_class("R19", "EngineTakesItsTime", SlowEngine, SlowEngineSimulator),
    row("R20", "TellsItAfterTheAnswer", "Tells that bytes have left when the answer is there.",
        exchange=lambda me, ok, call: (answer := ok(quiet(call)),
            isinstance(answer[2], fm.VendorUnavailable) or call.on_sent())[0]),
    row("R20", "SendsAllTheSame", "Sends the request although the program is being ended.",
        exchange=lambda me, ok, call: (tried(call.on_sent), ok(quiet(call)))[1]),
    row("R21", "KeyInAPrivateLog",
        "Logs its headers where the root does not hear it: an application may listen there.",
        request=lambda me, ok, call: (private("reference.wire").debug(
            "headers: %s", {"x-api-key": me.key.reveal()}), ok(call))[1]),
    row("R16", "TurningCostsTheSame", "Turning is charged twice, and told as one charge.",
        simulator=TurningCostsSimulator),
    http("R18", "SendsAgainAfterA500",
        "A 500, too, may mean that the token is old: the call is sent a second time.",
        should_relogin=lambda me, ok, request, reply: reply.status == 500),
    row("R20", "ABudgetIsNotHeard", "Sends the request although a policy refuses it.",
        exchange=lambda me, ok, call: (deaf(call.on_sent), ok(quiet(call)))[1]),
    row("R21", "WarnsOfTheKey", "Warns that a key is short, and shows which.",
        request=lambda me, ok, call: (warnings.warn(
            f"The key {me.key.reveal()} is short.", stacklevel=2), ok(call))[1]),
    sdk("R28", "ItsLibraryHasGlobals", "Its library keeps the pictures of a call for all threads.",
        request=lambda me, ok, call: by_globals(ok(call))),
    http("R28", "OneIdempotencyKey", "A key against double charges is made but once.",
        post=lambda me, ok, path, **body: (made := ok(path, **body)) and evolve(made,
            headers={**made.headers, "Idempotency-Key": f"{id(me)}"})),
    row("R30", "TimeOutForAll", "Sets the time-out of every socket of the program.",
        request=lambda me, ok, call: (socket.setdefaulttimeout(20.0), ok(call))[1]),
    http("R30", "OneKeyForTheProcess", "The first key is that of every backend.",
        post=lambda me, ok, path, **body: evolve(ok(path, **body),
            headers={"X-Api-Key": GLOBALS.setdefault("key", me.api_key)})),
    http("R30", "KeyInTheEnvironment", "Hands its key to its library by the environment.",
        post=lambda me, ok, path, **body: (os.environ.update(REFERENCE_SESSION=me.api_key.reveal()),
            ok(path, **body))[1]),
    row("R32", "LookingCosts", "Looks by a call that the vendor charges.",
        record=lambda me, ok, wanted: (vars(me.vendor).update(charges=me.vendor.charges + 1),
            ok(wanted))[1]),
    row("R32", "FindsByHalfTheId", "Compares the beginning of the id, as its log shows it.",
        record=lambda me, ok, wanted: next((kept for call, kept in me.vendor.records.items()
            if call[:8] == wanted.id[:8]), None)),
    row("R37", "AsksAProgram", "Another program looks at the picture first.",
        exchange=lambda me, ok, call: (
            subprocess.run([sys.executable, "-S", "-c", ""], check=False), ok(call))[1]),
    of_class("R37", "ReportsItsUse", CallsHome, SlowEngineSimulator),
    of_class("R31", "GoesWhereItIsSent", FollowsRedirects),
    http("R38", "NotFoundIsNobody", "A 404 is read as a picture without a face, which is free.",
        parse_non_200=lambda me, ok, call, reply: nobody(call) if reply.status == 404 else None),
    http("R39", "MissingIsZero", "Where the answer has no score, it is 0.",
        result=lambda me, ok, call, body: ok(call, {"score": 0.0} | as_dict(body))),
    row("R42", "SwappedWhereTurned", "In a call that turns pictures they change places.",
        pictures=lambda me, ok, call: dict(zip(ok(call),
            [*ok(call).values()][::-1 if call.rotate else 1], strict=True))),
    row("R44", "KeepsWithOptions", "A call with options of its own is kept.",
        request=lambda me, ok, call: ok(call) | ({"retention": fm.Retention.KEEP}
            if call.options else {})),
    of_class("R31", "NoAddressOfItsOwn", NoAddressOfItsOwn),
    row("R47", "ShowsHalfTheKey", "Shows the beginning of the key, so that one knows which it is.",
        diagnose=lambda me, ok: {"key": f"{me.key.reveal()[:14]}..."}),
    sdk("R38", "ItsLibrarysStatusDecides",
        "A gateway's page of markup is read as the vendor's word that nothing was charged.",
        spoken=lambda me, ok, status, body: status),
    sdk("R39", "ItsLibrarySaysTrue", "A library's true where the score stands is read as 1.",
        score=lambda me, ok, call, told: ok(call,
            float(told) if isinstance(told, bool) else told)),
    sdk("R38", "AnyBodyMatches",
        "Whatever comes with a 200 is a match: the library raised nothing.",
        result=lambda me, ok, call, body: ok(call,
            A_PASS | as_dict(body))),
)
# fmt: on
