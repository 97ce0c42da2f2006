"""Values of Stripe's answers that a test can set: those of its client, stripe 16.1.0 (MIT)."""

from __future__ import annotations

from facematch_mock_server.world.set_values import DocumentedValues

_DOCUMENT_TYPES = ("driving_license", "id_card", "passport")
_ID_NUMBERS = ("br_cpf", "sg_nric", "us_ssn")

VALUES: DocumentedValues = {
    "/v1/identity/verification_sessions/*": {
        "last_verification_report.document.type": _DOCUMENT_TYPES,
        "last_verification_report.id_number.id_number_type": _ID_NUMBERS,
        "verified_outputs.id_number_type": _ID_NUMBERS,
    },
    "/v1/identity/verification_reports/*": {
        "document.type": _DOCUMENT_TYPES,
        "id_number.id_number_type": _ID_NUMBERS,
    },
}
