"""Compare the calls to the vendor with the same calls to its mock."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import attrs

from .recorded import CallPair

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

    def explains_outcome_of(self, call: str) -> bool:
        """Return whether this is a difference that may have changed the outcome of a call."""
        if self.needs_whole_run or self.aspect in _DERIVED_FROM_REPLIES:
            return False
        return self.is_difference and self.calls == [call]

    def __str__(self) -> str:
        aspect = self.aspect
        if " " in aspect and not aspect.startswith("header "):
            # The aspect belongs to a path in the reply, which is empty for the whole body.
            aspect = aspect.partition(" ")[-1] or "body"
        calls = ", ".join(self.calls)
        if len(self.calls) > 3:
            calls = f"{self.calls[0]} and {len(self.calls) - 1} more"
        return f"{calls}: {aspect} {_quote(self.mock)} -> {_quote(self.vendor)}"


def _quote(value: object) -> str:
    if isinstance(value, list):
        value = " or ".join(map(str, value)) or None
    return "nothing" if value is None else str(value)


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
    """Compare the replies to a call, and its outcome unless a different reply explains it."""
    mock_call = pair.mock_call
    vendor_call = pair.vendor_call
    comparisons: list[Comparison] = []
    for role in ("login", "balance", "answer"):
        # A login or a balance is shown as a call of its own.
        shown_call = pair.name if role == "answer" else role
        for mock, vendor in zip(
            mock_call.replies_of(role), vendor_call.replies_of(role), strict=False
        ):
            comparisons += _compare_aspects(shown_call, mock.aspects, vendor.aspects, mock.claims)
    # A different status explains every other difference in the outcome but charge and price.
    has_other_status = any(each.aspect == "status" and each.is_difference for each in comparisons)
    for comparison in _compare_aspects(
        pair.name, mock_call.compared_aspects(), vendor_call.compared_aspects(), mock_call.claims
    ):
        if not has_other_status or comparison.aspect in ("charge", "price"):
            comparisons.append(comparison)
    if any(comparison.explains_outcome_of(pair.name) for comparison in comparisons):
        return [each for each in comparisons if each.aspect not in _DERIVED_FROM_REPLIES]
    return comparisons


def _compare_aspects(
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
    kind, _, path = aspect.partition(" ")
    for item in re.finditer(r"\[\]", path):
        shape = f"shape {path[: item.end()]}"
        # If a list is empty, nothing is known about its items.
        if shape not in mock or shape not in vendor:
            return False
    if kind == "numbered":
        # A vendor's gateway may add headers with its own ids.
        return aspect in mock
    if kind not in _OPTIONAL:
        return True
    if mock.get(aspect) is None or vendor.get(aspect) is None:
        return False
    if kind == "side":
        # A score in the middle of 0-100 does not show which side means yes.
        return "middle" not in mock[aspect] + vendor[aspect]
    return True


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
        shown = merged.setdefault(key, difference)
        shown.calls += [call for call in difference.calls if call not in shown.calls]
        shown.claims = [claim for claim in shown.claims if claim in difference.claims]
    return list(merged.values())
