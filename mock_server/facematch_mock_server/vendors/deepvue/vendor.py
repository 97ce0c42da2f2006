"""Deepvue's five paths: authorize, two versions of face match, a liveness check, the wallet.

Keys of bodies are those of the pages that `claims` names; a refused body is in the words of
FastAPI, whose stock texts Deepvue's error bodies are: see `validation`.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NoReturn

import attrs

from facematch_core.base.nesting import load_json
from facematch_mock_server.base import forms
from facematch_mock_server.base.masking import presentable
from facematch_mock_server.base.messages import Headers, Request, Response
from facematch_mock_server.vendors import base
from facematch_mock_server.world.services import LIVE_KEY, Key, KeyKind

from .claims import CLAIMS, DEFAULT_EDITION, EDITIONS, SETTINGS, SWITCHES, WINDOWS
from .tokens import DeepvueRecords
from .validation import Problem, no_json, problem

LOGIN = "/v1/authorize"

#: The keys of an error, by status, where errors come in an envelope: seen in client programs.
_ALL_KEYS = ("transaction_id", "timestamp", "sub_code", "message")
_ENVELOPES: Mapping[int, tuple[str, ...]] = {
    400: ("message",),
    422: _ALL_KEYS,
    500: _ALL_KEYS,
    503: ("transaction_id", "timestamp", "message"),
}
#: What a file must begin with; its extension need not be that one.
_FIRST_BYTES = {"jpeg": b"\xff\xd8\xff", "png": b"\x89PNG\r\n\x1a\n", "pdf": b"%PDF-"}


@attrs.frozen(kw_only=True)
class PaidPath:
    #: ``match`` or ``liveness``: prefix of its claims.
    name: str
    #: What it is charged as: the end of its path.
    what: str
    version: int = 1
    #: Of the files that a comparison takes.
    extensions: tuple[str, ...] = ()


@attrs.define(kw_only=True)
class DeepvueCall(base.Call):
    #: Whose token it has, once that was read.
    client: str | None = None
    _id: str | None = None

    @property
    def paid_path(self) -> Any:
        """What sets a call about pictures apart; None elsewhere."""
        return None if self.route is None else self.route.more

    @property
    def transaction_id(self) -> str:
        """The id of the answer, the same however often it is asked for; version 2 has dashes."""
        if self._id is None:
            number = self.world.account.ids.uuid()
            has_dashes = self.paid_path is not None and self.paid_path.version == 2
            self._id = number if has_dashes else number.replace("-", "")
        return self._id

    def deny(
        self, key: str, headers: Headers = (), *, problems: Sequence[Problem] = ()
    ) -> NoReturn:
        """End the call with the refusal of that name: in its own words, or with a 422's list."""
        reply = self.claims.get(key)
        words: Any = list(problems) or reply.body["detail"]
        keys = _ENVELOPES.get(reply.status)
        if self.claims["error.shape"] == "detail" or keys is None:
            self.refuse(key, {"detail": words}, headers)
        if problems:
            words = "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in problems)
        self.refuse(key, self.envelope(keys, words, "FAILED"), headers)

    def envelope(self, keys: tuple[str, ...], message: str, sub_code: str) -> dict[str, Any]:
        fields = {
            "transaction_id": self.transaction_id.replace("-", ""),
            "timestamp": int(self.now.timestamp() * 1000),
            "sub_code": sub_code,
            "message": message,
        }
        return {key: fields[key] for key in keys}


# What is before an answer: token, key, limit, body, wallet, pictures. The order is ours.


def _check_token(call: DeepvueCall) -> None:
    token, secret = base.bearer_token(call.request), call.world.account.ids.secret
    if not token:
        call.deny("auth.missing")
    call.client = call.world.records.tokens.client_of(token, call.now, secret)
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
        scope, window = refusal
        call.claims.cite(f"rate.{scope}.limit")
        wait = ("Retry-After", str(window.retry_after))
        call.deny("rate.refused", (wait,) if call.claims["rate.retry_after"] else ())


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
    text, sub_code = "Face not detected", "FACE_NOT_DETECTED"
    if call.claims.get("face.missing").status != 200:
        call.refuse("face.missing", call.envelope(_ALL_KEYS, text, sub_code))
    _charge(call)
    call.refuse("face.missing", _body(call, None, sub_code, text))


