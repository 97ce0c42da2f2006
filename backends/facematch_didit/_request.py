"""Requests to Didit: a call into a form.

Fields: Didit API reference, Face Match, June 2026; the other calls: Didit OpenAPI, 2026-07-18.
All pages were read on 2026-11-20.
"""

from __future__ import annotations

import json
from decimal import Decimal

from facematch_core import (
    Retention,
    SearchMode,
    Secret,
    Threshold,
    ThresholdRule,
    ThresholdSource,
)
from facematch_core.backend import (
    ATTEMPT_KEY,
    AgeCall,
    Call,
    LivenessCall,
    MatchCall,
    SearchCall,
)
from facematch_core.errors import UnsupportedOption
from facematch_core.http import HttpRequest, picture

from ._words import DEFAULT_THRESHOLD, NAME

MATCH_PATH = "/v3/face-match/"
LIVENESS_PATH = "/v3/passive-liveness/"
SEARCH_PATH = "/v3/face-search/"
AGE_PATH = "/v3/age-estimation/"

MATCH_THRESHOLD = "face_match_score_decline_threshold"
LIVENESS_THRESHOLD = "face_liveness_score_decline_threshold"
MINIMUM_AGE = "age_estimation_decline_threshold"

#: Didit's words for what is searched.
SEARCH_TYPES = {
    SearchMode.MOST_SIMILAR: "most_similar",
    SearchMode.BLOCKLISTED_OR_APPROVED: "blocklisted_or_approved",
}

#: Longest `caller_ref` in characters. Didit documents no limit for `vendor_data`; this one is ours.
MAX_CALLER_REF = 255


def match_request(call: MatchCall, *, base_url: str, api_key: Secret) -> HttpRequest:
    """The face match of `call`; the errors are those of `_fields`."""
    return HttpRequest(
        url=base_url + MATCH_PATH,
        headers={"x-api-key": api_key},
        fields=_threshold(MATCH_THRESHOLD, call) | _fields(call),
        files=[picture("user_image", call.probe), picture("ref_image", call.reference)],
    )


def liveness_request(call: LivenessCall, *, base_url: str, api_key: Secret) -> HttpRequest:
    """The passive liveness check of `call`; the errors are those of `_fields`."""
    fields = _threshold(LIVENESS_THRESHOLD, call) | _fields(call)
    return _of_one(call, base_url + LIVENESS_PATH, api_key, fields)


def search_request(call: SearchCall, *, base_url: str, api_key: Secret) -> HttpRequest:
    """The face search of `call`; the errors are those of `_fields`."""
    fields = {"search_type": SEARCH_TYPES[call.mode]} | _fields(call)
    return _of_one(call, base_url + SEARCH_PATH, api_key, fields)


def age_request(call: AgeCall, *, base_url: str, api_key: Secret) -> HttpRequest:
    """The estimation of age of `call`; the errors are those of `_fields`."""
    # Left out, Didit's own minimum age would count; 0 switches the rule off.
    years = 0 if call.minimum_age is None else int(call.minimum_age.value or 0)
    fields = {MINIMUM_AGE: str(years)} | _threshold(LIVENESS_THRESHOLD, call) | _fields(call)
    return _of_one(call, base_url + AGE_PATH, api_key, fields)


def _of_one(call: Call, url: str, api_key: Secret, fields: dict[str, str]) -> HttpRequest:
    return HttpRequest(
        url=url,
        headers={"x-api-key": api_key},
        fields=fields,
        files=[picture("user_image", call.probe)],
    )


def threshold_of(call: Call) -> Threshold:
    """Where a pass of `call` begins: above the caller's value, or above Didit's own default."""
    if call.threshold is None or call.threshold.value is None:
        return Threshold(DEFAULT_THRESHOLD, ThresholdRule.ABOVE, ThresholdSource.DEFAULT)
    return call.threshold


def _threshold(name: str, call: Call) -> dict[str, str]:
    return {name: number_text(threshold_of(call).value or 0.0)}


def _fields(call: Call) -> dict[str, str]:
    """The form fields that all calls have.

    Raises:
        UnsupportedOption: `caller_ref` is longer than `MAX_CALLER_REF`, or white space alone.
    """
    fields = {
        "rotate_image": _flag(call.rotate),
        # Left out, Didit keeps the pictures.
        "save_api_request": _flag(call.retention is Retention.KEEP),
    }
    if call.caller_ref:
        if not call.caller_ref.strip():
            # Didit's lists cannot be asked for it, and a framework may drop it.
            raise UnsupportedOption(
                "caller_ref is white space alone: leave it out, or write something. Nothing was "
                "sent.",
                backend=NAME,
                option="caller_ref",
            )
        if len(call.caller_ref) > MAX_CALLER_REF:
            raise UnsupportedOption(
                f"caller_ref has {len(call.caller_ref)} characters, but at most {MAX_CALLER_REF} "
                "are sent to Didit (as vendor_data): shorten it. Nothing was sent.",
                backend=NAME,
                option="caller_ref",
            )
        fields["vendor_data"] = call.caller_ref
    metadata = dict(call.metadata or {})
    if call.retention is Retention.KEEP:
        # In the metadata, because vendor_data is the caller's, and has a meaning for Didit's index.
        metadata[ATTEMPT_KEY] = call.attempt_id
    if metadata:
        fields["metadata"] = json.dumps(metadata, allow_nan=False)
    return fields


def number_text(value: float) -> str:
    """`value` in full, without an exponent, and without a fraction if it is whole.

    Early in 2026 Didit documented whole numbers only (Didit face-match skill page).
    """
    return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")


def _flag(value: bool) -> str:
    return "true" if value else "false"
