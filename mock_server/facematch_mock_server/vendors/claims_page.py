"""The claims about a vendor as Markdown, for the site and `facematch docs`."""

from __future__ import annotations

from facematch_mock_server.claims import OURS, Claim, Known

from . import all_claims, vendor_named, vendor_names

_INTRODUCTION = """\
The mock imitates {number} behaviours, each with its source: {counts}. The journal names the claims
of each response, and so does its header `X-Facematch-Claims`, if the request has that header.
*Documented* claims are in a document of the vendor, *observed* ones in a capture or a running
client. *Framework* claims are implied by the web framework that the vendor's error bodies show.
*Ours* have no source, so clients must not depend on them.
"""


def claims_page(vendor: str) -> str:
    """Return a page with the claims about a vendor, each with its source."""
    parts = [f"# Claims about {vendor_named(vendor).title}\n", claims_introduction(vendor)]
    for area, lines in claims_by_area(vendor).items():
        parts.append(f"## {area}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def claims_introduction(vendor: str) -> str:
    """Return the paragraph above the claims about a vendor: how many, and what their kinds mean."""
    kinds = [claim.origin.known for claim in all_claims(vendor)]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    return _INTRODUCTION.format(number=len(kinds), counts=counts)


def claims_by_area(vendor: str) -> dict[str, list[str]]:
    """Return the claims about a vendor as items of Markdown lists, by area: `didit.auth`."""
    by_area: dict[str, list[str]] = {}
    for claim in all_claims(vendor):
        area = ".".join(claim.id.split(".")[:2])
        by_area.setdefault(area, []).append(claim_item(claim))
    return by_area


def claim_item(claim: Claim) -> str:
    """Return one claim as an item of a Markdown list."""
    origin = claim.origin
    source = f"*{origin.known}*"
    if origin != OURS:
        source += f": {origin.document}"
        if origin.known is not Known.OURS:
            source += f"; read {origin.read}"
    item = f"- `{claim.id}`: {_unlinked(claim.statement)} ({source})"
    if claim.when:
        switch, *values = claim.when
        item += f" In force: {switch} = {' or '.join(map(str, values))}."
    return item


def _unlinked(statement: str) -> str:
    """Escape brackets: `options[document][...]` is no link."""
    return statement.replace("[", "\\[")


def claims_named(name: str) -> str | None:
    """Return the claims of a vendor (`claims/didit`), or one claim by its id; None if unknown."""
    folder, _, vendor = name.rpartition("/")
    if folder == "claims" and vendor in vendor_names():
        return claims_page(vendor)
    vendor, _, _ = name.partition(".")
    if vendor not in vendor_names():
        return None
    items = [claim_item(claim) for claim in all_claims(vendor) if claim.id == name]
    return "\n".join(items) or None
