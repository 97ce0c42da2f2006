"""Deepvue's five paths: authorize, two versions of face match, a liveness check, the wallet.

The keys of bodies are those of the pages that `claims` names. A refused body is a 422 as FastAPI
writes it, whose stock texts Deepvue's error bodies are."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import functools
import hmac
import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NoReturn

import attrs

from facematch_mock_server.base.masking import presentable
from facematch_mock_server.base.messages import (
    FormError,
    Headers,
    Request,
    Response,
    read_form,
)
from facematch_mock_server.base.state import Collection
from facematch_mock_server.vendors import base
from facematch_mock_server.world.clock import Ids
from facematch_mock_server.world.kinds import Extension, Records, operation
from facematch_mock_server.world.services import LIVE_KEY, Key, KeyKind

from .claims import CLAIMS, SETTINGS, WINDOWS

#: The newest tokens that are known.
MOST_TOKENS = 10_000


@attrs.frozen(kw_only=True)
class IssuedToken:
    """An access token, without its text.

    Attributes:
        number: 1 for the first of the world.
        at: When it was given out, UTC.
        client: The client id that it was given to.
        expires: When it ends, UTC.
        revoked: Whether it was taken back.
    """

    number: int
    at: dt.datetime
    client: str
    expires: dt.datetime
    revoked: bool = False


class DeepvueRecords(Records):
    """The tokens of one world, by text; counts requests. Safe across threads."""

    def __init__(self) -> None:
        self.tokens: Collection[IssuedToken] = Collection(limit=MOST_TOKENS)
        self._lock = threading.Lock()
        #: The number of requests for a token, with a right or a wrong pair.
        self.requests = 0

    def count_request(self) -> None:
        with self._lock:
            self.requests += 1

    def issue(self, client: str, now: dt.datetime, expires: dt.datetime, ids: Ids) -> str:
        """Return a new token for a client: a JSON Web Token signed with HS256 (RFC 7519)."""
        # The id is ours, so that no two tokens are equal.
        claims = {"sub": client, "exp": int(expires.timestamp()), "jti": ids.uuid()}
        parts = ({"alg": "HS256", "typ": "JWT"}, claims)
        text = ".".join(_encode(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
        text = f"{text}.{_encode(hmac.digest(ids.secret, text.encode(), 'sha256'))}"
        make = functools.partial(IssuedToken, at=now, client=client, expires=expires)
        self.tokens.append(make, text)
        return text

    def client_of(self, text: str, now: dt.datetime) -> str | None:
        """Return the client of a token; None if it is unknown, over, or taken back."""
        token = self.tokens.find(text)
        is_good = token is not None and not token.revoked and now < token.expires
        return token.client if token is not None and is_good else None


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Tokens(Extension["DeepvueRecords"]):
    """The access tokens of one world. In memory only. Safe across threads."""

    @property
    def asked(self) -> int:
        """Return the number of token requests, with a right or a wrong pair."""
        return self._records.requests

    def issued(self) -> tuple[IssuedToken, ...]:
        """The newest 10,000 that were given out, without their texts, in order."""
        return self._records.tokens.all()

    @operation("POST", "tokens/revoke", gives="revoked")
    def revoke(self) -> int:
        """Revoke every token given out so far, and return how many were valid."""
        tokens = self._records.tokens
        valid = [text for text, token in tokens.items() if not token.revoked]
        for text in valid:
            tokens.change(text, lambda token: attrs.evolve(token, revoked=True))
        return len(valid)

    @operation("GET", "tokens")
    def _list(self) -> Any:
        """The number of token requests, and the tokens that were issued."""
        return {"asked": self.asked, "issued": self.issued()}


LOGIN = "/v1/authorize"
Problem = dict[str, Any]

#: The first bytes of files, whatever their extension.
_FIRST_BYTES = {"jpeg": b"\xff\xd8\xff", "png": b"\x89PNG\r\n\x1a\n", "pdf": b"%PDF-"}


@attrs.frozen(kw_only=True)
class PaidPath:
    #: ``match`` or ``liveness``: prefix of its claims.
    name: str
    #: The service of its charges: the end of its path.
    what: str
    version: int = 1
    #: The extensions of files that a comparison takes.
    extensions: tuple[str, ...] = ()


@attrs.define(kw_only=True, eq=False)
class DeepvueCall(base.Call):
    #: The client of its token, once that was read.
    client: str | None = None
    _id: str | None = None

    @property
    def paid_path(self) -> Any:
        """The facts of a call about pictures; None for another call."""
        return None if self.route is None else self.route.more

    @property
    def transaction_id(self) -> str:
        """The id of the answer, always the same; version 2 has dashes."""
        if self._id is None:
            number = self.world.account.ids.uuid()
            has_dashes = self.paid_path is not None and self.paid_path.version == 2
            self._id = number if has_dashes else number.replace("-", "")
        return self._id

    def deny(
        self, key: str, headers: Headers = (), *, problems: Sequence[Problem] = ()
    ) -> NoReturn:
        """End the call with that refusal: in its own words, or with a 422's list."""
        self.claims.cite("error.shape")
        if problems:
            self.claims.cite("body.validation")
            self.refuse(key, {"detail": list(problems)}, headers)
        self.refuse(key, headers=headers)


