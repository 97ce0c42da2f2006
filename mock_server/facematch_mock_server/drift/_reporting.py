"""The report: which claims are false, with their documents, and what else can be said."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

import attrs

from facematch_mock_server.claims import Claim, Known
from facematch_mock_server.vendors import vendor_named

from ._findings import Difference, Finding
from ._judging import Judge
from ._model import Model
from ._playing import Run
from ._script import Reason, Script

#: Version of the JSON form; 0 until facematch 1.0: it may change with a minor release.
SCHEMA = 0
#: Where an edition is told to fit better, it must have so many times fewer differences.
_BETTER = 2
_ELSE = Reason(
    title="not touched",
    text="No request of this run rests on it, or its contrary would look the same.",
    claims=("*",),
)
_ORDER = list(Known)


@attrs.frozen(kw_only=True)
class FalseClaim:
    """A claim that is false, with what says so.

    Attributes:
        claim: It.
        instead: The claim of another edition or switch that says what was seen; None if none does.
    """

    claim: Claim
    instead: Claim | None


@attrs.frozen(kw_only=True)
class Report:
    """What came out.

    Attributes:
        title: Of the vendor.
        vendor, edition, environment: Who was asked.
        day: When.
        requests: How many were answered.
        findings: Differences that claims speak of; those of documents first.
        unclaimed: Differences that no claim speaks of.
        false: The claims of each finding, in the order of `findings`.
        checked: Ids of the claims that were found to hold, and would have been found false.
        unseen: Ids of the claims that could not be seen, with the reason.
        left_out: Requests that could not be made, because an answer before lacked what they need.
        fits: How many places differ, by edition.
        run: What was asked, and what it cost.
    """

    title: str
    vendor: str
    edition: str
    environment: str
    day: dt.date
    requests: int
    findings: tuple[Finding, ...]
    unclaimed: tuple[Difference, ...]
    false: tuple[tuple[FalseClaim, ...], ...]
    checked: tuple[str, ...]
    unseen: Mapping[str, Reason]
    left_out: tuple[str, ...]
    fits: Mapping[str, int]
    run: Run
    currency: str

    @property
    def is_drift(self) -> bool:
        """Whether anything differs."""
        return bool(self.findings or self.unclaimed)

    @property
    def better_edition(self) -> str | None:
        """The edition that fits clearly better; None if this one is as good."""
        best = min(self.fits, key=lambda edition: self.fits[edition])
        is_better = self.fits[best] * _BETTER <= self.fits[self.edition]
        return best if is_better and self.fits[self.edition] and best != self.edition else None

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, as ``docs/reference/drift.schema.json`` has it."""
        costs = self.run.costs
        return {
            "schema": SCHEMA,
            "kind": "drift",
            "vendor": self.vendor,
            "edition": self.edition,
            "better_edition": self.better_edition,
            "differences_by_edition": dict(self.fits),
            "environment": self.environment,
            "asked_on": self.day.isoformat(),
            "requests": self.requests,
            "drift": self.is_drift,
            "false": [
                {
                    "claims": [_claim(one) for one in false],
                    "one_of": len(false) > 1,
                    "exact": finding.is_exact,
                    "differences": [_difference(one) for one in finding.differences],
                }
                for finding, false in zip(self.findings, self.false, strict=True)
            ],
            "unclaimed": [_difference(one) for one in self.unclaimed],
            "checked": list(self.checked),
            "unseen": {claim: reason.title for claim, reason in self.unseen.items()},
            "left_out": list(self.left_out),
            "stopped": self.run.stopped,
            "sessions_left": self.run.kept,
            "cost": {
                "paid_calls": dict(costs.calls),
                "unknown_calls": costs.unknown,
                "amount": str(costs.amount),
                "currency": self.currency,
            },
        }


def _claim(false: FalseClaim) -> dict[str, Any]:
    return {
        **_source(false.claim),
        "instead": None if false.instead is None else _source(false.instead),
    }


def _source(claim: Claim) -> dict[str, str]:
    return {
        "id": claim.id,
        "statement": claim.statement,
        "known": claim.origin.known.value,
        "document": claim.origin.document,
        "read": claim.origin.read,
    }


def _difference(difference: Difference) -> dict[str, str]:
    place = difference.place
    return {
        "request": place.step,
        "place": place.path,
        "expected": difference.expected,
        "seen": difference.seen,
    }


def report_of(
    script: Script,
    run: Run,
    *,
    edition: str,
    ref: str,
    sandbox: bool,
    environment: str,
    day: dt.date,
) -> Report:
    """What a run shows.

    Args:
        script: What was asked.
        run: What was answered.
        edition: Of the vendor's documents: whose claims are judged.
        ref: As for `Talk`.
        sandbox: Whether the key is one of a sandbox.
        environment: Who answered, in a word.
        day: When.
    """
    model = Model(script, edition, ref=ref, sandbox=sandbox)
    judge = Judge(model, run.played)
    found = sorted(judge.findings(), key=lambda one: _rank(model, one))
    findings = tuple(one for one in found if one.turns)
    false = tuple(_false(model, one) for one in findings)
    named = {one.claim.id for several in false for one in several}
    ids = [claim.id for claim in model.claims]
    checked = judge.checked(one for one in ids if one not in named)
    rest = set(ids) - named - set(checked)
    others = {
        name: len(Judge(Model(script, name, ref=ref, sandbox=sandbox), run.played).differences())
        for name in vendor_named(script.vendor).editions
    }
    return Report(
        title=script.title,
        vendor=script.vendor,
        edition=edition,
        environment=environment,
        day=day,
        requests=sum(len(one.seen) for one in run.played),
        findings=findings,
        unclaimed=tuple(
            one for finding in found if not finding.turns for one in finding.differences
        ),
        false=false,
        checked=tuple(checked),
        unseen={one: reason_for(script, one) for one in ids if one in rest},
        left_out=tuple(name for one in run.played for name in one.left_out),
        fits=others,
        run=run,
        currency=script.currency,
    )


def reason_for(script: Script, claim: str) -> Reason:
    """Why a claim cannot be seen."""
    bare = claim.removeprefix(f"{script.vendor}.")
    for reason in script.reasons:
        if any(fnmatchcase(bare, pattern) for pattern in reason.claims):
            return reason
    return _ELSE


def _false(model: Model, finding: Finding) -> tuple[FalseClaim, ...]:
    """The claims of a finding; those of documents first."""
    claims = (
        FalseClaim(
            claim=model.claim(turn.claim),
            instead=model.rival_of(turn) if finding.is_exact else None,
        )
        for turn in finding.turns
    )
    return tuple(sorted(claims, key=lambda one: _ORDER.index(one.claim.origin.known)))


def _rank(model: Model, finding: Finding) -> tuple[bool, int]:
    known = [_ORDER.index(model.claim(turn.claim).origin.known) for turn in finding.turns]
    return not known, min(known, default=0)


def price_of(script: Script, model: Model, chains: Iterable[str]) -> tuple[int, Decimal]:
    """How many calls of these chains are paid at most, and their list price."""
    wanted = set(chains)
    paid = [
        step.pays
        for chain in script.chains
        if chain.name in wanted
        for step in chain.steps
        if step.pays is not None
    ]
    return len(paid), sum((model.price(one) for one in paid), Decimal(0))
