"""Requests to Sumsub as its examples sign them, and steps about an applicant."""

import base64
import datetime as dt
import hashlib
import hmac
import json

from kit import mock_didit as didit
from kit import mock_didit_webhooks as webhooks
from kit.mock_didit import START, control_of, control_request, json_bytes, json_request, scene
from kit.scenario import Scenario, advance, limit

from facematch_mock_server.vendors.sumsub.vendor import (
    LIVE_SECRET_KEY,
    LIVE_TOKEN,
    SANDBOX_SECRET_KEY,
    SANDBOX_TOKEN,
)

SANDBOX = {"token": SANDBOX_TOKEN, "key": SANDBOX_SECRET_KEY}
LINK = "/resources/sdkIntegrations/levels/-/websdkLink"


def signed(
    method, target, body=None, *, token=LIVE_TOKEN, key=LIVE_SECRET_KEY, at=START, **headers
):
    """A signed request. Further headers replace those of the signature; None leaves one out."""
    data = json_bytes(body)
    timestamp = str(int(at.timestamp()))
    message = (timestamp + method + target).encode() + data
    signature = hmac.new(key.encode(), message, hashlib.sha256).hexdigest()
    sent = {"x_app_token": token, "x_app_access_ts": timestamp, "x_app_access_sig": signature}
    sent |= {"host": "api.sumsub.com", **headers}
    sent = {name: value for name, value in sent.items() if value is not None}
    return json_request(target, body, method=method, key=None, **sent)


def create(external_id="a-person", level="basic", **how):
    body = {"externalUserId": external_id, "type": "individual"}
    return signed("POST", f"/resources/applicants?levelName={level}", body, **how)


def link(external_id="a-person", level="basic", *, query="", how=None, **fields):
    body = {"levelName": level, "userId": external_id, **fields}
    return signed("POST", f"{LINK}{query}", body, **(how or {}))


def token(external_id="a-person", level="basic", *, slash="", how=None, **fields):
    body = {"levelName": level, "userId": external_id, **fields}
    return signed("POST", f"/resources/accessTokens/sdk{slash}", body, **(how or {}))


def token_by_query(query="userId=a-person&levelName=basic", *, slash="", **how):
    return signed("POST", f"/resources/accessTokens{slash}?{query}", **how)


def frame(access_token):
    """The web SDK's request for the page in its frame."""
    frame_id = base64.b64encode(access_token.encode()).decode()
    return json_request(f"/websdk/websdk.html?_=id_{frame_id}", method="GET", key=None)


def frame_of_new_token(**how):
    """A step: the frame of an access token that was just made."""

    def step(engine):
        made = engine.handle(token(how=how)).json()
        return engine.handle(frame(made["token"]))

    return step


def link_of_level(query="externalUserId=a-person", level="basic", body=None, **how):
    return signed(
        "POST", f"/resources/sdkIntegrations/levels/{level}/websdkLink?{query}", body, **how
    )


def adding(
    number,
    picture,
    kind="PASSPORT",
    *,
    more=None,
    metadata=None,
    signature=None,
    token=LIVE_TOKEN,
    key=LIVE_SECRET_KEY,
    **headers,
):
    """A step: a picture is sent for the applicant with this number."""

    def step(engine):
        document = {"idDocType": kind, "country": "GBR", **(more or {})}
        fields = [("metadata", json.dumps(document) if metadata is None else metadata)]
        files = [("content", "a.png", picture)] if picture else []
        data, content_type = didit.multipart(fields, files)
        target = f"/resources/applicants/{nth(engine, number).id}/info/idDoc"
        timestamp = str(int(engine.world.clock.now().timestamp()))
        message = (timestamp + "POST" + target).encode() + data
        signed_by = hmac.new(key.encode(), message, hashlib.sha256).hexdigest()
        sent = {"x_app_token": token, "x_app_access_ts": timestamp}
        sent |= {"x_app_access_sig": signature or signed_by, **headers}
        request = didit.didit_request(target, data, content_type, key=None, **sent)
        return engine.handle(request)

    return step


def checking(number, **how):
    """A step: a check of the pictures that were sent is requested."""
    return applicant(number, "POST", "status/pending", **how)


def applicant(number, method, what, body=None, **how):
    """A step: a request about the applicant with this number."""

    def step(engine):
        target = f"/resources/applicants/{nth(engine, number).id}/{what}"
        at = engine.world.clock.now()
        return engine.handle(signed(method, target, body, at=at, **how))

    return step


def read(number, **how):
    return applicant(number, "GET", "one", **how)


def steps_of(number, **how):
    return applicant(number, "GET", "requiredIdDocsStatus", **how)


def complete_test(number, answer="GREEN", **fields):
    body = {"reviewAnswer": answer, "rejectLabels": [], **fields}
    return applicant(number, "POST", "status/testCompleted", body, **SANDBOX)


