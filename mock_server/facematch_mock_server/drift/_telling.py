"""The report and the question before it, in words for a terminal: pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from facematch_mock_server.claims import Claim

from ._findings import ABSENT, Difference
from ._reporting import FalseClaim, Report
from ._script import Reason, Script

#: How many places of one finding are told; the JSON form has all.
_PLACES = 3


def notice(
    script: Script,
    groups: Iterable[str],
    *,
    calls: int,
    price: Decimal,
    where: str,
    whose: str,
    keeps: bool,
) -> str:
    """What will be sent, and what it costs.

    Args:
        script: What is asked.
        groups: The groups of it that are.
        calls: How many calls are paid at most.
        price: Their list price.
        where: The address.
        whose: The key, in words.
        keeps: Whether calls are kept for a while.
    """
    paid = (
        f"At most {calls} calls are paid: {script.currency} {price} by the list prices that are "
        "known. Your balance and your contract decide."
    )
    kept = (
        "Some calls are kept, so that their records can be read, and deleted again: your webhooks "
        "are told of them, and for so long the faces are in your account's index."
    )
    lines = [
        f"This asks {script.title} at {where}, with {whose}, and sends the pictures to it:",
        *(f"  - {script.groups[name]}" for name in groups),
        paid,
        *([kept] if keeps else []),
        "No call that is paid is sent twice.",
    ]
    return "\n".join(lines)


def told(report: Report, *, every: bool) -> str:
    """The report for people.

    Args:
        report: It.
        every: Whether each claim that could not be seen is listed.
    """
    return "\n".join([*_head(report), *_findings(report), *_tail(report, every=every)])


def _head(report: Report) -> Iterator[str]:
    paid = sum(report.run.costs.calls.values())
    cost = f"{paid} paid calls, {report.currency} {report.run.costs.amount} by the list"
    yield (
        f"{report.title} ({report.environment}) against its documents of the edition "
        f"{report.edition}: {report.requests} requests, {cost}."
    )
    if report.run.costs.unknown:
        yield f"Calls without an answer, which may have been charged: {report.run.costs.unknown}."
    if report.run.stopped is not None:
        yield f"It ended early {report.run.stopped}. What follows rests on what came before."
    if report.run.kept:
        yield (
            "Sessions that were kept for this and could not be deleted: "
            f"{report.run.kept}. Look for those whose vendor_data begins with facematch-drift."
        )


def _findings(report: Report) -> Iterator[str]:
    for finding, false in zip(report.findings, report.false, strict=True):
        yield ""
        if len(false) > 1:
            yield "false, one of these:"
        for one in false:
            yield from _claim(one, is_one_of=len(false) > 1)
        yield from _places(finding.differences)
    if report.unclaimed:
        yield ""
        yield "of this no claim speaks:"
        yield from _places(report.unclaimed, most=len(report.unclaimed))


def _claim(false: FalseClaim, *, is_one_of: bool) -> Iterator[str]:
    claim = false.claim
    yield f"  {claim.id}" if is_one_of else f"false: {claim.id}"
    yield f"  says: {claim.statement} ({source(claim)})"
    if false.instead is not None:
        yield f"  seen is what {false.instead.id} says ({source(false.instead)})"


def source(claim: Claim) -> str:
    """How a claim is known, its document with its date, and when that was read."""
    origin = claim.origin
    return f"{origin.known.value}; {origin.document}; read {origin.read}"


def _places(differences: Sequence[Difference], most: int = _PLACES) -> Iterator[str]:
    for one in differences[:most]:
        seen = "nothing" if one.seen == ABSENT else one.seen
        expected = "nothing" if one.expected == ABSENT else one.expected
        yield f"  seen: {one.place.step}: {one.place.path} is {seen}, not {expected}"
    if len(differences) > most:
        yield f"  and in {len(differences) - most} places more"


def _tail(report: Report, *, every: bool) -> Iterator[str]:
    yield ""
    counted = f"False: {_claims(len(report.findings))}." if report.is_drift else "Nothing differs."
    yield (
        f"{counted} Checked and found to hold: {_claims(len(report.checked))}. Not to be seen by "
        f"these requests: {_claims(len(report.unseen))}{'' if every else ' (--all lists them)'}."
    )
    if report.better_edition is not None:
        yield (
            f"The edition {report.better_edition} fits better: "
            + ", ".join(f"{name} differs in {many} places" for name, many in report.fits.items())
            + "."
        )
    if report.left_out:
        yield f"Requests that could not be made: {', '.join(report.left_out)}."
    if every:
        yield from _unseen(report.unseen)


def _unseen(unseen: Mapping[str, Reason]) -> Iterator[str]:
    groups: dict[Reason, list[str]] = {}
    for claim, reason in unseen.items():
        groups.setdefault(reason, []).append(claim)
    for reason, claims in groups.items():
        yield ""
        yield f"{reason.title}: {reason.text}"
        yield from (f"  {claim}" for claim in claims)


def _claims(number: int) -> str:
    return "1 claim" if number == 1 else f"{number} claims"
