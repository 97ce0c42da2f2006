"""Wrong about what cannot be done."""

from __future__ import annotations

from facematch_core import (
    Retention,
)
from facematch_core.backend import ImageLimits

from ._paragon import ParagonBackend
from ._registry import can, caught_by


@caught_by("R24")
class DeclaresNoLimits(ParagonBackend):
    """Lets the vendor refuse large pictures."""

    capabilities = can(image_limits=ImageLimits())


@caught_by("R25")
class TakesAnyOptions(ParagonBackend):
    """Accepts options of any type, and so those of another vendor."""

    capabilities = can(options=object)


@caught_by("R26")
class DropsRotate(ParagonBackend):
    """`rotate` is declared, accepted and forgotten."""

    def request(self, call):
        return {**super().request(call), "rotate": False}


@caught_by("R26")
class KeepsWhatItShouldNot(ParagonBackend):
    """The vendor is always asked to keep the call."""

    def request(self, call):
        return {**super().request(call), "retention": Retention.KEEP}


@caught_by("R26")
class MetadataBecomesText(ParagonBackend):
    """Sends every value of the metadata as text, and what is nested as Python writes it."""

    def request(self, call):
        request = super().request(call)
        if call.metadata:
            request["metadata"] = {key: str(value) for key, value in call.metadata.items()}
        return request


@caught_by("R26")
class DropsItsOptions(ParagonBackend):
    """Options of its own are declared, accepted and forgotten."""

    def request(self, call):
        return {**super().request(call), "options": None}


@caught_by("R27")
class WholeThresholds(ParagonBackend):
    """The threshold is sent as a whole number."""

    def threshold(self, call):
        return round(super().threshold(call))
