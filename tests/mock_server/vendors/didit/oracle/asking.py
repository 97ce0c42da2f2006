"""One request asked of both: of the framework and of the mock."""

import contextlib
import datetime as dt
import functools
import json
import logging
from urllib.parse import urlsplit

import attrs
import requests
from kit import django_settings

from facematch_mock_server import MockServer, VirtualClock, card_sheet

BOUNDARY = "6f1d2c3b4a59e8f70d1c2b3a49586776"
HOST = "verification.didit.me"
KEY = "mock-live-key"
LIVENESS = "/v3/passive-liveness/"
NOWHERE = "00000000-0000-4000-8000-000000000000"
START = dt.datetime(2026, 7, 2, 9, 15, 27, tzinfo=dt.UTC)
SESSIONS = 7


@attrs.frozen
class Sent:
    """A request; ``{session}`` in its target stands for one that is there."""

    method: str
    target: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    edition: str = "2026-07"


@attrs.frozen
class Answer:
    """An answer, without what belongs to a connection or to the mock."""

    status: int
    body: object
    kind: str | None
    allow: str | None = None
    location: str | None = None
    #: Whether it says how to authenticate.
    authenticate: bool = False


def answer_of(status, headers, content):
    """As `Answer`; JSON is decoded in the order of its keys."""
    kind = headers.get("Content-Type")
    body = content.decode(errors="replace")
    if content and kind == "application/json":
        body = json.loads(body)
    return Answer(
        status,
        body,
        kind if content else None,
        headers.get("Allow"),
        headers.get("Location"),
        "WWW-Authenticate" in headers,
    )


class Mock:
    """The mock, with a few sessions, asked in process."""

    def __init__(self, edition):
        self.server = MockServer(edition=edition, seed=11, clock=VirtualClock(START))
        self.adapter = self.server.adapter()
        self.is_changed, self.session = True, None

    def begin(self):
        """As at the beginning: what requests have changed is gone."""
        if not self.is_changed:
            return
        control = self.server.control
        control.reset()
        control.set_limits(dict.fromkeys(control.limits()))
        control.set_balance(1000)
        control.set_outcome("match", score=50, times=None)
        control.set_outcome("liveness", score=50, times=None)
        for number in range(SESSIONS):
            threshold = "0" if number % 2 else "100"
            form = {"face_match_score_decline_threshold": threshold, "vendor_data": f"p{number}"}
            self.send(post(match(form)))
        self.sessions = self.send(Sent("GET", "/v3/sessions/", headers=(("x-api-key", KEY),))).body[
            "results"
        ]
        self.is_changed = False
        self.session = self.sessions[0]["session_id"]

    def send(self, sent):
        """The answer; a verdict says with `kept` whether its session is there."""
        request = requests.Request(sent.method, f"https://{HOST}/").prepare()
        request.url = f"https://{HOST}{sent.target}"
        request.body = sent.body
        request.headers.clear()
        request.headers.update({"Host": HOST, **dict(sent.headers)})
        if sent.body:
            request.headers["Content-Length"] = str(len(sent.body))
        response = self.adapter.send(request)
        answer = answer_of(response.status_code, response.headers, response.content)
        self.is_changed = self.is_changed or (answer.status < 300 and sent.method != "GET")
        if isinstance(answer.body, dict) and "request_id" in answer.body:
            ids = {session.id for session in self.server.control.sessions.all()}
            answer.body["kept"] = answer.body["request_id"] in ids
        return answer


# --- requests ---------------------------------------------------------------------------------


@functools.cache
def picture():
    return card_sheet()["turned-90"].data


def part(name, content, filename=None):
    """One part of a form; `filename` makes it a file."""
    disposition = f'Content-Disposition: form-data; name="{name}"'
    if filename is not None:
        disposition += f'; filename="{filename}"\r\nContent-Type: image/png'
    if isinstance(content, str):
        content = content.encode(errors="replace")
    return disposition.encode(errors="replace") + b"\r\n\r\n" + content


def form(parts):
    lines = b"".join(b"--%b\r\n%b\r\n" % (BOUNDARY.encode(), content) for content in parts)
    return lines + f"--{BOUNDARY}--\r\n".encode()


def match(fields=(), *more):
    texts = [part(name, text) for name, text in dict(fields).items()]
    files = [part(name, picture(), "a.png") for name in ("user_image", "ref_image")]
    return form([*files, *texts, *more])


MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


def post(body, path="/v3/face-match/", kind=MULTIPART, **more):
    return Sent("POST", path, body, (("x-api-key", KEY), ("Content-Type", kind)), **more)


def as_json(method, path, value, **more):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    headers = (("x-api-key", KEY), ("Content-Type", "application/json"))
    return Sent(method, path, body, headers, **more)


# --- both -------------------------------------------------------------------------------------


@contextlib.contextmanager
def framework():
    """The application of the framework.

    Settings of Django last as long as the process: those that other tests need are made, if it
    was not yet, and ours put over them for a while.
    """
    from django.test import Client, override_settings
    from django.urls import clear_url_caches

    django_settings.configure()
    from . import app

    ours = {
        "ALLOWED_HOSTS": [HOST],
        "MIDDLEWARE": ["django.middleware.common.CommonMiddleware"],
        "ROOT_URLCONF": app.__name__,
        "REST_FRAMEWORK": {"UNAUTHENTICATED_USER": None},
    }
    client = Client(raise_request_exception=False)
    logger = logging.getLogger("django")
    level = logger.level
    with override_settings(**ours):
        clear_url_caches()
        logger.setLevel(logging.CRITICAL)
        try:
            yield app, client
        finally:
            logger.setLevel(level)
    clear_url_caches()


class Oracle:
    def __init__(self, app, client):
        self.app = app
        self._client = client
        self._mocks = {}

    def ask(self, sent):
        """What the framework answers, and what the mock does.

        Of a success only what the framework can know is compared.
        """
        if sent.edition not in self._mocks:
            self._mocks[sent.edition] = Mock(sent.edition)
        mock = self._mocks[sent.edition]
        if mock.session is None or "session" in sent.target:
            mock.begin()
        sent = attrs.evolve(sent, target=sent.target.replace("{session}", mock.session))
        state = self.app.State
        state.edition, state.sessions = sent.edition, mock.sessions
        ours, theirs = self._send(sent), mock.send(sent)
        if sent.method == "OPTIONS":
            # What the framework says there is not imitated.
            ours = attrs.evolve(ours, body={})
        if ours.status == theirs.status and ours.status < 300:
            theirs = attrs.evolve(theirs, body=keep_known_keys(theirs.body, ours.body))
        return ours, theirs

    def _send(self, sent):
        headers = dict(sent.headers)
        kind = headers.pop("Content-Type", "")
        parts = urlsplit(sent.target)
        response = self._client.generic(
            sent.method,
            parts.path,
            sent.body,
            content_type=kind,
            secure=True,
            headers={"Host": HOST, **headers},
            QUERY_STRING=parts.query,
        )
        return answer_of(response.status_code, response.headers, response.content)


def keep_known_keys(value, like):
    """Of `value` what `like` has."""
    if isinstance(value, dict) and isinstance(like, dict):
        return {name: keep_known_keys(value[name], like[name]) for name in like if name in value}
    if isinstance(value, list) and isinstance(like, list) and len(value) == len(like):
        return [keep_known_keys(first, second) for first, second in zip(value, like, strict=True)]
    return value
