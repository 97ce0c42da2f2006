"""The page of `docs/evidence` that lists the claims about a vendor of the mock."""

from itertools import groupby

from facematch_mock_server.claims import in_force
from facematch_mock_server.vendors import all_claims, vendor_named

_HEAD = """\
# What the mock imitates of {title}, and how we know

An answer of the mock names those of the claims below that decided it in the header
`X-Facematch-Claims`; `facematch mock explain CLAIM` prints one. *Documented* means that a document
of the vendor says so, *observed* that it was seen in a capture or a running client, *framework*
that it follows from the web framework that the vendor's error bodies show, and *ours* that nobody
says: no client may depend on it.

{counts}
"""


def claims_page(vendor):
    kind, claims = vendor_named(vendor), all_claims(vendor)
    known = [claim.origin.known for claim in claims]
    counts = ", ".join(f"{known.count(one)} {one}" for one in dict.fromkeys(known))
    lines = [_HEAD.format(title=kind.title, counts=f"{len(claims)} claims: {counts}.")]
    for area, group in groupby(claims, key=lambda claim: ".".join(claim.id.split(".")[:2])):
        lines += [f"## {area}\n", "| Claim | Statement | Known | Source | In force |"]
        lines.append("|---|---|---|---|---|")
        for claim in group:
            origin = claim.origin.known, claim.origin.where("; ")
            cells = f"`{claim.id}`", claim.statement, *origin, in_force(claim, kind.switches)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)
