"""Compare the calls to the vendor with the same calls to its mock."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import attrs

from .aspects import CallPair

#: Kinds of aspects compared only if both sides have them. A missing path shows in ``shape``.
_OPTIONAL = (
    "words",
    "time",
    "life",
    "digits",
    "side",
    "code",
    "charge",
    "price",
    "boxes",
    "form",
    "years",
    "host",
    "id",
)
#: Outcome aspects derived from the replies. Not reported if the call shows another difference.
_DERIVED_FROM_REPLIES = ("decision", "warnings", "state", "requests")


@attrs.define(kw_only=True)
class Comparison:
    """The values of one aspect at the mock and at the vendor; None if a side has no such aspect."""

    calls: list[str]
    aspect: str
    mock: Any
    vendor: Any
    claims: Collection[str]  # cited by the mock in all of these calls

    @property
    def is_difference(self) -> bool:
        return bool(self.mock != self.vendor)

    @property
    def needs_whole_run(self) -> bool:
        """Whether the values tell something only if the whole run is looked at."""
        return self.aspect.startswith(("digits ", "id "))


def compare(pairs: Iterable[CallPair]) -> list[Comparison]:
    """Return the differences; each names all calls that show it."""
    differences: list[Comparison] = []
    comparisons_of_run: dict[str, list[Comparison]] = {}
    for pair in pairs:
        for comparison in _compare_call(pair):
            if comparison.needs_whole_run:
                comparisons_of_run.setdefault(comparison.aspect, []).append(comparison)
            elif comparison.is_difference:
                differences.append(comparison)
    for aspect, comparisons in comparisons_of_run.items():
        summary = _summarize(aspect, comparisons)
        # A single number cannot show how many decimals the vendor returns.
        if len(comparisons) > 1 and summary.is_difference:
            differences.append(summary)
    return _merge(differences)


def _compare_call(pair: CallPair) -> list[Comparison]:
    """Compare the replies to a call, and its outcome unless a different status explains it."""
    comparisons: list[Comparison] = []
    for role in ("login", "balance", "answer"):
        # A login or a balance is shown as a call of its own.
        shown_call = pair.name if role == "answer" else role
        for mock_reply, vendor_reply in zip(
            pair.mock_call.replies_of(role), pair.vendor_call.replies_of(role), strict=False
        ):
            comparisons += _compare_what_is_comparable(
                shown_call, mock_reply.aspects, vendor_reply.aspects, mock_reply.claims
            )
    # A different status explains every other difference in the outcome but charge and price.
    has_same_statuses = not any(
        comparison.aspect == "status" and comparison.is_difference for comparison in comparisons
    )
    for comparison in _compare_what_is_comparable(
        pair.name,
        pair.mock_call.compared_aspects(),
        pair.vendor_call.compared_aspects(),
        pair.mock_call.claims,
    ):
        if has_same_statuses or comparison.aspect in ("charge", "price"):
            comparisons.append(comparison)
    shows_cause = any(
        comparison.is_difference
        and comparison.calls == [pair.name]
        and not comparison.needs_whole_run
        and comparison.aspect not in _DERIVED_FROM_REPLIES
        for comparison in comparisons
    )
    if not shows_cause:
        return comparisons
    return [
        comparison for comparison in comparisons if comparison.aspect not in _DERIVED_FROM_REPLIES
    ]


def _compare_what_is_comparable(
    shown_call: str, mock: Mapping[str, Any], vendor: Mapping[str, Any], claims: Collection[str]
) -> Iterator[Comparison]:
    """Yield the comparable aspects of a reply or an outcome, also equal ones.

    If the status differs, only the status.
    """
    aspects = sorted(mock.keys() | vendor.keys())
    if mock.get("status") != vendor.get("status"):
        aspects = ["status"]
    for aspect in aspects:
        if _is_comparable(aspect, mock, vendor):
            yield Comparison(
                calls=[shown_call],
                aspect=aspect,
                mock=mock.get(aspect),
                vendor=vendor.get(aspect),
                claims=claims,
            )


def _is_comparable(aspect: str, mock: Mapping[str, Any], vendor: Mapping[str, Any]) -> bool:
    """Return whether enough is known of both sides to compare an aspect."""
    aspect_name, _, path = aspect.partition(" ")
    for item in re.finditer(r"\[\]", path):
        shape = f"shape {path[: item.end()]}"
        # If a list is empty, nothing is known about its items.
        if shape not in mock or shape not in vendor:
            return False
    values = (mock.get(aspect), vendor.get(aspect))
    # A score in the middle of 0-100 does not show which side means yes.
    if aspect_name == "side" and "middle" in str(values):
        return False
    # A vendor's gateway may add headers with its own ids.
    if aspect_name == "numbered":
        return aspect in mock
    return aspect_name not in _OPTIONAL or None not in values


def _summarize(aspect: str, comparisons: Iterable[Comparison]) -> Comparison:
    """Compare the values of one aspect in all calls."""
    mock_texts: list[str] = []
    vendor_texts: list[str] = []
    claims: Collection[str] = ()
    for comparison in comparisons:
        mock_texts += comparison.mock
        vendor_texts += comparison.vendor
        claims = comparison.claims
    if aspect.startswith("id "):
        mock = _describe_ids(mock_texts)
        vendor = _describe_ids(vendor_texts)
    else:
        mock_decimals = _max_decimals(mock_texts)
        vendor_decimals = _max_decimals(vendor_texts)
        # A score may happen to end in a zero.
        if abs(mock_decimals - vendor_decimals) < 2:
            vendor_decimals = mock_decimals
        mock = _describe_decimals(mock_decimals)
        vendor = _describe_decimals(vendor_decimals)
    return Comparison(calls=["all"], aspect=aspect, mock=mock, vendor=vendor, claims=claims)


def _describe_ids(digests: Collection[str]) -> str:
    return "unique" if len(digests) == len(set(digests)) else "repeated"


def _max_decimals(texts: Iterable[str]) -> int:
    """Return the most decimals of a number; -9, far from any other count, if all are whole."""
    return max((int(text) for text in texts if text != "whole"), default=-9)


def _describe_decimals(decimals: int) -> str:
    return "whole" if decimals < 0 else f"{decimals} decimals"


def _merge(differences: Iterable[Comparison]) -> list[Comparison]:
    """Return one difference for the same values of the same aspect in several calls."""
    merged: dict[str, Comparison] = {}
    for difference in differences:
        key = json.dumps([difference.aspect, difference.mock, difference.vendor])
        merged_difference = merged.setdefault(key, difference)
        merged_difference.calls += [
            call for call in difference.calls if call not in merged_difference.calls
        ]
        merged_difference.claims = [
            claim for claim in merged_difference.claims if claim in difference.claims
        ]
    return list(merged.values())
