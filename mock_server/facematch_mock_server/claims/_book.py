"""Claims as a page of the documentation, and one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from ._claim import Claim
from ._reply import Reply

_HEAD = """\
# What the mock imitates of {title}, and how we know

Every answer of the mock rests on the claims below and names them in the header
`X-Facematch-Claims`; `facematch mock explain CLAIM` prints one. *Documented* means that a document
of the vendor says so, *observed* that it was seen in a capture or a running client, *framework*
that it follows from the web framework that the vendor's error bodies show, and *ours* that nobody
says: no client may depend on it.

{counts}
"""


def explain(among: Iterable[Claim], claim_id: str) -> str:
    """One claim in a few lines.

    Raises:
        LookupError: there is none of that id; the message names the nearest.
    """
    claims = {claim.id: claim for claim in among}
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
    ]
    if not claim.is_fact:
        lines.append(f"  decides: {claim.key} = {_shown(claim.value)}")
        lines.append(f"  if it were false: {_shown(claim.turned)}")
    return "\n".join(lines)


def claims_page(title: str, claims: Sequence[Claim]) -> str:
    """The claims about the vendor of that title as a page of Markdown."""
    known = [claim.origin.known for claim in claims]
    counts = ", ".join(f"{known.count(kind)} {kind}" for kind in dict.fromkeys(known))
    head = _HEAD.format(title=title, counts=f"{len(claims)} claims: {counts}.")
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
