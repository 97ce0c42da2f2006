"""The report: what differs, which claims are suspected, what it cost. For people and as JSON."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from .judge import Finding, Verdict
from .run import Change, Run, claims_of
from .script import Script

#: Version of the JSON form; 0 until facematch 1.0: it may change with a minor release.
SCHEMA = 0
#: How many suspects and places of one finding people are shown; the JSON form has all.
_SUSPECTS, _PLACES = 5, 3
#: Where another edition is said to fit better, it has so many times fewer differences.
_BETTER = 2


@attrs.frozen(kw_only=True)
class Report:
    """What came out.

    Attributes:
        script: What was asked.
        edition, environment: Of whose documents, and who answered.
        day: When.
        run: What was asked, and what it cost.
        verdict: What differs.
    """

    script: Script = attrs.field(repr=False)
    edition: str
    environment: str
    day: dt.date
    run: Run = attrs.field(repr=False)
    verdict: Verdict

    @property
    def is_drift(self) -> bool:
        """Whether anything differs."""
        return bool(self.verdict.findings)

    @property
    def requests(self) -> int:
        """How many were answered."""
        return sum(len(one.heard) for one in self.run.played)

    @property
    def left_out(self) -> list[str]:
        """Requests that could not be made, because an answer before lacked what they need."""
        return [name for one in self.run.played for name in one.left_out]

    @property
    def better_edition(self) -> str | None:
        """The edition that fits clearly better; None if this one is as good."""
        fits = self.verdict.fits
        best = min(fits, key=lambda edition: fits[edition])
        return best if fits[best] < fits[self.edition] >= fits[best] * _BETTER else None

    @property
    def untouched(self) -> list[str]:
        """Ids of the claims that no answer of this run rests on."""
        claims = claims_of(self.script.vendor)
        return [claim for claim in claims if claim not in self.verdict.touched]

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, as ``docs/reference/drift.schema.json`` has it."""
        return {
            "schema": SCHEMA,
            "kind": "drift",
            "vendor": self.script.vendor,
            "edition": self.edition,
            "better_edition": self.better_edition,
            "differences_by_edition": dict(self.verdict.fits),
            "environment": self.environment,
            "asked_on": self.day.isoformat(),
            "requests": self.requests,
            "drift": self.is_drift,
            "findings": [
                {
                    "suspects": [
                        {
                            **self._source(suspect.claim),
                            "instead": suspect.instead and self._source(suspect.instead),
                        }
                        for suspect in one.suspects
                    ],
                    "restores": one.restores,
                    "differences": [
                        dict(zip(("request", "place", "expected", "seen"), each, strict=True))
                        for each in one.differences
                    ],
                }
                for one in self.verdict.findings
            ],
            "agreeing": sorted(self.verdict.agreeing),
            "untouched": self.untouched,
            "left_out": self.left_out,
            "stopped": self.run.stopped,
            "sessions_left": self.run.kept,
            "cost": {
                "paid_calls": dict(self.run.paid),
                "unknown_calls": self.run.unknown,
                "amount": str(self.run.amount),
                "currency": self.script.currency,
            },
        }

    def to_text(self, *, every: bool = False) -> str:
        """The report for people; `every` lists the claims that were not touched, too."""
        return "\n".join(self._lines(every=every))

    def _lines(self, *, every: bool) -> Iterator[str]:
        run, script, verdict = self.run, self.script, self.verdict
        yield (
            f"{script.title} ({self.environment}) against its documents of the edition "
            f"{self.edition}: {self.requests} requests, {sum(run.paid.values())} paid calls, "
            f"{script.currency} {run.amount} at list prices."
        )
        if run.unknown:
            yield f"Calls without an answer, which may have been charged: {run.unknown}."
        if run.stopped is not None:
            yield f"It ended early {run.stopped}. The rest of this report covers what came before."
        if run.kept:
            yield (
                f"Sessions that were kept for this and could not be deleted: {run.kept}. Look for "
                "those whose vendor_data begins with facematch-drift."
            )
        for finding in verdict.findings:
            yield ""
            yield from self._suspects(finding)
            yield from _places(finding.differences)
        yield ""
        yield "Nothing differs." if not self.is_drift else _counted(verdict.findings)
        yield (
            f"Claims behind answers that agree: {len(verdict.agreeing)}. Claims that these "
            f"requests do not touch: {len(self.untouched)}{'' if every else ' (--all lists them)'}."
        )
        if self.better_edition is not None:
            fits = ", ".join(f"{name} differs in {many}" for name, many in verdict.fits.items())
            yield f"The edition {self.better_edition} fits better: {fits} places."
        if self.left_out:
            yield f"Requests that could not be made: {', '.join(self.left_out)}."
        if every:
            yield from ("", *(f"  {claim}" for claim in self.untouched))

    def _suspects(self, finding: Finding) -> Iterator[str]:
        several = len(finding.suspects) > 1
        if not finding.suspects:
            yield "different, and no claim explains it:"
        elif not finding.restores:
            yield "different, and these claims are about it:" if several else "different:"
        elif several:
            yield "false, one of these:"
        for suspect in finding.suspects[:_SUSPECTS]:
            alone = finding.restores and not several
            yield f"false: {suspect.claim}" if alone else f"  {suspect.claim}"
            yield from self._told(suspect)
        if len(finding.suspects) > _SUSPECTS:
            yield f"  and {len(finding.suspects) - _SUSPECTS} more claims"

    def _told(self, suspect: Change) -> Iterator[str]:
        claims = claims_of(self.script.vendor)
        source = "{0.known.value}; {0.document}; read {0.read}"
        claim = claims[suspect.claim]
        yield f"  says: {claim.statement} ({source.format(claim.origin)})"
        if suspect.instead is not None:
            other = claims[suspect.instead]
            yield f"  seen instead: what {other.id} says ({source.format(other.origin)})"

    def _source(self, claim_id: str) -> dict[str, str]:
        claim = claims_of(self.script.vendor)[claim_id]
        return {
            "id": claim.id,
            "statement": claim.statement,
            "known": claim.origin.known.value,
            "document": claim.origin.document,
            "read": claim.origin.read,
        }


def _counted(findings: Sequence[Finding]) -> str:
    false = sum(one.restores for one in findings)
    other = len(findings) - false
    told = f"False: {false} claim{'s' * (false != 1)}."
    return f"{told} Differences that no single claim explains: {other}." if other else told


def _places(differences: Sequence[tuple[str, str, str, str]]) -> Iterator[str]:
    for request, place, expected, seen in differences[:_PLACES]:
        yield f"  seen: {request}: {place} is {seen}, not {expected}"
    if len(differences) > _PLACES:
        yield f"  and in {len(differences) - _PLACES} more places"