def _read_form(call: DeepvueCall) -> forms.Form:
    """The form of a body; of a part that is sent twice the last one counts."""
    kind = forms.media_type(call.request.header("content-type") or "")
    if not call.request.body or kind not in (forms.MULTIPART, forms.URLENCODED):
        return forms.Form()
    try:
        form = call.read_form()
    except forms.FormError:
        call.deny("body.unreadable")
    if form.problem is not None:
        call.deny("body.unreadable")
    return form


def _read_pair(call: DeepvueCall) -> None:
    call.world.records.tokens.count_request()
    form = _read_form(call)
    call.values = {name: texts[-1] for name, texts in form.fields.items()}
    call.shown = presentable(call.values.items())
    missing = [name for name in ("client_id", "client_secret") if not call.values.get(name)]
    if missing:
        problems = [_problem(call, "missing", name) for name in missing]
        call.deny("body.refused", problems=problems)


def _read_files(call: DeepvueCall) -> None:
    form = _read_form(call)
    # A text in the place of a file may be a picture all the same: only its length is shown.
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
                problems.append(_problem(call, call.claims["body.format"], name))
            continue
        text = form.fields.get(name, [""])[-1]
        kind = "Expected UploadFile, received: <class 'str'>" if text else "missing"
        problems.append(_problem(call, kind, name, value=text or None))
    if problems:
        call.deny("body.refused", problems=problems)


def _read_json(call: DeepvueCall, *, is_old: bool) -> Any:
    """The JSON of a body; the text of a body that is not said to be JSON."""
    request = call.request
    if not request.body:
        _refuse(call, "missing")
    default = "application/json" if is_old else "text/plain"
    kind, _, subtype = forms.media_type(request.header("content-type") or default).partition("/")
    if kind != "application" or (subtype != "json" and not subtype.endswith("+json")):
        return request.body.decode(errors="replace")
    try:
        body = load_json(request.body)
    except json.JSONDecodeError as error:
        call.deny("body.refused", problems=[no_json(call.claims["body.validation"], error)])
    except ValueError:
        call.deny("body.unreadable")
    if body is None and is_old:
        _refuse(call, "missing")
    return body


def _read_image(call: DeepvueCall) -> None:
    is_old = call.claims.get("body.validation") == "pydantic1"
    body = _read_json(call, is_old=is_old)
    if is_old:
        # It takes whatever makes a dict for an object, and a number for a text.
        with contextlib.suppress(TypeError, ValueError):
            body = dict(body)
    if not isinstance(body, dict):
        _refuse(call, "object", value=body)
    call.shown = presentable((str(name), type(value).__name__) for name, value in body.items())
    if "image" not in body:
        _refuse(call, "missing", "image", value=body)
    image = body["image"]
    if is_old and isinstance(image, (int, float)):
        image = str(image)
    if not isinstance(image, str):
        _refuse(call, "null" if image is None else "text", "image", value=image)
    text = image.partition(",")[2] if image.startswith("data:") else image
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError:
        content = b""
    if not content:
        _refuse(call, call.claims["body.no_base64"], "image", value=image)
    call.values["image"] = call.upload("image", "", content)


def _problem(call: DeepvueCall, kind: str, *place: str, value: Any = None) -> Problem:
    return problem(call.claims["body.validation"], kind, *place, value=value)


def _refuse(call: DeepvueCall, kind: str, *place: str, value: Any = None) -> NoReturn:
    call.deny("body.refused", problems=[_problem(call, kind, *place, value=value)])


def _key_of(head: Request) -> str | None:
    """The client secret, or the client id of whoever asks for a token."""
    if head.path == LOGIN:
        with contextlib.suppress(forms.FormError):
            form = forms.read_form(head.header("content-type") or "", head.body, digest=None)
            return form.fields.get("client_id", [None])[-1]
    return head.header("x-api-key")


