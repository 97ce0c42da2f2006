"""Both sides beside each other: which claims hold, and what may be written of it."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from facematch_core import Image, Secret
from facematch_mock_server.claims import Claim, Reply

from .calls import VendorCalls

Seen = Mapping[str, Any]
#: What need not be there on both sides to be the same, for its shape says so.
_OPTIONAL = ("words", "time", "digits", "side", "code", "charge", "price")
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-|(?=[\w+/=]*\d)[\w+/=]{40,}|\w@\w+\.")


def judge(vendor: VendorCalls, claims: Sequence[Claim], theirs: Seen, ours: Seen) -> list[Any]:
    """A row for each claim, those that fail first: in what vendor and mock differ, by call."""
    ids = {claim.key: claim.id for claim in claims}
    replies = {claim.id for claim in claims if isinstance(claim.value, Reply)}
    differences: dict[str, list[Any]] = {}  # by claim that was seen
    for call, aspect, expected, value, cited in _compare_calls(theirs, ours):
        linked = [
            ids[key]
            for calls, aspects, key in vendor.links
            if key in ids and re.search(calls, call) and re.match(aspects, aspect)
        ]
        behind = [claim for claim in cited if claim in ids.values()]
        for claim in linked[:1] or [each for each in behind if each in replies] or behind:
            rows = differences.setdefault(claim, [])
            row = {"call": call, "aspect": aspect, "mock": expected, "vendor": value}
            if expected != value and row not in rows:
                rows.append(row)
    order = ("fails", "holds", "not seen")
    table = [
        {
            "claim": claim.id,
            "result": order[not differences[claim.id]] if claim.id in differences else order[2],
            "statement": claim.statement,
            "source": claim.origin.document,
            "read": claim.origin.read,
            "differences": differences.get(claim.id, []),
        }
        for claim in claims
    ]
    return sorted(table, key=lambda row: order.index(str(row["result"])))


def _compare_calls(theirs: Seen, ours: Seen) -> Iterator[tuple[Any, ...]]:
    """Call, aspect, what mock and vendor show, and the claims that the mock's answer rests on."""
    digits: dict[str, list[Any]] = {}
    for call, role in itertools.product(ours, ("login", "balance", "answer", "call")):
        seen = [
            [reply for reply in side[call]["seen"] if reply["role"] == role]
            for side in (ours, theirs)
        ]
        place = role if role in ("login", "balance") else call
        for expected, reply in zip(*seen, strict=False):
            for aspect, *pair in _compare(expected["aspects"], reply["aspects"]):
                if aspect.startswith("digits"):
                    digits.setdefault(aspect, []).append((*pair, expected["claims"]))
                else:
                    yield place, aspect, *pair, expected["claims"]
    for aspect, pairs in digits.items():
        # A number that is whole among fractions says nothing, nor does the only one.
        if len(pairs) > 1:
            *sides, cited = zip(*pairs, strict=True)
            yield "all", aspect, *("fraction" in f"{side}" for side in sides), cited[-1]


def _compare(expected: Seen, seen: Seen) -> Iterator[tuple[str, Any, Any]]:
    """Aspect, the mock's and the vendor's; of answers of different status only that."""
    is_same = expected.get("status") == seen.get("status")
    for aspect in sorted({*expected, *seen}) if is_same else ("status",):
        kind, _, path = aspect.partition(" ")
        pair = expected.get(aspect), seen.get(aspect)
        # Of an empty list nobody knows what would be in it.
        lists = [f"shape {path[: match.end()]}" for match in re.finditer(r"\[\]", path)]
        is_open = any(place not in side for place in lists for side in (expected, seen))
        is_unknown = "middle" in f"{pair}" if kind == "side" else None in pair
        if not is_open and not (kind in _OPTIONAL and is_unknown):
            yield aspect, *pair


def describe(call: Any) -> dict[str, Any]:
    """One call for the record; of one that was not made, or begun and not ended, only that."""
    if call is None:
        return {"state": "not made, or begun and not ended"}
    numbers = {"score": call["result"]["score"], "threshold": call["level"]}
    rounded = {name: number and round(number) for name, number in numbers.items()}
    answers = [reply["aspects"] for reply in call["seen"] if reply["role"] == "answer"]
    return {**call["result"], **rounded, "answers": answers}


def is_private(document: Any, secrets: Iterable[Secret], images: Iterable[Image]) -> bool:
    """Whether a key, a piece of a picture or an id is in what is to be written."""
    from facematch_core.testing import find_leaks, picture_samples

    text = json.dumps(document, ensure_ascii=False)
    keys: list[Any] = [secret.reveal() for secret in secrets if len(secret.reveal()) > 5]
    pieces = [piece for image in images for piece in picture_samples(image)]
    return bool(_ID.search(text)) or any(find_leaks(each, text) for each in (*keys, *pieces))
