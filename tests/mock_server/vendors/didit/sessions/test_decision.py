from kit.mock_didit_sessions import on, update

#: What a saved call can have, and what it never has: the blocks of services that did not run.
FACTS = {
    *("session_id", "session_kind", "session_number", "session_url", "status", "environment"),
    *("workflow_id", "features", "vendor_data", "metadata", "expected_details"),
    *("contact_details", "callback", "reviews", "created_at", "expires_at"),
}
BLOCKS = {
    *("id_verifications", "nfc_verifications", "liveness_checks", "face_matches"),
    *("phone_verifications", "email_verifications", "poa_verifications", "document_ai_documents"),
    *("questionnaire_responses", "aml_screenings", "ip_analyses", "database_validations"),
}


def test_events_add_sections_and_take_the_kind_away(engine, answer):
    plain, more, other = (
        answer(engine, on(1, query=query))[1] for query in ("", "?include=events", "?include=other")
    )
    assert {key: more[key] for key in set(more) - set(plain)} == {
        "events": [],
        "activity_reviews": [],
        "blocklisted": None,
        "cost_breakdown": None,
        "workflow_type": None,
        "workflow_version": None,
        "workflow_version_id": None,
        "api_service": "FACE_MATCH",
        "session_type": "API",
        "has_device_nfc_support": None,
    }
    assert set(plain) - set(more) == {"session_kind"}
    kept = set(plain) & set(more) - {"face_matches"}
    assert {key: more[key] for key in kept} == {key: plain[key] for key in kept}
    assert other == plain


def test_another_organization_is_refused(engine, answer):
    key = next(iter(engine.accounts.open("other").first_keys["didit"]))
    for step in (on(1, key=key), update(1, key=key), on(1, "delete", method="DELETE", key=key)):
        assert answer(engine, step)[0] == 403
