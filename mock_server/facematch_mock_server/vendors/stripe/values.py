"""Values of Stripe's answers that a test can set: those of its client, stripe 16.1.0 (MIT)."""

from __future__ import annotations

from facematch_mock_server.world.set_values import DocumentedValues

_ID_NUMBERS = ("br_cpf", "sg_nric", "us_ssn")

VALUES: DocumentedValues = {
    "/v1/identity/verification_sessions/*": {
        "last_error.code": (
            "abandoned",
            "consent_declined",
            "country_not_supported",
            "device_not_supported",
        ),
        "verified_outputs.id_number_type": _ID_NUMBERS,
    },
    "/v1/identity/verification_reports/*": {
        "document.type": ("driving_license", "id_card", "passport"),
        "id_number.id_number_type": _ID_NUMBERS,
    },
}
