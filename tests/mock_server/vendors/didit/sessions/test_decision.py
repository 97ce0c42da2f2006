from kit.mock_didit_sessions import on, update


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
