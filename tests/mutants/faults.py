"""The faults that take more than a line: steps that a row of the table puts in, and classes."""

import contextlib
import functools
import http.client
import io
import json
import tempfile
import threading
import time
import urllib.parse
from typing import ClassVar

import attrs
from mutants.making import caught_by
from mutants.reference import (
    KEY,
    PLACES,
    STALLS,
    HttpReference,
    HttpReferenceSimulator,
    Library,
    ReferenceBackend,
    ReferenceSimulator,
)
from PIL import Image as Pillow

import facematch_core as fm
from facematch_core.http import Wait, check_base_url
from facematch_core.testing import Situation

#: What a vendor answers of whom it accepts.
A_PASS = {"verdict": "yes", "score": 93.5, "warnings": [], "faces": {}, "id": "-"}

# Steps.


def quiet(call):
    return attrs.evolve(call, on_sent=lambda: None)


def swap(me, name, value):
    before = vars(me).get(name, value)
    vars(me)[name] = value
    return before


def remember(me, key, make):
    kept = vars(me).setdefault("remembered", {})
    if key not in kept:
        kept[key] = make()
    return kept[key]


def alter(error, **attributes):
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


def refuse(error):
    raise error


def rescued(problems, then):
    """Replaces any method: where it fails so, `then` takes over, and may do it again."""

    def method(me, ok, *args, **how):
        try:
            return ok(*args, **how)
        except problems as error:
            return then(me, error, functools.partial(ok, *args, **how))

    return method


def tried(problems, do, *args):
    """What it gives; None if it fails so."""
    with contextlib.suppress(problems):
        return do(*args)


def write(data):
    with tempfile.TemporaryFile() as file:
        file.write(data)


def newest(me):
    return next(reversed(me.vendor.records.values()), None)


def nan(score):
    if score is not None:
        object.__setattr__(score, "value", float("nan"))
    return score


def force(result, **changes):
    for name, value in changes.items():
        object.__setattr__(result, name, value)
    return result


def send_all_the_same(on_sent, send):
    try:
        on_sent()
    except BaseException:
        send()
        raise


def keeps_the_poll(me, ok, reply):
    """Replaces `follow`: one poll is made, of the first job, and read for ever."""
    polls = remember(me, "polls", list)
    while True:
        yield Wait(0.01)
        if not polls:
            polls.append((yield me.poll(f"{me.address}{reply.headers['Location']}")))
        if me.is_done(polls[0].json()):
            return polls[0]


def doubt_once(me, result, is_doubtful):
    in_doubt = swap(me, "in_doubt", False)
    vars(me)["in_doubt"] = is_doubtful(result)
    if in_doubt and not me.in_doubt and result.decision is fm.Decision.MATCH:
        return attrs.evolve(result, decision=fm.Decision.REVIEW)
    return result


# Pictures: bytes of a file to bytes of a file.


def without_orientation(data, only):
    if fm.Image.from_bytes(data).orientation != only:
        return data
    buffer = io.BytesIO()
    Pillow.open(io.BytesIO(data)).save(buffer, "JPEG")
    return buffer.getvalue()


# Money and time.


@caught_by("R19")
class ReadsTheLateAnswerLater(ReferenceBackend):
    """An answer that came too late stays on the connection, and is read by the next call."""

    def exchange(self, call):
        line = vars(self).setdefault("line", [])
        status, body, problem = super().exchange(call)
        if isinstance(problem, fm.DeadlineExceeded):
            line.append({**A_PASS, "id": f"call-{self.vendor.requests_seen}-late"})
        elif line and status == 200:
            line.append(body)
            body = line.pop(0)
        return status, body, problem


# Over HTTP: what an answer says, and settings.


@caught_by("R31")
class HasAThresholdOfItsOwn(ReferenceBackend):
    """A setting bears the name of an argument of the verifier."""

    def __init__(self, vendor, key=KEY, threshold=50.0):
        super().__init__(vendor, key)


@caught_by("R31")
class SwallowsWhatItDoesNotKnow(HttpReference):
    """A misspelt setting is taken, and forgotten."""

    def __init__(self, *, api_key, **settings):
        fields = {field.name for field in attrs.fields(HttpReference)}
        rest = {name: settings[name] for name in settings if name in fields}
        super().__init__(api_key=api_key, **rest)


