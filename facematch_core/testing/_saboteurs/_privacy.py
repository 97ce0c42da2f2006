"""Wrong about keys and faces."""

from __future__ import annotations

import base64
import logging
import tempfile
import threading
from pathlib import Path

import attrs

from facematch_core import (
    VendorError,
)

from ._paragon import ParagonBackend
from ._registry import can, caught_by


@caught_by("R21")
class KeyInTheMessage(ParagonBackend):
    """The error quotes the key."""

    def refusal(self, status):
        error = super().refusal(status)
        error.args = (f"The key {self.key.reveal()} was refused.",)
        return error


@caught_by("R21")
class KeyInTheFrames(ParagonBackend):
    """The request, key and pictures, is a local variable of the frame that raises."""

    def answer(self, call):
        request = self.request(call)
        assert request
        return super().answer(call)


@caught_by("R21")
class KeyInTheCause(ParagonBackend):
    """The error is raised from one that holds the key."""

    def answer(self, call):
        try:
            return super().answer(call)
        except VendorError as error:
            raise error from ValueError({"x-api-key": self.key.reveal()})


@caught_by("R21")
class PictureInRaw(ParagonBackend):
    """The probe is kept in the raw body, as base64."""

    def raw(self, call, body):
        probe = base64.b64encode(b"data:" + call.probe.data).decode()
        return {**super().raw(call, body), "probe": probe}


@caught_by("R21")
class KeyInTheLog(ParagonBackend):
    """Logs its headers at DEBUG."""

    def request(self, call):
        request = super().request(call)
        logging.getLogger("paragon").debug("headers: %s", {"x-api-key": request["key"]})
        return request


@caught_by("R22")
class KeepsDemographics(ParagonBackend):
    """Age and gender survive in raw under names of its own."""

    def raw(self, call, body):
        raw = super().raw(call, body)
        if "guesses" in raw:
            raw["estimates"] = [
                {"years": guess["age"], "sex": guess["gender"]} for guess in raw.pop("guesses")
            ]
        return raw


@caught_by("R22")
class DeclaresNoDemographics(ParagonBackend):
    """Does not tell the core which keys of the body are guesses about people."""

    capabilities = can(demographic_keys=frozenset())


@caught_by("R23")
class ShowsItsKey(ParagonBackend):
    """A `repr` that helps with debugging."""

    def __repr__(self):
        return f"ShowsItsKey(key={self.key.reveal()!r})"


@caught_by("R23")
class PicklesItsKey(ParagonBackend):
    """Can be sent to another process, key and all."""

    def __reduce__(self):
        return ParagonBackend, (None, self.key.reveal())


@caught_by("R36")
class DropsGuessesItself(ParagonBackend):
    """Demographics never leave the backend, whoever asks for them."""

    def faces(self, body):
        return tuple(attrs.evolve(face, demographics=None) for face in super().faces(body))


@caught_by("R36")
class LosesTheGender(ParagonBackend):
    """Of the guesses only the age is handed on."""

    def faces(self, body):
        return tuple(
            attrs.evolve(face, demographics=attrs.evolve(face.demographics, gender=None))
            for face in super().faces(body)
        )


@caught_by("R37")
class SpoolsThePicture(ParagonBackend):
    """The upload is read from a temporary file, which is deleted at once."""

    def exchange(self, call):
        with tempfile.TemporaryFile() as file:
            file.write(call.probe.data)
            return super().exchange(call)


@caught_by("R37")
class RemembersOnDisk(ParagonBackend):
    """Keeps answers in a folder, to be asked less often one day."""

    def keep(self, call, result):
        super().keep(call, result)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / call.probe.digest).write_text(result.decision)


@caught_by("R37")
class WritesInAnotherThread(ParagonBackend):
    """A thread of its own writes down every refusal, out of the caller's way."""

    def refusal(self, status):
        thread = threading.Thread(target=self.note, args=(status,))
        thread.start()
        thread.join()
        return super().refusal(status)

    def note(self, status):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(f"refused with {status}")


@caught_by("R37")
class ClosesWithAReport(ParagonBackend):
    """Writes down whom it has met when it is closed."""

    def close(self):
        with tempfile.TemporaryFile("w") as file:
            file.write("visitors: 7")
