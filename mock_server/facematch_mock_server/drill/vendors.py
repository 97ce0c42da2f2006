"""The facts of each vendor by which an application is judged: statuses and documented limits.

Only what a vendor's own pages say is judged, so a value that they do not state is left out.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs


@attrs.frozen(kw_only=True)
class VendorFacts:
    """The facts of a vendor by which an application is judged.

    Attributes:
        approved: The statuses of a session that mean yes.
        declined: The statuses that mean a final no.
        revised_to: The status of a yes that a person at the vendor takes back; None if the vendor's
            pages do not say that this happens.
        compares_faces: Whether a session compares the face with a document or a reference.
        sends_creation: Whether a webhook tells of a new session.
        max_age_s: The age in seconds from which a receiver must refuse a signed delivery; None if
            the vendor documents none.
        repeats_after_4xx: Whether the vendor repeats a delivery that was answered with a 4xx.
        webhook_variable: The environment variable with the secret of webhooks, as in our backends.
        all_events: Whether a receiver gets every kind of event, and not only the usual ones.
    """

    approved: frozenset[str]
    declined: frozenset[str]
    revised_to: str | None = None
    compares_faces: bool = True
    sends_creation: bool = False
    max_age_s: int | None = None
    repeats_after_4xx: bool = True
    webhook_variable: str | None = None
    all_events: bool = False


def _facts(approved: str, *declined: str, **facts: object) -> VendorFacts:
    statuses = {"approved": frozenset({approved}), "declined": frozenset(declined)}
    return VendorFacts(**statuses, **facts)  # type: ignore[arg-type]


FACTS: Mapping[str, VendorFacts] = {
    "stripe": _facts(
        "verified",
        "canceled",
        sends_creation=True,
        max_age_s=300,
        webhook_variable="STRIPE_WEBHOOK_SECRET",
    ),
    "onfido": _facts("approved", "declined", webhook_variable="ONFIDO_WEBHOOK_TOKEN"),
    "sumsub": _facts(
        "completed GREEN",
        "completed RED FINAL",
        revised_to="completed RED FINAL",
        sends_creation=True,
        webhook_variable="SUMSUB_WEBHOOK_SECRET",
        all_events=True,
    ),
    "persona": _facts(
        "approved",
        "declined",
        revised_to="declined",
        sends_creation=True,
        webhook_variable="PERSONA_WEBHOOK_SECRET",
    ),
    "veriff": _facts("approved", "declined", webhook_variable="VERIFF_SHARED_SECRET"),
    "didit": _facts(
        "Approved",
        "Declined",
        revised_to="Declined",
        max_age_s=300,
        repeats_after_4xx=False,
        webhook_variable="DIDIT_WEBHOOK_SECRET",
    ),
    # Without webhooks. What the application makes of a score is its own rule, so a session that
    # another person finishes is not judged at Rekognition, which compares nothing.
    "azure": _facts("Succeeded", "Failed"),
    "rekognition": _facts("SUCCEEDED", "FAILED", compares_faces=False),
}
