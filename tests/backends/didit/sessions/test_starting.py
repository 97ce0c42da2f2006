"""What a start sends, what it gives, what it refuses before it, and what Didit's refusals mean."""

import base64

import attrs
import pytest
from kit.fakes import picture

import facematch_core as fm
from facematch_core.backend.session_types import DeletionState
from facematch_didit import DiditBackend, DiditSessionOptions

SANDBOX = {"environment": fm.Environment.SANDBOX}


def test_the_record_alone_makes_the_least_body(scripted, didit):
    backend, script = scripted()
    session = backend.start_session(didit.request("start"))
    ((method, url, body),) = script.sent
    assert (method, url) == ("POST", "https://verification.didit.me/v3/session/")
    record = didit.record
    assert body == {
        "workflow_id": didit.workflow_id,
        "vendor_data": record.id,
        "metadata": {"id": record.id, "terms": record.terms},
    }
    assert didit.canary not in script.seen[0].body.decode()  # the subject stays here
    assert session.session_id == didit.session_id
    assert session.way_in.link.reveal() == didit.started()["url"]
    assert session.way_in.token.reveal() == didit.started()["session_token"]
    assert session.facts == {"workflow_id": didit.workflow_id}
    assert session.vendor == {"workflow_version": "3"}
    assert didit.canary not in repr(session)


def test_the_documented_link_is_one_that_people_may_be_sent_to(scripted, didit):
    nothing = (200, {"count": 0, "next": None, "results": []})
    backend, _ = scripted(nothing, (201, didit.started()))
    sessions = fm.Sessions(fm.FaceVerifier(backend), compared_with="document")
    link = sessions.start(didit.record).way_in.link.reveal()
    assert link.startswith("https://verify.didit.me/")


def test_everything_that_can_be_asked_for_is_sent(scripted, didit):
    reference = picture()
    backend, script = scripted(workflow_takes_reference=True, **SANDBOX)
    options = DiditSessionOptions(callback_method="both", sandbox_scenario="approve")
    url = "https://shop.example/back"
    asked_for = {"reference": reference, "return_url": url, "language": "es", "options": options}
    backend.start_session(didit.request("start", **asked_for))
    ((_, _, body),) = script.sent
    assert base64.b64decode(body.pop("portrait_image")) == reference.data
    assert {name: body[name] for name in set(body) - {"metadata", "workflow_id"}} == {
        "vendor_data": didit.record.id,
        "callback": url,
        "callback_method": "both",
        "language": "es",
        "sandbox_scenario": "approve",
    }


SCENARIO = {"options": DiditSessionOptions(sandbox_scenario="approve")}


@pytest.mark.parametrize(
    ("settings", "more", "error"),
    [
        ({"workflow_id": None}, {}, fm.ConfigurationError),
        ({"workflow_id": "my-workflow"}, {}, fm.ConfigurationError),
        ({}, {"reference": picture()}, fm.Unsupported),
        ({"environment": fm.Environment.PRODUCTION}, SCENARIO, fm.Unsupported),
    ],
)
def test_what_cannot_go_is_refused_before_anything_is_sent(settings, more, error, scripted, didit):
    backend, script = scripted(**settings)
    with pytest.raises(error):
        backend.start_session(didit.request("start", **more))
    assert script.seen == []


def test_no_scenario_is_sent_where_nobody_says_which_environment_it_is(didit):
    backend = DiditBackend(api_key="k-1", workflow_id=didit.workflow_id)
    with pytest.raises(fm.Unsupported):
        next(backend.start_steps(didit.request("start", **SCENARIO)))