# The checks: token, key, limit, body, wallet, pictures. The order is ours.


def _check_token(call: DeepvueCall) -> None:
    token = base.bearer_token(call.request)
    if not token:
        call.deny("auth.missing")
    call.client = call.world.records.client_of(token, call.now)
    if call.client is None:
        call.key_word = "wrong"
        call.deny("auth.token")


def _check_key(call: DeepvueCall, client: str | None, refusal: str) -> None:
    text = call.request.header("x-api-key")
    key = call.world.keys.find(text) if text else None
    call.key_word = "wrong" if text else "none"
    key = _check_client(call, key, client, refusal)
    if not key.allowed:
        call.deny("auth.not_allowed")
    call.key, call.key_word = key, str(key.kind)


def _check_client(call: DeepvueCall, key: Key | None, client: str | None, refusal: str) -> Key:
    if key is None or key.client != client:
        call.deny(refusal)
    if key.revoked or key.expired(call.now):
        call.deny("auth.inactive")
    return key


def _check_rate(call: DeepvueCall) -> None:
    key = call.request.header("x-api-key") or ""
    refusal = call.world.rates.take(WINDOWS, key, now=call.now.timestamp())
    if refusal is not None:
        scope, _ = refusal
        call.claims.cite(f"rate.{scope}.limit")
        call.claims.cite("rate.retry_after")
        call.deny("rate.refused")


def _check_credit(call: DeepvueCall) -> None:
    if call.world.ledger.balance < call.claims.get(f"credit.price.{call.paid_path.name}"):
        _refuse_unpaid(call)


def _recognize_faces(call: DeepvueCall) -> None:
    if call.paid_path.name == "match":
        has_faces = call.compare(call.values["file_a"], call.values["file_b"]).score is not None
    else:
        has_faces = bool(call.check_liveness(call.values["image"]).probe.faces)
    if has_faces:
        return
    # Clients have seen errors with these four keys.
    at = int(call.now.timestamp() * 1000)
    words = {"sub_code": "FACE_NOT_DETECTED", "message": "Face not detected"}
    call.refuse("face.missing", {"transaction_id": call.transaction_id, "timestamp": at, **words})


def _read_pair(call: DeepvueCall) -> None:
    call.world.records.count_request()
    form = base.read_or_empty(call)
    call.values = {name: texts[-1] for name, texts in form.fields.items()}
    call.shown = presentable(call.values.items())
    missing = [name for name in ("client_id", "client_secret") if not call.values.get(name)]
    if missing:
        call.deny("body.refused", problems=[_problem(_MISSING, name) for name in missing])


def _read_files(call: DeepvueCall) -> None:
    form = base.read_or_empty(call)
    # A text in the place of a file may be a picture: the journal has its length only.
    call.shown = presentable(
        (name, f"{len(text)} characters") for name, texts in form.fields.items() for text in texts
    )
    allowed, problems = call.paid_path.extensions, []
    starts = tuple(start for kind, start in _FIRST_BYTES.items() if kind in allowed)
    for name in ("file_a", "file_b"):
        if name in form.files:
            upload = call.values[name] = form.files[name][-1]
            ending = upload.name.rpartition(".")[2].lower()
            if ending not in allowed or not upload.content.startswith(starts):
                problems.append(_problem(call.claims["body.format"], name))
            continue
        text = form.fields.get(name, [""])[-1]
        words = "Expected UploadFile, received: <class 'str'>" if text else _MISSING
        problems.append(_problem(words, name))
    if problems:
        call.deny("body.refused", problems=problems)


