"""Simulated call logs: two systems, people with several calls, impostors, and the truth."""

import datetime as dt
import enum
import uuid

import attrs
import numpy as np
from scipy.special import ndtri

import facematch_core as fm
from facematch_comparison.production import calls
from facematch_core.call_log import LoggedCall, Side

START = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)


@attrs.frozen(kw_only=True)
class Month:
    """The calls of a month as arrays, and the truth about each.

    Attributes:
        genuine: Whether each call is genuine.
        accepts: Whether each of the two systems accepts each call.
        scores: The scores of both.
        persons: Each call's person, as a number.
    """

    genuine: np.ndarray
    accepts: tuple
    scores: tuple
    persons: np.ndarray

    @property
    def wrong(self):
        return tuple(accepted != self.genuine for accepted in self.accepts)

    def call_id(self, number):
        return str(uuid.UUID(int=number))

    @property
    def truth(self):
        """Whether a call is genuine, by its id."""
        return {self.call_id(number): bool(is_so) for number, is_so in enumerate(self.genuine)}

    def rows(self, *, systems=("didit", "deepvue"), step_s=500.0, **facts):
        """The rows of a log, in order; `facts` are attributes of all."""
        rows = []
        for number in range(len(self.genuine)):
            for place, side in enumerate(Side):
                at = START + dt.timedelta(seconds=number * step_s)
                usual = self._facts(number, place, systems[place])
                rows.append(LoggedCall(**{**usual, "side": side, "at": at, **facts}))
        return rows

    def _facts(self, number, place, system):
        return {
            "call_id": self.call_id(number),
            "operation": fm.Operation.MATCH,
            "system": system,
            "person": f"person-{self.persons[number]}",
            "decision": "match" if self.accepts[place][number] else "no_match",
            "score": min(max(50 + 10 * float(self.scores[place][number]), 0), 100),
            "scale": f"{system}/1",
            "threshold": 50.0,
            "model": "m1",
            "charged": fm.Charged.YES,
            "charges": 1,
            "elapsed_s": 0.5 + place,
            "environment": fm.Environment.PRODUCTION,
        }

    def table(self, **facts):
        return table_of(self.rows(**facts))


def table_of(rows):
    """The table of a log with these rows."""
    parts = []
    for start in range(0, len(rows), 100):
        part = {}
        for field in attrs.fields(LoggedCall):
            values = [getattr(row, field.name) for row in rows[start : start + 100]]
            part[field.name] = [
                value.value if isinstance(value, enum.Enum) else value for value in values
            ]
        parts.append(part)
    return calls.table_of(parts)


def simulate_month(
    generator, *, calls=1000, people=700, impostors=0.03, frr=(0.04, 0.03), fmr=(0.005, 0.008)
):
    """A month whose two systems have these true rates, with correlated scores."""
    genuine = generator.random(calls) >= impostors
    common = generator.normal(size=calls)
    accepts = []
    scores = []
    for place in (0, 1):
        similarity = np.sqrt(0.49) * common + np.sqrt(0.51) * generator.normal(size=calls)
        passes = similarity > ndtri(frr[place])
        false_match = similarity > -ndtri(fmr[place])
        accepts.append(np.where(genuine, passes, false_match))
        scores.append(similarity)
    persons = generator.integers(0, people, calls)
    return Month(genuine=genuine, accepts=tuple(accepts), scores=tuple(scores), persons=persons)