def test_settings_may_be_one_or_several_and_come_from_a_file_or_the_environment(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("DIDIT_WORKFLOW_ID", "11111111-2222-3333-4444-555555555555")
    monkeypatch.setenv("DIDIT_WEBHOOK_SECRET", "one")
    with fm.open_verifier("didit", api_key="k-1", media_hosts="a.example") as verifier:
        backend = verifier.backend
        assert backend.media_hosts == ("a.example",)
        assert [secret.reveal() for secret in backend.webhook_secrets] == ["one"]
        assert backend.workflow_id.startswith("1111")
        assert backend.handoff_hosts == ()
    monkeypatch.setenv("TWO", "two")
    (tmp_path / "facematch.toml").write_text(
        '[profiles.p]\nbackend = "didit"\n[profiles.p.settings]\napi_key = { env = "TWO" }\n'
        'webhook_secrets = [{ env = "DIDIT_WEBHOOK_SECRET" }, { env = "TWO" }]\n'
        'return_hosts = ["shop.example"]\n'
    )
    with fm.open_verifier(profile="p", config=tmp_path / "facematch.toml") as verifier:
        assert [secret.reveal() for secret in verifier.backend.webhook_secrets] == ["one", "two"]
        assert verifier.backend.return_hosts == ("shop.example",)


CREDIT = "You don't have enough credits to perform this request."


@pytest.mark.parametrize(
    ("answer", "error", "charged"),
    [
        ((400, {"detail": CREDIT}), fm.InsufficientCredit, "no"),
        ((400, {"workflow_id": ["This field is required."]}), fm.RequestRejected, "no"),
        ((400, {"workflow_id": "Invalid workflow_id."}), fm.RequestRejected, "no"),
        ((400, {"portrait_image": ["Image size exceeds 2MB."]}), fm.RequestRejected, "no"),
        ((400, ["A bare list."]), fm.RequestRejected, "no"),
        ((401, {"detail": "Invalid API Key."}), fm.AuthenticationFailed, "no"),
        ((403, {"detail": "You do not have permission."}), fm.AuthenticationFailed, "no"),
        ((404, {"detail": "Not found."}), fm.RequestRejected, "no"),
        ((429, {"detail": "Sandbox session quota exceeded."}), fm.RateLimited, "no"),
        ((500, {"detail": "Oh."}), fm.OutcomeUnknown, "unknown"),
        ((502, b"<html>"), fm.OutcomeUnknown, "unknown"),
        ((400, b"<html>"), fm.OutcomeUnknown, "unknown"),
    ],
)
def test_a_refusal_of_a_start(answer, error, charged, scripted, didit):
    backend, _ = scripted((*answer, {"Retry-After": "3600"}))
    with pytest.raises(error) as caught:
        backend.start_session(didit.request("start"))
    assert type(caught.value) is error
    assert (caught.value.billing.charged, caught.value.retry_after_s) == (charged, 3600)
    fields = {"workflow_id", "portrait_image"} & set(answer[1])
    assert set(getattr(caught.value, "field_errors", {})) >= fields


def test_an_answer_about_something_else_gives_no_link(scripted, didit):
    foreign = {"id": "f" * 32, "terms": "x"}
    odd = ({"metadata": foreign}, {"metadata": None}, {"session_id": "no"}, {"url": None})
    for changes in (*odd, {"session_token": 7}):
        backend, _ = scripted((201, didit.started(**changes)))
        with pytest.raises(fm.UnexpectedResponse) as caught:
            backend.start_session(didit.request("start"))
        assert didit.canary not in f"{caught.value!r} {caught.value}"


# A start that lost its answer is looked for; a session is deleted, and what of the face is left


def page(*rows):
    return 200, {"count": len(rows), "next": None, "previous": None, "results": rows}


OTHER = "3c9a1f70-5d2e-4b8a-9f11-6a0e2d7c4b36"
GONE = (404, {"detail": "Not found."})


def test_a_lost_start_is_found_by_the_id_of_its_record(scripted, didit):
    backend, script = scripted(page(didit.row()), (200, didit.decision()))
    reading = backend.read_session(didit.request("read"))
    assert (reading.session_id, reading.record_id) == (didit.session_id, didit.record.id)
    (_, listed, _), (_, opened, _) = script.sent
    assert listed.endswith(f"?vendor_data={didit.record.id}&limit=20&offset=0")
    assert opened.endswith(f"/v3/session/{didit.session_id}/decision/")


@pytest.mark.parametrize(
    ("answers", "requests"),
    [
        ([page()], 1),
        ([page({"vendor_data": "somebody"})], 1),  # a filter that was not heeded
        ([page({}), GONE], 2),
        ([page({}), {"metadata": {"id": "f" * 32, "terms": "x"}}], 2),  # another record's
        ([page(*[{}] * 30), *[{"metadata": None}] * 30], 21),
    ],
)
def test_what_is_not_the_records_is_not_found(answers, requests, scripted, didit):
    def spell(answer):
        if isinstance(answer, dict):
            return 200, didit.decision(**answer)
        if "results" not in answer[1]:
            return answer
        return page(*[didit.row(**changes) for changes in answer[1]["results"]])

    backend, script = scripted(*[spell(answer) for answer in answers])
    with pytest.raises(fm.SessionNotFound) as caught:
        backend.read_session(didit.request("read"))
    assert caught.value.billing.charged is fm.Charged.NO
    assert len(script.seen) == requests


@pytest.mark.parametrize("rows", [(), ({"vendor_data": "somebody"},)])
def test_nothing_is_deleted_that_is_not_the_records(rows, scripted, didit):
    backend, script = scripted(page(*[didit.row(**changes) for changes in rows]))
    with pytest.raises(fm.SessionNotFound) as caught:
        backend.delete_session(didit.request("delete"))
    assert caught.value.billing.charged is fm.Charged.NO
    assert [method for method, _, _ in script.sent] == ["GET"]


def test_a_film_is_deleted_unread_and_so_is_that_of_a_second_start(scripted, didit):
    rows = page(didit.row(session_id=OTHER), didit.row(), didit.row(vendor_data="somebody"))
    backend, script = scripted(rows, (204, b""), (204, b""))
    assert backend.delete_session(didit.request("delete")).state is DeletionState.DONE
    requests = [(method, url.rpartition("/session/")[2]) for method, url, _ in script.sent[1:]]
    assert requests == [("DELETE", f"{name}/delete/") for name in (OTHER, didit.session_id)]


def test_of_two_starts_the_session_that_was_judged_is_read(scripted, didit):
    rows = page(didit.row(session_id=OTHER), didit.row())
    opened = didit.decision(status="Not Started")
    backend, _ = scripted(rows, (200, didit.decision(session_id=OTHER)), (200, opened))
    assert backend.read_session(didit.request("read")).session_id == OTHER


def test_a_session_that_is_deleted_meanwhile_hides_no_older_one(scripted, didit):
    rows = page(didit.row(session_id=OTHER), didit.row())
    backend, _ = scripted(rows, GONE, (200, didit.decision()))
    assert backend.read_session(didit.request("read")).session_id == didit.session_id


@pytest.mark.parametrize(
    ("answer", "state", "kept"),
    [
        ((204, b""), DeletionState.DONE, None),
        ((200, {"face_retention_outcome": "deleted"}), DeletionState.DONE, False),
        ((200, {"face_retention_outcome": "none"}), DeletionState.DONE, False),
        ((200, {"face_retention_outcome": "retained_with_user"}), DeletionState.DONE, True),
        ((200, {"face_retention_outcome": "ineligible_no_vendor_user"}), DeletionState.DONE, None),
        ((404, {"detail": "Not found."}), DeletionState.NOT_THERE, None),
    ],
)
def test_a_deletion_says_what_became_of_the_face(answer, state, kept, scripted, didit):
    backend, script = scripted(answer)
    record = attrs.evolve(didit.record, session_id=didit.session_id)
    deletion = backend.delete_session(didit.request("delete", record))
    assert (deletion.state, deletion.face_kept) == (state, kept)
    word = answer[1] and answer[1].get("face_retention_outcome")
    assert deletion.vendor_word == (word or None)
    assert script.sent[0][0] == "DELETE"
    assert script.sent[0][2] == {"retain_face_embeddings": False}


def test_a_gateway_deletes_nothing(scripted, didit):
    record = attrs.evolve(didit.record, session_id=didit.session_id)
    for answer, error in (
        ((404, b"<html>"), fm.RequestRejected),
        ((200, b"<html>"), fm.UnexpectedResponse),
        ((503, {"detail": "Busy."}), fm.VendorUnavailable),
    ):
        backend, _ = scripted(answer)
        with pytest.raises(error):
            backend.delete_session(didit.request("delete", record))