def checked(number, card=None, document=None):
    """A step: the person with this card passes the page, and the steps are read."""

    def step(engine):
        pictures = {"card": card or scene(), "document": document or scene()}
        control_of(engine).sessions.finish(nth(engine, number).id, **pictures)
        return steps_of(number)(engine)

    return step


def decided(number, status):
    """A step: a reviewer sets a status, and it is read."""

    def step(engine):
        control_of(engine).sessions.decide(nth(engine, number).id, status)
        return applicant(number, "GET", "status")(engine)

    return step


def nth(engine, number):
    (session,) = (each for each in engine.world.sessions.all() if each.number == number)
    return session


#: When the mock's clock stands in the scenario of Sumsub, once it has advanced.
LATER = didit.START + dt.timedelta(seconds=301)


def scenarios():
    """Return the calls of claims/test_cited.py: an answer has each claim."""
    calls = (
        webhooks.listen(events=["applicantCreated", "applicantPending", "applicantReviewed"]),
        create(),
        create(),
        create(level=""),
        signed("POST", "/resources/applicants?levelName=basic", b"["),
        link(redirect={"successUrl": "https://shop.example/done"}, query="?lang=es"),
        link(ttlInSecs=0),
        link("another-person"),
        read(1),
        steps_of(1),
        checked(1),
        decided(1, "completed RED FINAL"),
        decided(1, "awaitingService"),
        decided(1, "completed GREEN"),
        webhooks.carried(302),
        decided(1, "completed GREEN"),
        webhooks.carried(400),
        decided(1, "completed GREEN"),
        webhooks.carried(404),
        decided(1, "completed GREEN"),
        webhooks.carried(500),
        decided(1, "completed GREEN"),
        webhooks.carried("timeout"),
        advance(301),
        webhooks.carried(),
        signed("GET", "/resources/applicants/-;externalUserId=a-person/one", at=LATER),
        signed("GET", "/resources/applicants/-/byExternalUserId/a-person", at=LATER),
        signed("GET", "/resources/applicants/-/byExternalUserId/nobody", at=LATER),
        signed("GET", f"/resources/applicants/{'0' * 24}/one", at=LATER),
        signed("GET", "/resources/applicants/000/one", at=LATER),
        signed("GET", "/resources/inspections/1", at=LATER),
        token(slash="/", how={"at": LATER}),
        frame_of_new_token(at=LATER),
        token_by_query(at=LATER),
        token_by_query("userId=a-person", at=LATER),
        link_of_level(at=LATER),
        signed("GET", "/resources/applicants/-;externalUserId=a-person", at=LATER),
        signed("POST", "/resources/applicants", {"externalUserId": "no-level"}, at=LATER),
        checking(3),
        adding(3, didit.P1, x_return_doc_warnings="true"),
        adding(3, didit.P1),
        adding(3, b"0" * 64_000_001),
        checking(3),
        decided(3, "pending"),
        checking(3),
        signed("GET", "/resources/applicants", at=LATER),
        applicant(1, "POST", "status/testCompleted", {}),
        applicant(1, "PATCH", "presence/deactivated"),
        applicant(1, "PATCH", "presence/deactivated"),
        applicant(1, "PATCH", "presence/activated"),
        applicant(1, "POST", "reset"),
        decided(2, "pending"),
        applicant(2, "PATCH", "presence/deactivated"),
        decided(2, "completed GREEN"),
        applicant(2, "PATCH", "presence/deactivated"),
        applicant(2, "POST", "reset"),
        link("a-tester", how={"at": LATER, **SANDBOX}),
        checked(4),
        complete_test(4, "RED", reviewRejectType="RETRY", clientComment="Blurred."),
        complete_test(4, "BLUE"),
        steps_of(4, **SANDBOX),
        create(x_app_token=None),
        create(token="app-token"),
        create(x_app_access_ts="soon"),
        create(at=didit.START - dt.timedelta(seconds=61)),
        create(token="prd:another-token", at=LATER),
        create(key="another-key", at=LATER),
        control_request("keys", {"key": "old-key", "client": "prd:old", "expires": "2026-07-01"}),
        create(token="prd:old", key="old-key", at=LATER),
        control_request("keys", {"key": "weak-key", "client": "prd:weak", "allowed": False}),
        create(token="prd:weak", key="weak-key", at=LATER),
        control_request("sessions/levels", {"name": "basic"}),
        create("third-person", level="Basic", at=LATER),
        limit("sandbox", 0),
        create("fourth-person", at=LATER, **SANDBOX),
        limit("post", 0),
        create("fifth-person", at=LATER),
        limit("get", 0),
        read(1),
    )
    return [
        Scenario("sumsub", calls, {"sandbox_selfie": "same"}),
        Scenario("sumsub", calls, {"webhook_algorithm": "HMAC_SHA512_HEX"}),
        Scenario("sumsub", calls, {"webhook_algorithm": "HMAC_SHA1_HEX"}),
    ]
