"""Requests to Baidu as clients send them."""

import base64
from urllib.parse import urlencode

import attrs
from kit import mock_didit as didit
from kit.mock_didit import scene

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
