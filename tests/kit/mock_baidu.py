"""Requests to Baidu as clients send them."""

import base64
from urllib.parse import urlencode

import attrs
from kit import mock_didit as didit
from kit import mock_rekognition as rekognition
from kit.mock_didit import control_request, scene
from kit.scenario import Scenario, advance, answer_with_fault, limit

from facematch_mock_server.vendors.baidu.vendor import (
    API_KEY,
    APP_KEY,
    APP_SECRET,
    DETECT,
    FACEVERIFY,
    LOGIN,
    MATCH,
    PERSON,
)

__all__ = ["API_KEY", "APP_KEY", "APP_SECRET", "FACEVERIFY", "LOGIN", "MATCH"]
BEARER = f"Bearer {API_KEY}"


def picture(content=None, **fields):
    """An item of the list of pictures; a field that is None is left out."""
    data = scene() if content is None else content
    item = {"image": base64.b64encode(data).decode(), "image_type": "BASE64", **fields}
    return {name: value for name, value in item.items() if value is not None}


def post(items, path=MATCH, *, authorization=BEARER, method="POST", token=None, kind=None):
    """A call; a token stands in the query, and then there is no header."""
    more = {} if authorization is None or token is not None else {"authorization": authorization}
    if token is not None:
        path = f"{path}?{urlencode({'access_token': token})}"
    more["content_type"] = kind or "application/json"
    return didit.json_request(path, items, method=method, key=None, **more)


def match(probe=None, reference=None, **more):
    return post([picture(probe), picture(reference)], **more)


def faceverify(probe=None, **more):
    return post([picture(probe)], FACEVERIFY, **more)


def detect(content=None, **fields):
    return post(picture(content, **fields), DETECT)


def person_verify(content=None, **fields):
    person = {"id_card_number": "110101199003070000", "name": "Ada"}
    return post(picture(content, **{**person, **fields}), PERSON)


def login(*, method="POST", **changes):
    """The login of the app; a field that is None is left out."""
    fields = {"grant_type": "client_credentials", "client_id": APP_KEY, "client_secret": APP_SECRET}
    sent = {name: text for name, text in {**fields, **changes}.items() if text is not None}
    return didit.didit_request(f"{LOGIN}?{urlencode(sent)}", method=method, key=None)


def token_of(engine):
    return engine.handle(login()).json()["access_token"]


def with_token(sent, change=str):
    """A step that sends a call with the token of a login."""

    def step(engine):
        token = change(token_of(engine))
        target = f"{sent.target}?{urlencode({'access_token': token})}"
        headers = tuple(header for header in sent.headers if header[0] != "authorization")
        return engine.handle(attrs.evolve(sent, target=target, headers=headers))

    return step


def compare_by_expired_token(engine):
    token = token_of(engine)
    engine.handle(advance(31 * 86_400))
    return engine.handle(match(token=token))


def scenarios():
    """Return the calls of claims/test_cited.py: an answer has each claim."""
    calls = (
        match(),
        faceverify(),
        login(method="GET"),
        login(grant_type="password"),
        login(client_id="nobody"),
        login(client_secret="wrong"),
        with_token(match(), change=lambda token: f"{token}0"),
        match(authorization=None),
        match(authorization="Bearer bce-v3/ALTAK-nobody/key"),
        match(authorization="bce-auth-v1/key/2026-11-28T08:00:00Z/1800/host/0"),
        control_request("keys", {"key": "bce-v3/ALTAK-weak/key", "allowed": False}),
        match(authorization="Bearer bce-v3/ALTAK-weak/key"),
        post(b"{"),
        post([picture()]),
        post([picture(image=None), picture()]),
        post([picture(image_type="FILE"), picture()]),
        post([picture(image_type="URL"), picture()]),
        post([picture(image_type="FACE_TOKEN"), picture()]),
        detect(face_field="age,beauty", max_face_num="many"),
        post(b"image_type=BASE64", DETECT, kind="application/x-www-form-urlencoded"),
        detect(scene(quality=10), quality_control="LOW"),
        detect(scene(score=10), liveness_control="NORMAL"),
        person_verify(),
        person_verify(name=None),
        post([picture(image="not base64!"), picture()]),
        match(b"x" * 1_600_000),
        match(rekognition.draw_picture("WEBP")),
        match(rekognition.draw_picture(size=(1921, 80))),
        match(b"no picture"),
        match(scene(faces=0)),
        match(path="/rest/2.0/face/v3/nothing"),
        answer_with_fault(500, match()),
        limit("second", 0),
        match(),
        limit("second", None),
        control_request("ledger/balance", {"balance": "0"}),
        match(),
        compare_by_expired_token,
    )
    return [
        Scenario("baidu", calls, {"price": "0.01"}),
    ]
