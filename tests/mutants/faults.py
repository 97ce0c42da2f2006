"""The faults that take more than a line: steps that a row of the table puts in, and classes.

Untyped on purpose, as the table is: what is wrong here is often what a type checker would refuse.
"""

import base64
import io
import tempfile
import threading
from concurrent.futures import Future

import attrs
from mutants.making import caught_by
from mutants.reference import (
    KEY,
    PASS,
    HttpReference,
    ReferenceBackend,
    ReferenceSimulator,
)
from PIL import Image as Pillow

import facematch_core as fm

#: What a vendor answers of whom it lets in.
A_PASS = {"verdict": "yes", "score": 93.5, "warnings": [], "faces": {}, "id": "-"}

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


def read_in(header):
    """Whatever float() makes of a header."""
    try:
        return float(header)
    except ValueError:
        return None


def reopened(key):
    """A backend of a scrambled key."""
    return ReferenceBackend(ReferenceSimulator(), base64.b64decode(key).decode())


# Pictures: bytes of a file to bytes of a file.


def _saved(picture, kind, **how):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **how)
    return buffer.getvalue()


def without_orientation(data):
    """Encoded anew, without what says how the picture is turned."""
    if fm.Image.from_bytes(data).orientation == 1:
        return data
    return _saved(Pillow.open(io.BytesIO(data)), "JPEG")


def without_mirrors(data):
    """A mirrored picture as it is stored, without the word that it is mirrored."""
    if fm.Image.from_bytes(data).orientation not in (2, 4, 5, 7):
        return data
    return _saved(Pillow.open(io.BytesIO(data)).convert("RGB"), "PNG")


def halved(data):
    """A PNG of half the size."""
    image = fm.Image.from_bytes(data)
    if image.format is not fm.ImageFormat.PNG:
        return data
    return _saved(image.to_pil().reduce(2), "PNG")


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


# Keys.


@caught_by("R21")
class KeyInTheCause(ReferenceBackend):
    """The error is raised from one that holds the key."""

    def answer(self, call):
        try:
            return super().answer(call)
        except fm.VendorError as error:
            raise error from ValueError({"x-api-key": self.key.reveal()})


# Threads, and the end.


@caught_by("R28")
class RidesOnAnother(ReferenceBackend):
    """One request for all who ask at the same time: the second rides on the first."""

    def exchange(self, call):
        waiting, mine = vars(self).setdefault("waiting", {}), Future()
        first = waiting.setdefault(call.operation, mine)
        if first is not mine:
            return first.result(timeout=2)
        try:
            mine.set_result(super().exchange(call))
        finally:
            del waiting[call.operation]
        return mine.result()


# Many calls.


@caught_by("R12")
class DoubtOutlastsItsPair(ReferenceBackend):
    """A doubt about one call is told of the next one, too, if that has passed."""

    def result(self, call, body):
        result = super().result(call, body)
        before = noted(self, "doubts", result.warnings)
        if result.decision is PASS[call.operation] and not result.warnings:
            return attrs.evolve(result, warnings=before)
        return result


# Over HTTP: what an answer says, and settings.


@caught_by("R38")
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


@caught_by("R31")
class SwallowsWhatItDoesNotKnow(HttpReference):
    """A misspelt setting is taken, and forgotten."""

    def __init__(self, *, api_key, **settings):
        known = {field.name for field in attrs.fields(HttpReference)}
        rest = {name: settings[name] for name in settings if name in known}
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
