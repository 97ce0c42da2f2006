"""Requests to Onfido as clients send them."""

from urllib.parse import urlencode

from kit import mock_didit as didit
from kit import mock_didit_sessions as sessions
from kit import mock_didit_webhooks as webhooks
from kit.mock_didit import control_request
from kit.scenario import Scenario, advance

from facematch_mock_server.vendors.onfido.vendor import (
    CLIENT,
    CLIENT_SECRET,
    LIVE_TOKEN,
    LOGIN,
    SANDBOX_TOKEN,
    WEBHOOKS,
)

__all__ = ["CLIENT", "CLIENT_SECRET", "LIVE_TOKEN", "LOGIN", "SANDBOX_TOKEN", "WEBHOOKS"]
APPLICANTS = "/v3.6/applicants"
RUNS = "/v3.6/workflow_runs"
WORKFLOW = "5025d9fd-7842-4805-bce1-a7bfd7131b4e"
NAME = {"first_name": "Unnamed", "last_name": "Applicant"}
NOBODY = "00000000-0000-4000-8000-000000000000"
HOOK = "http://127.0.0.1:9/hook"


def ask(path, body=None, *, method=None, token=LIVE_TOKEN, bearer=None, **query):
    """A call; a body makes it a POST."""
    headers = {"host": "127.0.0.1:8000"}
    if bearer is not None:
        headers["authorization"] = f"Bearer {bearer}"
    elif token is not None:
        headers["authorization"] = f"Token token={token}"
    target = f"{path}?{urlencode(query)}" if query else path
    return didit.json_request(target, body, method=method, key=None, **headers)


def login(**changes):
    fields = {
        "client_id": CLIENT,
        "client_secret": CLIENT_SECRET,
        **changes,
    }
    return didit.didit_request(
        LOGIN, urlencode(fields).encode(), "application/x-www-form-urlencoded", key=None
    )


def new_applicant(engine, **more):
    return engine.handle(ask(APPLICANTS, NAME, **more)).json()["id"]


def sdk_token(applicant_id, *, slash="", token=LIVE_TOKEN):
    body = {"applicant_id": applicant_id, "referrer": "*://*/*"}
    return ask(f"/v3.6/sdk_token{slash}", body, token=token)


def sdk_token_by_form(applicant_id):
    """A request for a token as Onfido's guide to its web SDK sends it with curl."""
    fields = {"applicant_id": applicant_id, "referrer": "*://*/*"}
    body, content_type = didit.multipart(fields.items(), [])
    headers = {"host": "127.0.0.1:8000", "authorization": f"Token token={LIVE_TOKEN}"}
    return didit.didit_request("/v3/sdk_token", body, content_type, key=None, **headers)


def upload(kind, applicant_id, picture, /, *, token=LIVE_TOKEN, slash="", name="a.png", **fields):
    """An upload to ``documents`` or ``live_photos``."""
    sent = {"applicant_id": applicant_id, **({"type": "passport"} if kind == "documents" else {})}
    sent |= fields
    files = [("file", name, picture)]
    body, content_type = didit.multipart(sent.items(), files if picture else [])
    headers = {"host": "127.0.0.1:8000", "authorization": f"Token token={token}"}
    return didit.didit_request(f"/v3.6/{kind}{slash}", body, content_type, key=None, **headers)


def pictured_applicant(engine, document=None, photo=None, **how):
    """Return the id of a new applicant with these pictures; None is not uploaded."""
    applicant_id = new_applicant(engine, **how)
    for kind, picture in (("documents", document), ("live_photos", photo)):
        if picture is not None:
            more = {"advanced_validation": "false"} if kind == "live_photos" else {}
            assert engine.handle(upload(kind, applicant_id, picture, **more, **how)).status == 201
    return applicant_id


def check(applicant_id, /, *names, path="/v3.6/checks", token=LIVE_TOKEN, **fields):
    body = {"applicant_id": applicant_id, "report_names": names, **fields}
    return ask(path, body, token=token)


def newest_applicant(engine):
    return engine.world.records.applicants.all()[-1].id


def uploading(kind, picture=didit.P1, **fields):
    """A step that uploads a picture of the newest applicant."""
    return lambda engine: engine.handle(upload(kind, newest_applicant(engine), picture, **fields))


def checking(*names, **fields):
    """A step that checks the newest applicant."""
    return lambda engine: engine.handle(check(newest_applicant(engine), *names, **fields))


