"""Wrong about what the vendor's records say."""

from __future__ import annotations

import attrs

from ._paragon import ParagonBackend
from ._registry import caught_by


@caught_by("R32")
class TakesTheNewest(ParagonBackend):
    """The newest record of the kind must be the call's: nobody else asks at that moment."""

    def record(self, attempt):
        return next(reversed(self.vendor.records.values()), None)


@caught_by("R32")
class SignsItWithTheIdAskedFor(ParagonBackend):
    """Writes the id that is looked for on whatever is there."""

    def record(self, attempt):
        newest = next(reversed(self.vendor.records.values()), None)
        return newest and attrs.evolve(newest, ids=attrs.evolve(newest.ids, call=attempt.id))


@caught_by("R32")
class AnswersForAnother(ParagonBackend):
    """The right record, told of an attempt that nobody asked about."""

    def reconcile(self, attempt, *, deadline_s=None):
        told = super().reconcile(attempt)
        return attrs.evolve(told, attempt=attrs.evolve(attempt, id="another"))