@caught_by("R31")
class ShowsTheKeyWithTheAddress(HttpReference):
    """A foreign address is refused, with everything that was set."""

    def __attrs_post_init__(self):
        try:
            super().__attrs_post_init__()
        except fm.ConfigurationError as error:
            key = self.api_key.reveal()
            raise fm.ConfigurationError(f"{error} (api_key={key!r})") from None


# What takes a vendor or a library of its own


class UnsaidSimulator(ReferenceSimulator):
    """The vendor, who does not say what an answer about nobody costs."""

    price_unknown = frozenset({Situation.NO_FACE})


def unguarded(me, ok, call):
    call.on_sent()
    library = Library(me.address, timeout=call.deadline.timeout_s())
    try:
        answer = library.ask(str(call.operation), me.api_key.reveal(), me.request(call))
    except TimeoutError:
        raise fm.DeadlineExceeded("The vendor did not answer in time.") from None
    try:
        return me.parse(call, answer)
    except TypeError:
        raise fm.UnexpectedResponse("An answer in another form.") from None


class HastySimulator(HttpReferenceSimulator):
    """Ends what has no end after a second: a test waits no longer for a mutant that would."""

    def set_situation(self, situation, **how):
        super().set_situation(situation, **how)
        if situation in STALLS:
            ends = threading.Timer(1.0, super().set_situation, (Situation.SAME_PERSON,))
            ends.daemon = True
            ends.start()


class TurningCostsSimulator(ReferenceSimulator):
    """The vendor, who charges twice where it turns a picture."""

    def ask(self, words, timeout_s):
        status, body = super().ask(words, timeout_s)
        with self._lock:
            self.charges += status == 200 and words["rotate"]
        return status, body


def someone_else(shared, key):
    mine, until = shared[key], time.monotonic() + 0.1
    while shared[key] is mine and time.monotonic() < until:
        time.sleep(0.001)


def follow(me, ok, call, status):
    """What is answered to a call; to another address, if that is what is answered with `status`."""
    url = urllib.parse.urlsplit(f"{me.address}/{call.operation}")
    with contextlib.closing(http.client.HTTPConnection(url.netloc, timeout=1)) as line:
        body, headers = json.dumps(me.request(call)), {"X-Api-Key": me.api_key.reveal()}
        line.request("POST", url.path, body, headers)
        reply = line.getresponse()
        content, elsewhere = reply.read(), reply.headers["Location"]
    if reply.status == status and elsewhere:
        host = urllib.parse.urlsplit(elsewhere).netloc
        with contextlib.closing(http.client.HTTPConnection(host, timeout=1)) as line:
            line.request("POST", "/", body, headers)
    return reply.status, content


def own_address(me):
    return check_base_url(me.base_url, allowed_hosts=me.allowed_hosts)


def fits(call, limits):
    try:
        for place in PLACES:
            getattr(call, place, call.probe).prepared(limits, fit=False)
    except fm.InvalidImage:
        return False
    return True


@attrs.frozen
class Hidden:
    text: str = attrs.field(repr=False)


@caught_by("R31")
@attrs.define(kw_only=True, eq=False, slots=False)
class NoAddressOfItsOwn(HttpReference):
    """Its own address cannot be used: a property stands where a method is called."""

    base_url: str = ""

    @property
    def vendor_url(self):
        return "https://api.reference.example"


@caught_by("R31")
@attrs.define(kw_only=True, eq=False, slots=False)
class AlwaysInTheNorth(HttpReference):
    """Its vendor has a host for each region, and whatever is set, that of one is asked."""

    allowed_hosts: ClassVar = frozenset({"*.reference.example"})
    base_url: str = ""
    region: str = "south"

    def vendor_url(self):
        return "https://north.reference.example"


#: What a library keeps for the whole process.
GLOBALS = {}


def by_globals(words):
    GLOBALS.update({place: words[place] for place in PLACES if place in words})
    someone_else(GLOBALS, next(place for place in PLACES if place in words))
    return words | {place: GLOBALS[place] for place in PLACES if place in words}


def nobody(call):
    match = call.operation is fm.Operation.MATCH
    kind = fm.MatchResult if match else fm.LivenessResult
    decision = fm.Decision.INCONCLUSIVE if match else fm.LivenessDecision.INCONCLUSIVE
    return kind(decision=decision, backend="reference")


def as_dict(body):
    return body if isinstance(body, dict) else {}
