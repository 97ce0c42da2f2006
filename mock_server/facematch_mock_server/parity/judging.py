"""Both sides beside each other: which claims hold, and what may be written of it."""

from __future__ import annotations

import base64
import getpass
import json
import re
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from facematch_core import Secret
from facematch_core.masking import masker
from facematch_mock_server.claims import Claim, Reply

from .calls import VendorCalls

Seen = Mapping[str, Any]

_WORD = re.compile(r"[^\W\d_][\w'-]*")


def judge(vendor: VendorCalls, claims: Sequence[Claim], theirs: Seen, ours: Seen) -> list[Any]:
    """A row for each claim: what was observed of it at the vendor, by call, and at the mock."""
    rows: dict[str, Any] = {
        claim.id: {
            "claim": claim.id,
            "result": "not seen",
            "statement": claim.statement,
            "known": str(claim.origin.known),
            "source": claim.origin.document,
            "read": claim.origin.read,
            "differences": [],
        }
        for claim in claims
        if claim.vendor != "mock"
    }
    ids = {claim.key: claim.id for claim in claims}
    replies = {claim.id for claim in claims if isinstance(claim.value, Reply)}
    texts = f"{[(claim.statement, claim.value) for claim in claims]}"
    known = {word.lower() for word in _WORD.findall(texts)}
    for call, aspect, mock, value, cited in _aspects(theirs, ours):
        links = [
            ids[key]
            for calls, aspects, key in vendor.links
            if key in ids and re.search(calls, call) and re.match(aspects, aspect)
        ]
        behind = [claim for claim in cited if claim in rows]
        for claim in links[:1] or [claim for claim in behind if claim in replies] or behind:
            row = rows[claim]
            if mock != value:
                row["result"] = "fails"
                shown = _show(value, f"{ours}", known)
                about = {"call": call, "aspect": aspect, "mock": mock, "vendor": shown}
                row["differences"].append(about)
            elif row["result"] == "not seen":
                row["result"] = "holds"
    return sorted(rows.values(), key=lambda row: ("fails", "holds", "not seen").index(row["result"]))


def _aspects(theirs: Seen, ours: Seen) -> Iterator[tuple[str, str, Any, Any, Sequence[str]]]:
    """Call, aspect, what mock and vendor show, and the claims that the mock's answer rests on."""
    digits: dict[str, list[tuple[Any, Any]]] = {}
    for call, mock in ours.items():
        seen, last = theirs[call], [*mock["claims"]["replies"], ()][-2:][0]
        for part, place in (("login", "login"), ("balance", "balance"), ("replies", call)):
            pairs = zip(mock[part], seen[part], mock["claims"][part], strict=False)
            for own, reply, cited in pairs:
                for aspect, *pair in _reply_aspects(own, reply):
                    if aspect.startswith("digits"):
                        digits.setdefault(aspect, []).append((pair[0], pair[1]))
                    else:
                        yield place, aspect, *pair, cited
        yield call, "requests", len(mock["replies"]), len(seen["replies"]), last
        for aspect in ("decision", "warnings", "error"):
            pair = [side["outcome"].get(aspect) for side in (mock, seen)]
            if pair != [None, None]:
                yield call, aspect, *pair, last
        prices = [round(float(side.get("price", "nan")), 4) for side in (mock, seen)]
        if prices[0] == prices[0] and prices[1] == prices[1]:  # both are numbers
            yield call, "charge", *(price > 0 for price in prices), last
            if min(prices) > 0:
                yield call, "price", *prices, ()
    for aspect, sides in digits.items():
        # A number that is whole among fractions says nothing, nor does the only one.
        kinds = ["fraction" if any("fraction" in v for v in side) else "whole" for side in zip(*sides, strict=True)]
        if len(sides) > 1:
            yield "all", aspect, *kinds, ()


def _reply_aspects(own: Seen, reply: Seen) -> Iterator[tuple[str, Any, Any]]:
    """Aspect, the mock's and the vendor's, of two answers."""
    yield "status", own["status"], reply["status"]
    for aspect in sorted({*own, *reply}) if own["status"] == reply["status"] else ():
        kind, _, path = aspect.partition(" ")
        pair = own.get(aspect), reply.get(aspect)
        # Of an empty list nobody knows what would be in it.
        lists = [f"shape {path[: match.end()]}" for match in re.finditer(r"\[\]", path)]
        is_open = any(place not in side for place in lists for side in (own, reply))
        # That a value is not there at all the shape says.
        is_value = kind in ("words", "time", "digits", "side", "code")
        if is_open or (is_value and None in pair) or (kind == "side" and "middle" in f"{pair}"):
            continue
        yield aspect, *pair


def _show(value: Any, ours: str, known: set[str]) -> Any:
    """A value of the vendor's with those words alone that the mock, a claim or a code could have."""
    if isinstance(value, list):
        return [_show(item, ours, known) for item in value]
    if not isinstance(value, str) or repr(value) in ours:
        return value

    def mask(match: re.Match[str]) -> str:
        text = match[0]
        is_code = re.fullmatch(r"[A-Z]{2,}(_[A-Z]+)+|[A-Z][a-z]+([A-Z][a-z]+)+", text)
        return text if text.islower() or is_code or text.lower() in known else "*"

    return _WORD.sub(mask, re.sub(r"\S*[/\\@:]\S+", "*", value))


def find_private(
    document: Any, secrets: Iterable[Secret], pictures: Iterable[bytes], names: Iterable[str]
) -> list[str]:
    """What of a person or an account is in what is to be written: kinds, not texts."""
    text = json.dumps(document, ensure_ascii=False)
    mask = masker(tuple(secret for secret in secrets if len(secret.reveal()) > 5))
    names = [name for name in (*names, getpass.getuser(), socket.gethostname()) if len(name) > 2]
    has = {
        "a key": mask(text) != text,
        "a piece of a picture": any(piece in text for data in pictures for piece in _pieces(data)),
        "a name of a file, a user or this machine": any(
            re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) for name in names
        ),
        "an id": re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-|(?=[\w+/=]*\d)[\w+/=]{40,}|\w@\w+\.", text),
    }
    return [kind for kind, is_in in has.items() if is_in]


def _pieces(data: bytes) -> Iterator[str]:
    """Short pieces of a picture, spread over it, as text may have them."""
    step = max(1, len(data) // 8)
    for start in range(step, len(data) - 16, step):
        piece = data[start : start + 16]
        if len(set(piece)) > 6:
            yield from (piece.hex(), piece.decode("latin-1"))
            yield from (base64.b64encode(piece[n:])[:12].decode() for n in range(3))