def _read_image(call: DeepvueCall) -> None:
    body = call.read_object()
    call.shown = presentable((str(name), type(value).__name__) for name, value in body.items())
    image = body.get("image")
    if not isinstance(image, str):
        call.deny("body.refused", problems=[_problem(_MISSING, "image")])
    text = image.partition(",")[2] if image.startswith("data:") else image
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError:
        content = b""
    if not content:
        call.deny("body.refused", problems=[_problem(call.claims["body.no_base64"], "image")])
    call.values["image"] = call.upload("image", "", content)


#: The message of FastAPI with pydantic 1 for a field that is not there.
_MISSING = "field required"


def _problem(message: str, name: str) -> Problem:
    """Return an item of a 422's list."""
    kind = "value_error.missing" if message == _MISSING else "value_error"
    return {"loc": ["body", name], "msg": message, "type": kind}


def _key_of(head: Request) -> str | None:
    """Return the client secret, or the client id of a request for a token."""
    if head.path == LOGIN:
        with contextlib.suppress(FormError):
            form = read_form(head.header("content-type") or "", head.body, digest=None)
            return form.fields.get("client_id", [None])[-1]
    return head.header("x-api-key")


def _issue(call: DeepvueCall) -> Response:
    claims, key = call.claims, call.world.keys.find(call.values["client_secret"])
    call.key_word = "wrong"
    key = _check_client(call, key, call.values["client_id"], "auth.pair")
    call.key_word = str(key.kind)
    expires = call.now + dt.timedelta(seconds=claims["token.life_s"])
    ids = call.world.account.ids
    text = call.world.records.issue(str(key.client), call.now, expires, ids)
    claims.cite("token.many", "token.type", "token.expiry")
    expiry = expires.strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {"access_token": text, "token_type": "bearer", "expiry": expiry}
    return call.answer("token.answer", body)


def _match(call: DeepvueCall) -> Response:
    claims, outcome = call.claims, call.outcome
    score = float(outcome.score or 0)
    if outcome.by == "bytes" and call.values["file_a"].content == call.values["file_b"].content:
        score = float(claims["match.equal_bytes"])
    is_match = score >= claims["match.from"]
    claims.cite("match.confidence")
    # Whole, as in the sample of version 2; its scale is not documented.
    return _answer(call, {"match": is_match, "confidence": int(score + 0.5)})


def _check_liveness(call: DeepvueCall) -> Response:
    claims, score = call.claims, call.outcome.score
    least = claims["liveness.from"]
    is_live = score is not None and score >= least and not call.outcome.attack
    claims.cite("liveness.score")
    return _answer(call, {"is_live": is_live, "score": None})


def _answer(call: DeepvueCall, data: dict[str, Any]) -> Response:
    """Charge the call and answer it: a liveness check has no time, version 2 no such key."""
    _charge(call)
    call.claims.cite("answer.words", "answer.code")
    is_match = call.paid_path.name == "match"
    # Milliseconds since 1970.
    at = int(call.now.timestamp() * 1000) if is_match else None
    body = {
        "code": 200,
        **({"timestamp": at} if call.paid_path.version == 1 else {}),
        "transaction_id": call.transaction_id,
        "sub_code": "SUCCESS",
        # The message of a comparison is ours.
        "message": "Face match completed." if is_match else "Request processed successfully",
        "data": data,
    }
    return call.answer(f"{call.paid_path.name}.answer", body)


def _charge(call: DeepvueCall) -> None:
    # Another call may have taken the last credit meanwhile.
    price = call.claims[f"credit.price.{call.paid_path.name}"]
    if not call.charge(price, call.paid_path.what, call.transaction_id):
        _refuse_unpaid(call)


def _refuse_unpaid(call: DeepvueCall) -> NoReturn:
    call.claims.cite(f"credit.price.{call.paid_path.name}")
    call.deny("credit.refused")


def _show_balance(call: DeepvueCall) -> Response:
    balance = call.world.ledger.balance
    call.claims.cite("credit.start")
    number = int(balance) if balance == int(balance) else float(balance)
    return call.answer("wallet.answer", {"current_balance": number, "success": True})


