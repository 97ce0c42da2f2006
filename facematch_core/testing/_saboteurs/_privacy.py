"""Wrong about keys and faces."""

from __future__ import annotations

import base64
import logging

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
