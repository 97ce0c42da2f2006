"""The page of all claims that drift can see, and of those that it cannot, with the reason."""

import collections
import re

from drift_targets import SCRIPT, STEPS, WAYS, false, proof

from facematch_mock_server.drift._reporting import price_of, reason_for
from facematch_mock_server.vendors import all_claims

HEAD = """\
# What drift can see of Didit

`facematch drift didit` sends the requests below to Didit, and to a mock in its own process that is
told what Didit saw in the pictures. Where the two answers differ in shape, it takes claims for
false in the mock until they agree. [How to use it](../how-to/check-for-drift.md) is on another
page; [the claims](mock-claims.md) have one of their own.

This page is generated. Each claim under *What can be seen* was taken for false in a mock that was
asked instead of Didit: drift found it, and named it.

## What is asked
"""
ALONE = "with a sandbox key"
#: What stands for an id in the path of a step.
ID = re.compile(r"\{\w+\}|[0-9a-f]{8}-[0-9a-f-]{27}")


def page():
    """The whole page."""
    firsts = _firsts()
    about = {claim.id: claim for claim in all_claims("didit") if claim.vendor == "didit"}
    parts = [HEAD, _groups(), _seen(firsts, about), _unseen(firsts, about)]
    return "\n".join(parts)


def _groups():
    rows = ["| Group | What | Requests | Paid calls | List price |", "|---|---|---|---|---|"]
    model = proof("2026-11").model
    for group, what in SCRIPT.groups.items():
        chains = [chain for chain in SCRIPT.chains if chain.group == group]
        calls, price = price_of(SCRIPT, model, [chain.name for chain in chains])
        requests = sum(len(chain.steps) for chain in chains)
        rows.append(f"| `{group}` | {what} | {requests} | {calls} | {SCRIPT.currency} {price} |")
    return "\n".join([*rows, ""])


def _firsts():
    """The first request, in their order, that shows each claim; and whether it takes a sandbox."""
    order = {name: number for number, name in enumerate(STEPS)}
    firsts = {}
    for way in WAYS:
        for claim in proof(*way).checked:
            first = _first(proof(*way).judge, claim, order), way[1]
            if claim not in firsts or order[first[0]] < order[firsts[claim][0]]:
                firsts[claim] = first
    return firsts


def _first(judge, claim, order):
    """The steps stand in the order of their chains, so the first chain that shows it is enough."""
    for chain in judge._resting_on(claim, frozenset()):
        steps = {place.step for place in judge.effect(false(claim), chains=[chain])}
        if steps:
            return min(steps, key=order.get)
    raise LookupError(claim)


def _seen(firsts, about):
    calls = collections.defaultdict(list)
    order = list(about)
    for claim in sorted(firsts, key=order.index):
        step = STEPS[firsts[claim][0]]
        calls[f"{step.method} {ID.sub('{id}', step.path)}"].append(claim)
    lines = ["## What can be seen", "", f"{len(firsts)} claims, by the call that shows them first."]
    for call, claims in calls.items():
        lines += ["", f"### `{call}`", "", "| Claim | Known | First seen at |", "|---|---|---|"]
        for claim in claims:
            name, alone = firsts[claim]
            told = f"{name}, {ALONE}" if alone else name
            lines.append(f"| `{claim}` | {about[claim].origin.known} | {told} |")
    return "\n".join([*lines, ""])


def _unseen(firsts, about):
    groups = collections.defaultdict(list)
    for claim in about:
        if claim not in firsts:
            groups[reason_for(SCRIPT, claim)].append(claim)
    many = sum(map(len, groups.values()))
    lines = ["## What cannot be seen", "", f"{many} claims, by the reason."]
    for reason in SCRIPT.reasons:
        told = ", ".join(f"`{claim}`" for claim in groups[reason])
        lines += ["", f"### {reason.title.capitalize()} ({len(groups[reason])})", "", reason.text]
        lines += ["", f"{told}."]
    return "\n".join([*lines, ""])