_FILES = ("jpeg", "jpg", "png")
_PAID = {
    "/v1/facematch": PaidPath(name="match", what="facematch", extensions=_FILES),
    "/v2/facematch": PaidPath(
        name="match", what="facematch", version=2, extensions=(*_FILES, "pdf")
    ),
    "/v1/liveness-check": PaidPath(name="liveness", what="liveness-check"),
}
ROUTES = (
    base.Route(
        pattern=LOGIN,
        answers={"POST": _issue},
        checks={"body": _read_pair},
        credentials=(),
        is_form=True,
    ),
    *(
        base.Route(
            pattern=path,
            answers={"POST": _match if paid.name == "match" else _check_liveness},
            checks={
                "token": _check_token,
                "key": lambda call: _check_key(call, call.client, "auth.key"),
                "rate": _check_rate,
                "body": _read_files if paid.name == "match" else _read_image,
                "credit": _check_credit,
                "picture": _recognize_faces,
            },
            operation=paid.name,
            credentials=("authorization", "x-api-key"),
            is_form=paid.name == "match",
            more=paid,
        )
        for path, paid in _PAID.items()
    ),
    base.Route(
        pattern="/v1/internal/wallet-balance",
        answers={"GET": _show_balance},
        checks={
            "key": lambda call: _check_key(call, call.request.header("client-id"), "auth.wallet"),
            "rate": _check_rate,
        },
        credentials=("client-id", "x-api-key"),
    ),
)


class Deepvue(base.Routed):
    """Deepvue in one world. Safe across threads."""

    begins = "/v1/"
    call = DeepvueCall
    routes = ROUTES
    errors: ClassVar[Mapping[int, tuple[str, ...]]] = {
        400: ("error.400",),
        401: ("auth.key",),
        402: ("credit.refused",),
        403: ("auth.token",),
        404: ("path.unknown",),
        405: ("path.method",),
        429: ("rate.refused",),
        500: ("error.500",),
        503: ("error.503",),
    }

    def owns(self, head: Request) -> bool:
        is_path = head.path.startswith(("/v1/", "/v2/"))
        return is_path or self.world.kind.has_host(head.header("host"))

    def answer(self, call: base.Call, route: base.Route) -> Response:
        if call.request.method not in route.answers and isinstance(call, DeepvueCall):
            call.deny("path.method", (("Allow", next(iter(route.answers))),))
        return super().answer(call, route)

    def elsewhere(self, call: base.Call) -> Response:
        return self.unknown(call)

    def _answer_error(self, call: Any, status: int) -> Response | None:
        return call.deny(self.errors[status][0]) if status in self.errors else None


#: Asks for a token and uses it at once: the fourth word in quotes of that answer.
_CURL = (
    "curl -H 'x-api-key: mock-live-key' "
    '-H "Authorization: Bearer $(curl -s -d client_id=mock-client '
    "-d client_secret=mock-live-key {url}/v1/authorize | cut -d '\"' -f 4)\" "
    "-F file_a=@cards/p1.png -F file_b=@cards/p1-again.png {url}/v1/facematch"
)


def _ask_samples(mock: Any) -> None:
    pair = {"client_id": "mock-client", "client_secret": LIVE_KEY}
    token = mock.ask("POST", LOGIN, form=pair)["access_token"]
    mock.headers["authorization"] = f"Bearer {token}"
    for path, paid in _PAID.items():
        for card in ("p1", "no-face"):
            if paid.name == "match":
                mock.ask("POST", path, files={"file_a": card, "file_b": "p1-again"})
            else:
                image = base64.b64encode(mock.card(card)).decode()
                mock.ask("POST", path, json={"image": image})
        mock.ask("POST", path)
    mock.ask("GET", "/v1/internal/wallet-balance")


VENDOR = base.Vendor(
    name="deepvue",
    title="Deepvue",
    claims=CLAIMS,
    settings=SETTINGS,
    rate_limits={name: f"rate.{name}.limit" for name in WINDOWS},
    operations=("match", "liveness"),
    # The production host. No other is known to serve the face calls.
    hosts=frozenset({"production.deepvue.tech"}),
    first_keys={LIVE_KEY: Key(kind=KeyKind.LIVE, client="mock-client")},
    key_of=_key_of,
    records=DeepvueRecords,
    behaviour=Deepvue,
    samples=_ask_samples,
    extensions={"tokens": f"{__package__}.vendor:Tokens"},
    greeting=("keys: client id mock-client, client secret mock-live-key", _CURL),
)
