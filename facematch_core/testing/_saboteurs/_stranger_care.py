"""Pictures, keys and the caller's wishes without care; from the rules' titles alone."""

from __future__ import annotations

import base64
import io
import logging
import tempfile

import attrs

from facematch_core import (
    DeadlineExceeded,
    ImageFormat,
    Operation,
    ResultWarning,
    Retention,
    Severity,
    WarningCode,
)

from ._paragon import LIMITS, ParagonBackend, Vendor
from ._registry import can, caught_by


@caught_by("R21")
class KeyInTheNotes(ParagonBackend):
    """A note on the error tells which headers were sent."""

    def refusal(self, status):
        error = super().refusal(status)
        error.add_note(f"sent with X-Api-Key: {self.key.reveal()}")
        return error


@caught_by("R21")
class ChainHiddenNotCut(ParagonBackend):
    """Raises `from None`, behind which the context still holds the request."""

    def lost(self):
        error = super().lost()
        error.__context__ = ConnectionResetError(f"POST / X-Api-Key: {self.key.reveal()}")
        error.__suppress_context__ = True
        return error


@caught_by("R21")
class HeadersInTheExtra(ParagonBackend):
    """The log line is harmless, and the record carries the request's headers as an extra."""

    def request(self, call):
        headers = {"X-Api-Key": self.key.reveal()}
        logging.getLogger("paragon").debug("asked", extra={"headers": headers})
        return super().request(call)


@caught_by("R21")
class KeyInTheTimeOut(ParagonBackend):
    """Only the error of a deadline that ran out quotes the request."""

    def exchange(self, call):
        status, body, problem = super().exchange(call)
        if isinstance(problem, DeadlineExceeded):
            problem = DeadlineExceeded(f"No answer to the request with key {self.key.reveal()}.")
        return status, body, problem


@caught_by("R22")
class TellsTheAgeInAWarning(ParagonBackend):
    """A guess of the age is told in the text of a warning."""

    def warnings(self, body):
        return super().warnings(body) + tuple(
            ResultWarning(
                code=WarningCode.OTHER,
                severity=Severity.INFORMATION,
                text=f"looks {guess['age']} years old",
            )
            for guess in body.get("guesses", ())
        )


def _opened(cls, key):
    return cls(Vendor(), base64.b64decode(key).decode())


@caught_by("R23")
class PicklesAScrambledKey(ParagonBackend):
    """Can be pickled, with its key in base64."""

    def __reduce__(self):
        return _opened, (type(self), base64.b64encode(self.key.reveal().encode()))


@caught_by("R24")
class CountsInKibibytes(ParagonBackend):
    """Declares 400 KiB where the vendor takes 400 kB."""

    capabilities = can(image_limits=attrs.evolve(LIMITS, max_bytes=400 * 1024))


@caught_by("R24")
class TakesWebpToo(ParagonBackend):
    """Declares a kind of picture that the vendor refuses."""

    _formats = LIMITS.formats | {ImageFormat.WEBP}
    capabilities = can(image_limits=attrs.evolve(LIMITS, formats=_formats))


@caught_by("R26")
class CutsTheReference(ParagonBackend):
    """Sends the first 24 characters of the caller's reference."""

    def request(self, call):
        return super().request(call) | {"caller_ref": call.caller_ref and call.caller_ref[:24]}


@caught_by("R26")
class ChecksDropTheReference(ParagonBackend):
    """Sends the caller's reference of comparisons, and of no liveness check."""

    def request(self, call):
        request = super().request(call)
        if call.operation is Operation.LIVENESS:
            request["caller_ref"] = None
        return request


class _LateAnswer(DeadlineExceeded):
    def __init__(self, message, seconds, **rest):
        super().__init__(message, **rest)
        self.seconds = seconds


@caught_by("R29")
class TimeOutsThatDoNotTravel(ParagonBackend):
    """The error of a deadline needs an argument that its pickle does not bring."""

    def exchange(self, call):
        status, body, problem = super().exchange(call)
        if isinstance(problem, DeadlineExceeded):
            problem = _LateAnswer("Paragon did not answer in time.", call.deadline_s)
        return status, body, problem


@caught_by("R36")
class AgeInWholeYears(ParagonBackend):
    """Hands on a guess of the age without its fraction."""

    def faces(self, body):
        guesses = [{**guess, "age": int(guess["age"])} for guess in body.get("guesses", ())]
        return super().faces({"guesses": guesses})


@caught_by("R37")
class DumpsWhatItCannotRead(ParagonBackend):
    """An answer that cannot be read is written to a file for a moment."""

    def result(self, call, body):
        if "verdict" not in body:
            with tempfile.TemporaryFile() as file:
                file.write(repr(body).encode())
        return super().result(call, body)


@caught_by("R42")
class KnowsOnlyQuarterTurns(ParagonBackend):
    """Turns pictures upright itself, and does not know the mirrored orientations."""

    def pictures(self, call):
        found = super().pictures(call)
        for place in found:
            image = getattr(call, place)
            if image.orientation in (2, 4, 5, 7):
                found[place] = self.as_stored(image)
        return found

    def as_stored(self, image):
        from PIL import Image as Pillow

        buffer = io.BytesIO()
        with Pillow.open(io.BytesIO(image.data)) as picture:
            picture.convert("RGB").save(buffer, "PNG")
        return buffer.getvalue()


@caught_by("R43")
class SignsThePicture(ParagonBackend):
    """Writes the caller's reference into each JPEG as a comment, to find it again."""

    def pictures(self, call):
        text = (call.caller_ref or "nobody").encode()
        comment = b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text
        found = super().pictures(call)
        for place, data in found.items():
            if data.startswith(b"\xff\xd8"):
                found[place] = data[:2] + comment + data[2:]
        return found


@caught_by("R43")
class TellsTheDevice(ParagonBackend):
    """Signs each PNG with the name of the machine, in a text chunk."""

    def pictures(self, call):
        from PIL import Image as Pillow
        from PIL.PngImagePlugin import PngInfo

        found = super().pictures(call)
        note = PngInfo()
        note.add_text("Source", "till-3.shop.example")
        for place, data in found.items():
            if data.startswith(b"\x89PNG"):
                buffer = io.BytesIO()
                with Pillow.open(io.BytesIO(data)) as picture:
                    picture.save(buffer, "PNG", pnginfo=note)
                found[place] = buffer.getvalue()
        return found


@caught_by("R44")
class KeepsWhatHasMetadata(ParagonBackend):
    """Asks for KEEP where there is metadata, which the vendor takes for kept calls alone."""

    def request(self, call):
        kept = Retention.KEEP if call.metadata else call.retention
        return super().request(call) | {"retention": kept}


@caught_by("R44")
class KeepsAfterALoss(ParagonBackend):
    """Once an answer was lost, it asks the vendor to keep every call, to find the next one."""

    def lost(self):
        self.careful = True
        return super().lost()

    def request(self, call):
        kept = Retention.KEEP if getattr(self, "careful", False) else call.retention
        return super().request(call) | {"retention": kept}


@caught_by("R47")
class DiagnoseShowsItsAuthorization(ParagonBackend):
    """Tells the header that it sends, in which the key is base64."""

    def diagnose(self):
        header = base64.b64encode(f"paragon:{self.key.reveal()}".encode()).decode()
        return {**super().diagnose(), "authorization": f"Basic {header}"}
