"""All claims, as a page of the documentation and one by one."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from itertools import groupby
from typing import Any

from ._claim import Claim
from ._reply import Reply
from .mock import CLAIMS as MOCK

#: The vendors by name, as people write them. The claims about one are loaded when they are needed.
VENDORS = {"didit": "Didit", "deepvue": "Deepvue"}
_HEAD = """\
# What the mock imitates of {title}, and how we know

Every answer of the mock rests on the claims below and names them in the header
`X-Facematch-Claims`; `facematch mock explain CLAIM` prints one. *Documented* means that a document
of the vendor says so, *observed* that it was seen in a capture or a running client, *framework*
that it follows from the web framework that the vendor's error bodies show, and *ours* that nobody
says: no client may depend on it.

{counts}
"""


def all_claims(vendor: str | None = None) -> tuple[Claim, ...]:
    """The claims about one vendor with those of the mock itself; of all vendors for None.

    Raises:
        LookupError: no such vendor.
    """
    if vendor is None:
        return (*(claim for name in VENDORS for claim in _about(name)), *MOCK)
    if vendor not in VENDORS:
        raise LookupError(f"the mock knows no vendor {vendor}; known: {', '.join(VENDORS)}")
    return (*_about(vendor), *MOCK)


def _about(vendor: str) -> tuple[Claim, ...]:
    claims: tuple[Claim, ...] = import_module(f"{__package__}.{vendor}").CLAIMS
    return claims


def explain(claim_id: str) -> str:
    """One claim in a few lines.

    Raises:
        LookupError: there is none of that id; the message names the nearest.
    """
    claims = {claim.id: claim for claim in all_claims()}
    if claim_id not in claims:
        from difflib import get_close_matches  # not above: a mistake is rare

        close = get_close_matches(claim_id, claims, n=3)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise LookupError(f"there is no claim {claim_id}{hint}")
    claim = claims[claim_id]
    lines = [
        claim.id,
        f"  {claim.statement}",
        f"  known: {claim.origin.known}",
        f"  source: {claim.origin.document}, read {claim.origin.read}",
        f"  in force: {_in_force(claim)}",
        f"  decides: {claim.key} = {_shown(claim.value)}",
        f"  if it were false: {_shown(claim.turned)}",
    ]
    return "\n".join(lines)


def claims_page(vendor: str) -> str:
    """The claims about `vendor` as a page of Markdown.

    Raises:
        LookupError: no such vendor.
    """
    claims = all_claims(vendor)
    known = [claim.origin.known for claim in claims]
    counts = ", ".join(f"{known.count(kind)} {kind}" for kind in dict.fromkeys(known))
    head = _HEAD.format(title=VENDORS[vendor], counts=f"{len(claims)} claims: {counts}.")
    return "\n".join([head, *_sections(claims)])


def _sections(claims: Iterable[Claim]) -> Iterable[str]:
    for area, group in groupby(claims, key=_area):
        yield f"## {area}\n"
        yield "| Claim | Statement | Known | Source | In force |"
        yield "|---|---|---|---|---|"
        for claim in group:
            cells = (
                f"`{claim.id}`",
                claim.statement,
                str(claim.origin.known),
                f"{claim.origin.document}; read {claim.origin.read}",
                _in_force(claim),
            )
            yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
        yield ""


def _area(claim: Claim) -> str:
    return ".".join(claim.id.split(".")[:2])


def _in_force(claim: Claim) -> str:
    if claim.when is None:
        return "always"
    switch, values = claim.when
    return f"{switch} = {' or '.join(str(value) for value in values)}"


def _shown(value: Any) -> str:
    if isinstance(value, Reply):
        body = "a body made for the request" if value.body is None else value.body
        return f"status {value.status}, {body}"
    return repr(value)
