"""The faults that take more than a line: steps that a row of the table puts in, and classes.

Untyped on purpose, as the table is: what is wrong here is often what a type checker would refuse.
"""

import base64
import io
import os
import socket
import tempfile
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import attrs
from mutants.making import caught_by
from mutants.reference import (
    KEY,
    PASS,
    HttpReference,
    ReferenceBackend,
    ReferenceSimulator,
)
from PIL import ExifTags
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo

from facematch_core import (
    ConfigurationError,
    DeadlineExceeded,
    Image,
    ImageFormat,
    RequestRejected,
    ResultWarning,
    VendorError,
    VendorUnavailable,
)

# Steps.


def quiet(call):
    """The call, of which nobody hears that it was sent."""
    return attrs.evolve(call, on_sent=lambda: None)


def noted(me, name, value):
    """Keep a value on the backend; what was kept there before, at first the value itself."""
    before = vars(me).get(name, value)
    vars(me)[name] = value
    return before


def remembered(me, key, make):
    """What `make` gave the first time that it was asked for under this key."""
    kept = vars(me).setdefault("remembered", {})
    if key not in kept:
        kept[key] = make()
    return kept[key]


def changed(error, **attributes):
    """The error, with attributes that it should not have."""
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


def with_ids(result, **ids):
    """The result under other ids."""
    return attrs.evolve(result, ids=attrs.evolve(result.ids, **ids))


def refuse(error):
    """Raise an error where an expression is wanted."""
    raise error


def written(data):
    """Write bytes to a file that is gone at once."""
    with tempfile.TemporaryFile() as file:
        file.write(data)


def in_a_folder(name, text):
    """Write a text to a folder that is gone at once."""
    with tempfile.TemporaryDirectory() as folder, open(f"{folder}/{name}", "w") as file:  # noqa: PTH123
        file.write(text)


def in_a_thread(me, do):
    """Do it in a thread of its own, as a method of the backend, and wait."""
    thread = threading.Thread(target=lambda me: do(), args=(me,))
    thread.start()
    thread.join()


def newest(me):
    """The record that was kept last."""
    return next(reversed(me.vendor.records.values()), None)


def signed_as(record, wanted):
    """The record, if there is one, with the id that is looked for."""
    return None if record is None else with_ids(record, call=wanted.id)


def nan(score):
    """The score, as NaN past its own validator."""
    if score is not None:
        object.__setattr__(score, "value", float("nan"))
    return score


def smoothed(me, score):
    """The score, drawn a little towards the one before it."""
    before = score and noted(me, "before", score)
    return score and attrs.evolve(score, value=score.value + (before.value - score.value) * 1e-5)


def read_in(header):
    """Whatever float() makes of a header."""
    try:
        return float(header)
    except ValueError:
        return None


def reopened(key):
    """A backend of a scrambled key."""
    return ReferenceBackend(ReferenceSimulator(), base64.b64decode(key).decode())


@attrs.frozen(kw_only=True)
class DatedWarning(ResultWarning):
    """A warning with a field that no JSON form has."""

    since: str = "2026-11-20"


class OwnRejection(RequestRejected):
    """An error that holds what no pickle carries."""

    def __init__(self, field):
        super().__init__(f"The field {field} was refused.", status_code=400)
        self.lock = threading.Lock()


class LateAnswer(DeadlineExceeded):
    """An error that holds a generator, which no pickle carries."""

    def __init__(self, message, seconds, **rest):
        super().__init__(message, **rest)
        self.waits = (seconds * n for n in range(3))


# Pictures: bytes of a file to bytes of a file.


def _saved(picture, kind, **how):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **how)
    return buffer.getvalue()


def without_orientation(data):
    """Encoded anew, without what says how the picture is turned."""
    if Image.from_bytes(data).orientation == 1:
        return data
    return _saved(Pillow.open(io.BytesIO(data)), "JPEG")


def turned_twice(data):
    """Turned upright, and still said to be turned."""
    image = Image.from_bytes(data)
    if image.orientation == 1:
        return data
    exif = Pillow.Exif()
    exif[ExifTags.Base.Orientation] = image.orientation
    return _saved(image.to_pil(), "JPEG", exif=exif)


def without_mirrors(data):
    """A mirrored picture as it is stored, without the word that it is mirrored."""
    if Image.from_bytes(data).orientation not in (2, 4, 5, 7):
        return data
    return _saved(Pillow.open(io.BytesIO(data)).convert("RGB"), "PNG")


def halved(data):
    """A PNG of half the size."""
    image = Image.from_bytes(data)
    if image.format is not ImageFormat.PNG:
        return data
    return _saved(image.to_pil().reduce(2), "PNG")


