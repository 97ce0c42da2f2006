"""Both sides beside each other: which claims hold, and what may be written of it."""

from __future__ import annotations

import getpass
import json
import re
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from facematch_core import Image, Secret
from facematch_mock_server.claims import Claim, Reply

from .calls import VendorCalls

Seen = Mapping[str, Any]
_WORD = re.compile(r"[^\W\d_][\w'-]*")
_CODE = re.compile(r"[A-Z]{2,}(_[A-Z]+)+|[A-Z][a-z]+([A-Z][a-z]+)+")
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-|(?=[\w+/=]*\d)[\w+/=]{40,}|\w@\w+\.")


def judge(vendor: VendorCalls, claims: Sequence[Claim], theirs: Seen, ours: Seen) -> list[Any]:
    """A row for each claim: what was observed of it at the vendor, by call, and at the mock."""
    by_id = {claim.id: claim for claim in claims if claim.vendor != "mock"}
    ids = {claim.key: claim.id for claim in by_id.values()}
    vocabulary = {
        word.lower() for word in _WORD.findall(f"{[(c.statement, c.value) for c in claims]}")
    }
    seen: dict[str, list[Any]] = {}
    for call, aspect, mock, value, cited in _aspects(theirs, ours):
        linked = [
            ids[key]
            for calls, aspects, key in vendor.links
            if key in ids and re.search(calls, call) and re.match(aspects, aspect)
        ]
        behind = [claim for claim in cited if claim in by_id]
        replies = [claim for claim in behind if isinstance(by_id[claim].value, Reply)]
        for claim in linked[:1] or replies or behind:
            differences = seen.setdefault(claim, [])
            if mock != value:
                shown = _show(value, f"{ours}", vocabulary)
                about = {"call": call, "aspect": aspect, "mock": mock, "vendor": shown}
                differences.append(about)
    rows = [
        {
            "claim": claim.id,
            "result": ("fails" if seen[claim.id] else "holds") if claim.id in seen else "not seen",
            "statement": claim.statement,
            "source": claim.origin.document,
            "read": claim.origin.read,
            "differences": seen.get(claim.id, []),
        }
        for claim in by_id.values()
    ]
    return sorted(rows, key=lambda row: ("fails", "holds", "not seen").index(str(row["result"])))


def _aspects(theirs: Seen, ours: Seen) -> Iterator[tuple[Any, ...]]:
    """Call, aspect, what mock and vendor show, and the claims that the mock's answer rests on."""
    digits: dict[str, list[Any]] = {}
    for call, mock in ours.items():
        seen, claims = theirs[call], mock["claims"]
        for part in ("login", "balance", "replies"):
            for expected, reply, cited in zip(mock[part], seen[part], claims[part], strict=False):
                for aspect, *pair in _compare(expected, reply):
                    if aspect.startswith("digits"):
                        digits.setdefault(aspect, []).append(pair)
                    else:
                        yield call if part == "replies" else part, aspect, *pair, cited
        last = claims["replies"][-1] if claims["replies"] else ()
        yield from ((call, *aspect, last) for aspect in _compare_whole(mock, seen))
    for aspect, pairs in digits.items():
        # A number that is whole among fractions says nothing, nor does the only one.
        if len(pairs) > 1:
            yield "all", aspect, *("fraction" in f"{side}" for side in zip(*pairs, strict=True)), ()


def _compare_whole(mock: Seen, seen: Seen) -> Iterator[tuple[Any, ...]]:
    """Aspect, the mock's and the vendor's, of a call as a whole."""
    yield "requests", len(mock["replies"]), len(seen["replies"])
    for aspect in ("decision", "warnings", "error"):
        pair = [side["outcome"].get(aspect) for side in (mock, seen)]
        if pair != [None, None]:
            yield aspect, *pair
    if "price" in mock and "price" in seen:
        prices = [round(float(side["price"]), 4) for side in (mock, seen)]
        yield "charge", *(price > 0 for price in prices)
        if min(prices) > 0:
            yield "price", *prices


def _compare(expected: Seen, reply: Seen) -> Iterator[tuple[str, Any, Any]]:
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


def _show(value: Any, ours: str, vocabulary: set[str]) -> Any:
    """A value of the vendor's with those words alone that the mock or a claim could have."""

    def mask(match: re.Match[str]) -> str:
        word = match[0]
        return (
            word if word.islower() or _CODE.fullmatch(word) or word.lower() in vocabulary else "*"
        )

    if isinstance(value, list):
        return [_show(item, ours, vocabulary) for item in value]
    if not isinstance(value, str) or repr(value) in ours:
        return value
    return _WORD.sub(mask, re.sub(r"\S*[/\\@:]\S+", "*", value))


def describe(seen: Any) -> dict[str, Any]:
    """One call for the record; None for one that was not made, or begun and not ended."""
    if seen is None:
        return {"state": "not made, or begun and not ended"}
    leaves = [item for reply in seen["replies"] for item in reply.items() if "shape " in item[0]]
    numbers = {"score": seen["outcome"].get("score"), "threshold": seen["threshold"]}
    return {
        **seen["outcome"],
        **{name: None if number is None else round(number) for name, number in numbers.items()},
        "on": seen["on"],
        "statuses": [reply["status"] for reply in seen["replies"]],
        "shape": sorted({f"{path[6:]}: {'|'.join(kinds)}" for path, kinds in leaves}),
    }


def find_private(
    document: Any, secrets: Iterable[Secret], images: Iterable[Image], names: Iterable[str]
) -> list[str]:
    """What of a person or an account is in what is to be written: kinds, not texts."""
    from facematch_core.testing import find_leaks, picture_samples

    text = json.dumps(document, ensure_ascii=False)
    keys = [secret.reveal() for secret in secrets if len(secret.reveal()) > 5]
    pieces = [piece for image in images for piece in picture_samples(image)]
    words = {name for name in (*names, getpass.getuser(), socket.gethostname()) if len(name) > 2}
    has = {
        "a key": any(find_leaks(key, text) for key in keys),
        "a piece of a picture": any(find_leaks(piece, text) for piece in pieces),
        "a name of a file, a user or this machine": words & {*re.findall(r"[\w.-]+", text)},
        "an id": _ID.search(text),
    }
    return [kind for kind, is_in in has.items() if is_in]