def _issue(call: DeepvueCall) -> Response:
    claims, key = call.claims, call.world.keys.find(call.values["client_secret"])
    call.key_word = "wrong"
    key = _check_client(call, key, call.values["client_id"], "auth.pair")
    call.key_word = str(key.kind)
    expires = call.now + dt.timedelta(seconds=claims["token.life_s"])
    secret = call.world.account.ids.secret
    text, issued = call.world.records.tokens.issue(str(key.client), call.now, expires, secret)
    claims.cite("token.many")
    body = {"access_token": text, "token_type": claims["token.type"]}
    seconds = (issued.expires - issued.at) // dt.timedelta(seconds=1)
    expiries: dict[str, dict[str, Any]] = {
        "iso": {"expiry": issued.expires.strftime("%Y-%m-%dT%H:%M:%SZ")},
        "24hrs": {"expiry": "24hrs"},
        "digits": {"expiry": str(seconds)},
        "expires_in": {"expires_in": seconds},
        "missing": {},
    }
    return call.answer("token.answer", body | expiries[claims["token.expiry"]])


def _match(call: DeepvueCall) -> Response:
    claims, outcome = call.claims, call.outcome
    score = float(outcome.score or 0)
    if outcome.by == "bytes" and call.values["file_a"].content == call.values["file_b"].content:
        score = float(claims["match.equal_bytes"])
    is_match, meaning = score >= claims["match.from"], claims["match.confidence"]
    value = score if is_match or meaning == "similarity" else 100 - score
    # Whole, as in the sample of version 2; its scale is not documented.
    confidence = None if meaning == "null" else int(value + 0.5)
    return _answer(call, {"match": is_match, "confidence": confidence})


def _check_liveness(call: DeepvueCall) -> Response:
    claims, score = call.claims, call.outcome.score
    least = claims["liveness.from"]
    is_live = score is not None and score >= least and not call.outcome.attack
    number = None if claims["liveness.score"] == "null" or score is None else int(score + 0.5)
    return _answer(call, {"is_live": is_live, "score": number})


def _answer(call: DeepvueCall, data: dict[str, Any]) -> Response:
    _charge(call)
    is_match = call.paid_path.name == "match"
    # That of a comparison is ours.
    message = "Face match completed." if is_match else "Request processed successfully"
    try:
        body = _body(call, data, "SUCCESS", message)
        rule = call.world.records.answers.take(call.paid_path.name)
        if rule is not None:
            call.claims.cite("answer.own")
            body = rule.applied(body)
        return call.answer(f"{call.paid_path.name}.answer", body)
    except BaseException:
        # What is not answered costs nothing.
        call.world.ledger.refund(call.transaction_id)
        raise


def _body(call: DeepvueCall, data: Any, sub_code: str, message: str) -> dict[str, Any]:
    """The body of an answer: a liveness check has no time, and version 2 has no such key."""
    call.claims.cite("answer.words")
    # In milliseconds since 1970.
    at = int(call.now.timestamp() * 1000) if call.paid_path.name == "match" else None
    return {
        "code": call.claims["answer.code"],
        **({"timestamp": at} if call.paid_path.version == 1 else {}),
        "transaction_id": call.transaction_id,
        "sub_code": sub_code,
        "message": message,
        "data": data,
    }


def _charge(call: DeepvueCall) -> None:
    # Another call may have taken the last credit.
    price, number = call.claims[f"credit.price.{call.paid_path.name}"], call.transaction_id
    if not call.world.ledger.charge(
        price, at=call.now, what=call.paid_path.what, request_id=number
    ):
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
    """Deepvue's behaviour in one world. Safe across threads."""

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

VENDOR = base.Vendor(
    name="deepvue",
    title="Deepvue",
    claims=CLAIMS,
    editions=EDITIONS,
    default_edition=DEFAULT_EDITION,
    switches=SWITCHES,
    settings=SETTINGS,
    rate_limits={name: f"rate.{name}.limit" for name in WINDOWS},
    operations=("match", "liveness"),
    # The production host. No other is known to serve the face calls.
    hosts=frozenset({"production.deepvue.tech"}),
    first_keys={LIVE_KEY: Key(kind=KeyKind.LIVE, client="mock-client")},
    key_of=_key_of,
    records=DeepvueRecords,
    behaviour=Deepvue,
    extensions={
        name: f"{__package__}.tokens:{name.capitalize()}" for name in ("tokens", "answers")
    },
    greeting=("keys: client id mock-client, client secret mock-live-key", _CURL),
)