def listing(kind, **how):
    """A step that lists uploads or checks of the newest applicant."""
    path = f"/v3.6/{kind}"
    return lambda engine: engine.handle(ask(path, applicant_id=newest_applicant(engine), **how))


def listing_reports(**how):
    """A step that lists the reports of the newest check."""
    return lambda engine: engine.handle(ask("/v3.6/reports", check_id=newest(engine).id, **how))


def start(engine, *, token=LIVE_TOKEN, applicant_id=None, **fields):
    """Start a run, with an applicant of its own; return the response."""
    if applicant_id is None:
        applicant_id = new_applicant(engine, token=token)
    body = {"applicant_id": applicant_id, "workflow_id": WORKFLOW, **fields}
    return engine.handle(ask(RUNS, body, token=token))


def starting(**fields):
    """A step that starts a run."""
    return lambda engine: start(engine, **fields)


def newest(engine):
    return engine.world.sessions.all()[-1]


def on_newest(path="", body=None, **how):
    """A step about the newest run."""
    return lambda engine: engine.handle(ask(f"{RUNS}/{newest(engine).id}{path}", body, **how))


def deciding(status):
    """A step that sets the status of the newest run."""

    def step(engine):
        body = {"session_id": newest(engine).id, "status": status}
        return engine.handle(didit.control_request("sessions/decide", body))

    return step


def on_its_applicant(path="", body=None, **how):
    """A step about the applicant of the newest run."""

    def step(engine):
        return engine.handle(ask(f"{APPLICANTS}/{newest(engine).internal_id}{path}", body, **how))

    return step


def on_webhook(body=None, **how):
    """A step about the newest webhook."""

    def step(engine):
        webhook_id = engine.world.outbox.destinations.all()[-1].uuid
        return engine.handle(ask(f"{WEBHOOKS}/{webhook_id}", body, **how))

    return step


def scenarios():
    """Return the calls of claims/test_cited.py: an answer has each claim."""
    calls = (
        ask(APPLICANTS, NAME),
        ask(APPLICANTS, {"first_name": "#"}),
        ask(APPLICANTS, NAME, token="api_live.nobody"),
        ask(APPLICANTS),
        control_request("keys", {"key": "api_live.weak", "allowed": False}),
        ask(APPLICANTS, token="api_live.weak"),
        login(),
        login(client_secret="wrong"),
        ask(WEBHOOKS, {"url": HOOK}),
        on_webhook(),
        starting(tags=["a"]),
        starting(token=SANDBOX_TOKEN),
        ask(RUNS, tags="a"),
        starting(),
        sessions.acting(3, "card"),
        webhooks.carried("no answer"),
        advance(60),
        webhooks.carried(500),
        advance(600),
        webhooks.carried(302),
        on_newest(),
        on_newest(token=SANDBOX_TOKEN),
        lambda engine: engine.handle(sdk_token(new_applicant(engine), slash="/")),
        lambda engine: engine.handle(sdk_token_by_form(new_applicant(engine))),
        starting(),
        sessions.acting(4, "card", card="p2", document="p1"),
        webhooks.carried(404),
        advance(60),
        webhooks.carried(403),
        starting(),
        sessions.acting(5, "expire"),
        on_newest(),
        deciding("error"),
        on_newest(),
        on_its_applicant(method="DELETE"),
        on_its_applicant(),
        on_newest(),
        on_its_applicant("/restore", {}),
        on_its_applicant(),
        ask(f"{RUNS}/{NOBODY}/tasks"),
        ask(APPLICANTS, NAME),
        uploading("live_photos"),
        checking("document"),
        uploading("documents"),
        uploading("live_photos", advanced_validation="false"),
        checking("watchlist_aml", applicant_provides_data=True),
        checking("document", "facial_similarity_photo"),
        webhooks.carried(),
        listing("documents"),
        listing("checks"),
        listing_reports(),
        ask(APPLICANTS, NAME, token=SANDBOX_TOKEN),
        uploading("documents", token=SANDBOX_TOKEN),
        checking("document", token=SANDBOX_TOKEN, consider=["document"]),
        checking("document", token=SANDBOX_TOKEN, sub_result="rejected"),
        ask("/v3.4/applicants", NAME),
        control_request("limits", {"live": 0, "sandbox": 0}),
        ask(APPLICANTS),
        ask(APPLICANTS, token=SANDBOX_TOKEN),
    )
    return [
        Scenario("onfido", calls, {"session_charged": "finished"}),
        Scenario("onfido", calls, {"session_charged": "created"}),
        Scenario("onfido", calls, {"session_charged": "never"}),
    ]