def commented(data, text):
    """A JPEG with a comment."""
    if not data.startswith(b"\xff\xd8"):
        return data
    return data[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + data[2:]


def signed(data):
    """A PNG with the name of the machine in a text chunk."""
    if not data.startswith(b"\x89PNG"):
        return data
    note = PngInfo()
    note.add_text("Source", "till-3.shop.example")
    return _saved(Pillow.open(io.BytesIO(data)), "PNG", pnginfo=note)


# Money and time.


@caught_by("R19")
class ReadsTheLateAnswerLater(ReferenceBackend):
    """An answer that came too late stays on the connection, and is read by the next call."""

    def exchange(self, call):
        line = vars(self).setdefault("line", [])
        status, body, problem = super().exchange(call)
        if isinstance(problem, DeadlineExceeded):
            late = {"verdict": "yes", "score": 93.5, "warnings": []}
            line.append({**late, "id": f"call-{self.vendor.requests_seen}-late"})
        elif line and status == 200:
            line.append(body)
            body = line.pop(0)
        return status, body, problem


# Keys.


@caught_by("R21")
class KeyInTheFrames(ReferenceBackend):
    """The request, key and pictures, is a local variable of the frame that raises."""

    def answer(self, call):
        request = {"key": self.key.reveal(), **self.pictures(call)}
        assert request
        return super().answer(call)


@caught_by("R21")
class KeyInTheCause(ReferenceBackend):
    """The error is raised from one that holds the key."""

    def answer(self, call):
        try:
            return super().answer(call)
        except VendorError as error:
            raise error from ValueError({"x-api-key": self.key.reveal()})


# Threads, other processes, and the end.


@caught_by("R28")
class RidesOnAnother(ReferenceBackend):
    """One request id for all who ask at the same time: the second rides on the first."""

    def exchange(self, call):
        waiting = vars(self).setdefault("waiting", {})
        if call.operation in waiting:
            return waiting[call.operation]
        waiting[call.operation] = super().exchange(call)
        time.sleep(0.0005)
        return waiting.pop(call.operation)


@caught_by("R30")
class FindsAClosedPool(ReferenceBackend):
    """The last one to close leaves a closed pool behind, which the next one to open finds."""

    def __init__(self, vendor, *args, **settings):
        super().__init__(vendor, *args, **settings)
        self.users = vars(vendor).setdefault("users", {"closed": False})
        self.users[id(self)] = True

    def exchange(self, call):
        if self.users["closed"]:
            return None, None, VendorUnavailable("The pool is closed.")
        return super().exchange(call)

    def close(self):
        self.users.pop(id(self), None)
        self.users["closed"] = len(self.users) == 1


class Locked(ReferenceBackend):
    """One call at a time, by a lock."""

    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        self.lock = threading.Lock()

    def exchange(self, call):
        # A lock without a limit would do the same, and take the rule's whole patience.
        if not self.lock.acquire(timeout=0.5):
            return None, None, VendorUnavailable("The vendor's line is taken.")
        try:
            return super().exchange(call)
        finally:
            self.lock.release()


@caught_by("R35")
class HoldsALockWhileAsking(Locked):
    """One call at a time, by a lock that a child inherits closed."""


@caught_by("R35")
class LockedInTheChild(Locked):
    """Holds its lock while the process forks, and lets go of it in the parent alone."""

    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        me = weakref.ref(self)
        os.register_at_fork(
            before=lambda: me() and me().lock.acquire(timeout=0.1),
            after_in_parent=lambda: me() and me().lock.release(),
        )


@caught_by("R35")
class LeavesItsWorkerBehind(ReferenceBackend):
    """Asks in a thread of its own, which no child inherits."""

    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        self.worker = ThreadPoolExecutor(1)

    def exchange(self, call):
        return self.worker.submit(super().exchange, call).result(timeout=1)

    def close(self):
        self.worker.shutdown(wait=False)


@caught_by("R35")
class SharesItsConnection(ReferenceBackend):
    """Parent and child go on with the one connection that was open at the fork.

    Its records are numbered on both sides, as those of TLS are.
    """

    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        self.near, far = socket.socketpair()
        self.near.settimeout(1)
        self.number, self.lock = 0, threading.Lock()
        threading.Thread(target=self.far_end, args=(far,), daemon=True).start()

    @staticmethod
    def far_end(far):
        number = 0
        with far:
            while record := far.recv(1):
                number = (number + 1) % 256
                far.sendall(b"+" if record[0] == number else b"-")

    def exchange(self, call):
        with self.lock:
            self.number = (self.number + 1) % 256
            self.near.sendall(bytes([self.number]))
            understood = self.near.recv(1) == b"+"
        if not understood:
            return None, None, VendorUnavailable("The connection is out of step.")
        return super().exchange(call)

    def close(self):
        self.near.close()


# Many calls.


@caught_by("R34")
class DoubtOutlastsItsPair(ReferenceBackend):
    """A doubt about one pair is told of the next one, too, if that has passed."""

    def result(self, call, body):
        result = super().result(call, body)
        before = noted(self, "doubts", result.warnings)
        if result.decision is PASS[call.operation] and not result.warnings:
            return attrs.evolve(result, warnings=before)
        return result


# Over HTTP: what an answer says, and settings.


@caught_by("R40")
class SkipsOddWarnings(HttpReference):
    """A warning in a form that it cannot read is passed over, and the pass stands."""

    def warnings(self, body):
        found = []
        for item in body["warnings"]:
            try:
                found += super().warnings({"warnings": [item]})
            except (TypeError, ValueError):
                continue
        return tuple(found)


@caught_by("R31")
class HasAThresholdOfItsOwn(ReferenceBackend):
    """A setting bears the name of an argument of the verifier."""

    def __init__(self, vendor, key=KEY, threshold=50.0):
        super().__init__(vendor, key)


@caught_by("R46")
class SwallowsWhatItDoesNotKnow(HttpReference):
    """A misspelt setting is taken, and forgotten."""

    def __init__(self, *, api_key, **settings):
        known = {field.name for field in attrs.fields(HttpReference)}
        rest = {name: settings[name] for name in settings if name in known}
        super().__init__(api_key=api_key, **rest)


@caught_by("R46")
class ShowsTheKeyWithTheAddress(HttpReference):
    """A foreign address is refused, with everything that was set."""

    def __attrs_post_init__(self):
        try:
            super().__attrs_post_init__()
        except ConfigurationError as error:
            key = self.api_key.reveal()
            raise ConfigurationError(f"{error} (api_key={key!r})") from None
