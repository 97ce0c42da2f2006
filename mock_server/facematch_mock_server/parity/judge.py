"""Both sides beside each other: which claims hold, and what may be written of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from facematch_core import Image, Secret
from facematch_mock_server.claims import Claim, Reply

from .calls import VendorCalls

Seen = Mapping[str, Any]
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-|(?=[\w+/=]*\d)[\w+/=]{40,}|\w@\w+\.")


def judge(vendor: VendorCalls, claims: Sequence[Claim], theirs: Seen, ours: Seen) -> list[Any]:
    """A row for each claim: what was observed of it at the vendor, by call, and at the mock."""
    ids = {claim.key: claim.id for claim in claims}
    replies = {claim.id for claim in claims if isinstance(claim.value, Reply)}
    observed: dict[str, list[Any]] = {}
    for call, aspect, expected, value, cited in _compare_sides(theirs, ours):
        linked = [
            ids[key]
            for calls, aspects, key in vendor.links
            if key in ids and re.search(calls, call) and re.match(aspects, aspect)
        ]
        behind = [claim for claim in cited if claim in ids.values()]
        exact = [claim for claim in behind if claim in replies]
        for claim in linked[:1] or exact or behind:
            differences = observed.setdefault(claim, [])
            difference = {"call": call, "aspect": aspect, "mock": expected, "vendor": value}
            if expected != value and difference not in differences:
                differences.append(difference)
    results = {
        claim: "fails" if differences else "holds" for claim, differences in observed.items()
    }
    rows = [
        {
            "claim": claim.id,
            "result": results.get(claim.id, "not seen"),
            "statement": claim.statement,
            "source": claim.origin.document,
            "read": claim.origin.read,
            "differences": observed.get(claim.id, []),
        }
        for claim in claims
    ]
    return sorted(rows, key=lambda row: ("fails", "holds", "not seen").index(str(row["result"])))


def _compare_sides(theirs: Seen, ours: Seen) -> Iterator[tuple[Any, ...]]:
    """Call, aspect, what mock and vendor show, and the claims that the mock's answer rests on."""
    digits: dict[str, list[Any]] = {}
    for call, mock in ours.items():
        seen, cited = theirs[call], ()
        for role in ("login", "balance", "answer"):
            pair = [
                [reply for reply in side["replies"] if reply["role"] == role]
                for side in (mock, seen)
            ]
            for expected, reply in zip(*pair, strict=False):
                cited = expected["claims"]
                for aspect, *values in _compare_replies(expected["aspects"], reply["aspects"]):
                    if aspect.startswith("digits"):
                        digits.setdefault(aspect, []).append(values)
                    else:
                        yield call if role == "answer" else role, aspect, *values, cited
        cited = pair[0][-1]["claims"] if pair[0] else ()
        yield call, "requests", len(pair[0]), len(pair[1]), cited
        for aspect in ("decision", "warnings", "error"):
            values = [side["outcome"].get(aspect) for side in (mock, seen)]
            if values != [None, None]:
                yield call, aspect, *values, cited
        prices = [round(float(side["price"] or 0), 4) for side in (mock, seen)]
        if None not in (mock["price"], seen["price"]):
            yield call, "charge", *(price > 0 for price in prices), cited
            if min(prices) > 0:
                yield call, "price", *prices, cited
    for aspect, pairs in digits.items():
        # A number that is whole among fractions says nothing, nor does the only one.
        if len(pairs) > 1:
            yield "all", aspect, *("fraction" in f"{side}" for side in zip(*pairs, strict=True)), ()


def _compare_replies(expected: Seen, reply: Seen) -> Iterator[tuple[str, Any, Any]]:
    """Aspect, the mock's and the vendor's, of two answers."""
    yield "status", expected["status"], reply["status"]
    for aspect in sorted({*expected, *reply}) if expected["status"] == reply["status"] else ():
        kind, _, path = aspect.partition(" ")
        pair = expected.get(aspect), reply.get(aspect)
        # Of an empty list nobody knows what would be in it, and what is not there the shape says.
        lists = [f"shape {path[: match.end()]}" for match in re.finditer(r"\[\]", path)]
        is_open = any(place not in side for place in lists for side in (expected, reply))
        is_missing = None in pair and kind in ("words", "time", "digits", "side", "code")
        if not (is_open or is_missing or (kind == "side" and "middle" in f"{pair}")):
            yield aspect, *pair


def describe(seen: Any) -> dict[str, Any]:
    """One call for the record; of one that was not made, or begun and not ended, only that."""
    if seen is None:
        return {"state": "not made, or begun and not ended"}
    answers = [reply["aspects"] for reply in seen["replies"] if reply["role"] == "answer"]
    leaves = [item for aspects in answers for item in aspects.items() if "shape " in item[0]]
    numbers = {"score": seen["outcome"]["score"], "threshold": seen["level"]}
    return {
        **seen["outcome"],
        **{name: number and round(number) for name, number in numbers.items()},
        "on": seen["on"],
        "statuses": [aspects["status"] for aspects in answers],
        "shape": sorted({f"{path[6:]}: {'|'.join(kinds)}" for path, kinds in leaves}),
    }


def find_private(document: Any, secrets: Iterable[Secret], images: Iterable[Image]) -> list[str]:
    """What of a person or an account is in what is to be written: kinds, not texts."""
    from facematch_core.testing import find_leaks, picture_samples

    text = json.dumps(document, ensure_ascii=False)
    keys = [secret.reveal() for secret in secrets if len(secret.reveal()) > 5]
    pieces = [piece for image in images for piece in picture_samples(image)]
    contents = {
        "a key": any(find_leaks(key, text) for key in keys),
        "a piece of a picture": any(find_leaks(piece, text) for piece in pieces),
        "an id": _ID.search(text),
    }
    return [kind for kind, is_in in contents.items() if is_in]
