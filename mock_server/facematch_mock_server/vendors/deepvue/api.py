"""Deepvue's five paths: authorize, two versions of face match, a liveness check, the wallet."""

from __future__ import annotations

import base64
import binascii
import contextlib
import datetime as dt
import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from facematch_mock_server.http.forms import (
    MULTIPART,
    URLENCODED,
    Form,
    FormError,
    Upload,
    media_type,
    read_form,
)
from facematch_mock_server.journal import presentable
from facematch_mock_server.messages import Head, Headers, Request, Response
from facematch_mock_server.services import LIVE_KEY, Key, KeyKind
from facematch_mock_server.vendors.base import (
    HINT_HEADER,
    Call,
    Example,
    Refused,
    Route,
    Routed,
    Vendor,
)

from .claims import CLAIMS, DEFAULT_EDITION, EDITIONS, SETTINGS, SWITCHES
from .tokens import DeepvueRecords, IssuedToken

#: The production host. No other one is known to serve the face calls.
HOSTS = frozenset({"production.deepvue.tech"})
#: The client id of the key that works at once.
CLIENT_ID = "mock-client"
#: Where a token is asked for.
LOGIN = "/v1/authorize"
_BEGINNINGS = ("/v1/", "/v2/")

Fault = dict[str, Any]


@attrs.frozen(kw_only=True)
class Paid:
    """What sets one call about pictures apart.

    Attributes:
        name: Prefix of its claims, ``match`` say.
        version: Prefix of those that another version of it has not.
    """

    name: str
    version: str


@attrs.define(kw_only=True)
class DeepvueCall(Call):
    """One request to Deepvue.

    Attributes:
        client: Whose token it has, once that was found good.
        found_id: The id of the answer, once one was needed.
    """

    client: str | None = None
    found_id: str | None = None

    @property
    def records(self) -> DeepvueRecords:
        """What Deepvue remembers beyond keys and credit."""
        records: DeepvueRecords = self.world.records
        return records

    @property
    def paid(self) -> Paid:
        """What sets it apart; of calls about pictures only."""
        paid: Paid = self.route.more  # type: ignore[union-attr]  # there is a route
        return paid

    @property
    def transaction_id(self) -> str:
        """The id of the answer, with dashes; the same however often it is asked for."""
        if self.found_id is None:
            self.found_id = self.world.account.ids.uuid()
        return self.found_id

    @property
    def timestamp(self) -> int:
        """The time of the answer, as Deepvue gives it."""
        return int(self.now.timestamp() * self.claims["answer.per_second"])

    def deny(self, key: str, headers: Headers = ()) -> None:
        """End the call with the refusal of that name, in its own words."""
        self.deny_with(key, self.claims[f"{key}.text"], headers)

    def deny_with(self, key: str, words: Any, headers: Headers = ()) -> None:
        """End the call with the refusal of that name in these words: a text, or a 422's list."""
        claims, status = self.claims, self.claims.get(key).status
        keys: tuple[str, ...] = ()
        if claims["error.shape"] != "detail":
            keys = {**claims["error.envelope"], **claims["error.envelope_bare"]}.get(status, ())
        if not keys:
            self.refuse(key, {claims["error.key"]: words}, headers)
        text = words
        if not isinstance(words, str):
            lines = (f"{'.'.join(str(p) for p in one['loc'])}: {one['msg']}" for one in words)
            text = "; ".join(lines)
        self.refuse(key, self.envelope(keys, text, claims["error.sub_code"]), headers)

    def envelope(self, keys: tuple[str, ...], message: str, sub_code: str) -> dict[str, Any]:
        """The body of an error with these keys, each one made only if it is among them."""
        made: dict[str, Callable[[], Any]] = {
            "transaction_id": lambda: self.transaction_id.replace("-", ""),
            "timestamp": lambda: self.timestamp,
            "sub_code": lambda: sub_code,
            "message": lambda: message,
        }
        return {key: made[key]() for key in keys}


# What is before an answer: token, key, limit, body, wallet, pictures


def _bearer_of(call: DeepvueCall) -> str:
    scheme, _, token = (call.request.header("authorization") or "").partition(" ")
    return token.strip() if scheme.lower() == call.claims["auth.scheme"] else ""


def _bearer(call: DeepvueCall) -> None:
    """Whether there is a token."""
    if not _bearer_of(call):
        call.deny("auth.missing")


def _token(call: DeepvueCall) -> None:
    """Whether the token is a good one."""
    text, secret = _bearer_of(call), call.world.account.ids.secret
    call.client = call.records.tokens.client_of(text, call.now, secret)
    if call.client is None:
        call.key_word = "wrong"
        call.claims.cite("token.life_s", "token.many")
        call.deny("auth.token")


def _key(call: DeepvueCall) -> None:
    """The client secret."""
    found = _found(call)
    call.claims.cite("auth.own_key")
    _let_in(call, found, "auth.key", wrong=found is None or found.client != call.client)


def _pair(call: DeepvueCall) -> None:
    """The client secret and its client id, where there is no token."""
    found, client = _found(call), call.request.header("client-id")
    _let_in(call, found, "auth.wallet", wrong=found is None or found.client != client)


def _found(call: DeepvueCall) -> Key | None:
    text = call.request.header("x-api-key")
    return call.world.keys.find(text) if text else None


def _let_in(call: DeepvueCall, found: Key | None, refusal: str, *, wrong: bool) -> None:
    if found is None or wrong:
        call.key_word = "wrong" if call.request.header("x-api-key") else "none"
        call.deny(refusal)
        return
    off = _is_off(found, call.now)
    if off or not found.allowed:
        call.key_word = "wrong"
        call.deny("auth.inactive" if off else "auth.not_allowed")
    call.key, call.key_word = found, str(found.kind)


def _is_off(found: Key, now: dt.datetime) -> bool:
    """Whether a client was switched off, or is past its last day."""
    return found.revoked or found.expired(now)


def _rate(call: DeepvueCall) -> None:
    """The rate limits; counts the call."""
    claims = call.claims
    windows: Mapping[str, int] = claims["rate.windows"]
    place = call.world.rates.take_all(
        windows, call.request.header("x-api-key") or "", now=call.now.timestamp()
    )
    claims.cite(*(f"rate.{scope}.limit" for scope in windows))
    claims.cite("rate.by_key", "rate.refused_count")
    if call.route is not None and "GET" in call.route.answers:
        claims.cite("rate.wallet")
    if place is not None:
        wait = str(place[1].retry_after)
        call.deny("rate.refused", tuple((name, wait) for name in claims["rate.retry_after"]))


def _credit(call: DeepvueCall) -> None:
    """Whether the call can be paid."""
    if call.ledger.balance < call.claims.get(f"credit.price.{call.paid.name}"):
        _unpaid(call)


def _picture(call: DeepvueCall) -> None:
    """What is seen in the pictures; the answer where there is no face."""
    claims, name = call.claims, call.paid.name
    if name == "match":
        one, other = (call.values[field] for field in claims.get("match.fields"))
        call.outcome = call.compare(one, other)
        there = call.outcome.score is not None
    else:
        sent: Upload = call.values[claims.get("liveness.fields")[0]]
        recognizer = call.world.recognizer
        call.outcome = recognizer.liveness(sent.content, rotate=False, digest=sent.digest)
        there = bool(call.outcome.probe.faces)
    if there:
        return
    text, sub_code = claims["face.text"], claims["face.sub_code"]
    if claims.get("face.missing").status != 200:
        call.refuse("face.missing", call.envelope(claims["face.keys"], text, sub_code))
    claims.cite("credit.no_face")
    _charge(call)
    call.refuse("face.missing", _body(call, None, sub_code, text))


# Bodies, refused as the framework does


def _form(call: DeepvueCall, *, cites: Mapping[str, str] | None = None) -> Form:
    kind = media_type(call.request.header("content-type") or "")
    if not call.request.body or kind not in (MULTIPART, URLENCODED):
        return Form()
    if cites is not None:
        call.claims.cite(cites[kind])
    form = None
    try:
        form = call.read_form()
    except FormError:
        call.deny("body.unreadable")
    if form is None or form.problem is not None:
        call.deny("body.unreadable")
    return form or Form()


def _read_pair(call: DeepvueCall) -> None:
    """The pair that a token is asked for with; counts the call."""
    call.records.tokens.ask()
    claims = call.claims
    form = _form(call, cites={MULTIPART: "token.multipart", URLENCODED: "token.urlencoded"})
    call.shown = presentable((name, many[-1]) for name, many in form.fields.items())
    faults = []
    for name in claims["token.fields"]:
        if name in form.fields:
            call.values[name] = _last(call, form.fields[name])
        else:
            faults.append(_fault(call, "body.missing", "body", name))
    _refuse_all(call, faults)


def _read_files(call: DeepvueCall) -> None:
    """The two files of a comparison."""
    claims, form = call.claims, _form(call)
    # A text in the place of a file may be a picture all the same: only its length is given.
    call.shown = presentable(
        (name, f"{len(text)} characters") for name, many in form.fields.items() for text in many
    )
    faults = []
    for name in claims["match.fields"]:
        if name in form.files:
            upload = call.values[name] = _last(call, form.files[name])
            if not _is_taken(call, upload):
                faults.append(_fault(call, "body.format", "body", name))
        else:
            key = "body.not_a_file" if name in form.fields else "body.missing"
            faults.append(_fault(call, key, "body", name))
    _refuse_all(call, faults)


def _read_image(call: DeepvueCall) -> None:
    """The picture of a liveness check."""
    claims, request = call.claims, call.request
    if not request.body:
        _refuse_all(call, [_fault(call, "body.missing", "body")])
    kind = media_type(request.header("content-type") or "application/json")
    sent: Any = None
    if kind == "application/json" or kind.endswith("+json"):
        try:
            sent = json.loads(request.body)
        except json.JSONDecodeError as error:
            words = f"{error.msg}: line {error.lineno} column {error.colno} (char {error.pos})"
            told = {"msg": words, "type": claims["liveness.no_json"]}
            _refuse_all(call, [_shaped(call, told, "body", error.pos)])
        except (ValueError, RecursionError):
            call.deny("body.unreadable")
    if not isinstance(sent, dict):
        _refuse_all(call, [_fault(call, "liveness.no_object", "body")])
        return
    call.shown = presentable((str(name), type(value).__name__) for name, value in sent.items())
    faults = []
    for name in claims["liveness.fields"]:
        if name not in sent:
            faults.append(_fault(call, "body.missing", "body", name))
        elif not isinstance(sent[name], str):
            faults.append(_fault(call, "liveness.no_text", "body", name))
        else:
            content = _decoded(call, sent[name])
            if content is None:
                faults.append(_fault(call, "liveness.no_base64", "body", name))
            else:
                call.values[name] = call.upload(name, "", content)
    _refuse_all(call, faults)


def _decoded(call: DeepvueCall, text: str) -> bytes | None:
    if text.startswith("data:"):
        call.claims.cite("liveness.data_uri")
        text = text.partition(",")[2]
    try:
        return base64.b64decode(text, validate=True) or None
    except (binascii.Error, ValueError):
        return None


def _is_taken(call: DeepvueCall, upload: Upload) -> bool:
    claims = call.claims
    allowed: tuple[str, ...] = claims[f"{call.paid.version}.extensions"]
    ending = upload.name.rpartition(".")[2]
    if ending != ending.lower():
        claims.cite("file.any_case")
    begins: dict[str, bytes] = claims["file.magic"]
    starts = tuple(start for kind, start in begins.items() if kind in allowed)
    return ending.lower() in allowed and upload.content.startswith(starts)


def _last(call: DeepvueCall, sent: list[Any]) -> Any:
    if len(sent) > 1:
        call.claims.cite("form.last_wins")
    return sent[-1]


def _fault(call: DeepvueCall, key: str, *place: str | int) -> Fault:
    return _shaped(call, call.claims[key], *place)


def _shaped(call: DeepvueCall, words: Mapping[str, str], *place: str | int) -> Fault:
    known = {"loc": list(place), "msg": words["msg"], "type": words["type"]}
    return {name: known[name] for name in call.claims["body.keys"]}


def _refuse_all(call: DeepvueCall, faults: list[Fault]) -> None:
    if len(faults) > 1:
        call.claims.cite("body.together")
    if faults:
        call.deny_with("body.refused", faults)


# The answers


def _key_of(head: Head) -> str | None:
    """The client secret, or the client id of whoever asks for a token."""
    if head.path == LOGIN and isinstance(head, Request):
        with contextlib.suppress(FormError):
            form = read_form(head.header("content-type") or "", head.body, digest=None)
            return form.fields.get("client_id", [None])[-1]
    return head.header("x-api-key")


def _granted(call: DeepvueCall) -> Response:
    """Ask for a token with a client id and a client secret."""
    claims, found = call.claims, call.world.keys.find(call.values["client_secret"])
    if found is None or found.client != call.values["client_id"]:
        call.key_word = "wrong"
        call.deny("auth.pair")
    elif _is_off(found, call.now):
        call.key_word = "wrong"
        call.deny("auth.inactive")
    else:
        call.key_word = str(found.kind)
    client, secret = str(getattr(found, "client", "")), call.world.account.ids.secret
    text, issued = call.records.tokens.issue(claims, client, call.now, secret)
    name, value = _EXPIRIES[claims["token.expiry"]](issued)
    known = {"access_token": text, "token_type": claims["token.type"], "expiry": value}
    body = {key: known[key] for key in claims["token.keys"]}
    if name != "expiry":
        del body["expiry"]
        if name is not None:
            body[name] = value
    return call.answer("token.answer", body)


def _seconds(issued: IssuedToken) -> int:
    return int((issued.expires - issued.at).total_seconds())


#: By form: the key that says when a token ends, and what is there.
_EXPIRIES: dict[str, Callable[[IssuedToken], tuple[str | None, Any]]] = {
    "iso": lambda issued: ("expiry", issued.expires.strftime("%Y-%m-%dT%H:%M:%SZ")),
    "24hrs": lambda _: ("expiry", "24hrs"),
    "digits": lambda issued: ("expiry", str(_seconds(issued))),
    "expires_in": lambda issued: ("expires_in", _seconds(issued)),
    "missing": lambda _: (None, None),
}


def _matched(call: DeepvueCall) -> Response:
    """Compare the faces of two pictures."""
    claims, outcome = call.claims, call.outcome
    score = float(outcome.score or 0)
    one, other = (call.values[name] for name in claims.get("match.fields"))
    if outcome.by == "bytes" and one.content == other.content:
        score = float(claims["match.equal_bytes"])
    claims.cite("match.compared")
    is_match, meaning = score >= claims["match.from"], claims["match.confidence"]
    confidence: float | None = None
    if meaning != "null":
        value = score if is_match or meaning == "similarity" else 100 - score
        places: int = claims["match.decimals"]
        confidence = round(value, places) if places else int(value + 0.5)
    known = {"match": is_match, "confidence": confidence}
    return _answered(call, {name: known[name] for name in claims["match.data"]}, good=is_match)


def _checked(call: DeepvueCall) -> Response:
    """Tell whether a living person stood before the camera."""
    claims, outcome = call.claims, call.outcome
    score = outcome.score
    if score is None:
        claims.cite("liveness.unsure")
    if outcome.attack:
        claims.cite("liveness.attack")
    is_live = score is not None and score >= claims["liveness.from"] and not outcome.attack
    number = None if score is None or claims["liveness.score"] == "null" else int(score + 0.5)
    known = {"is_live": is_live, "score": number}
    return _answered(call, {name: known[name] for name in claims["liveness.data"]}, good=is_live)


def _answered(call: DeepvueCall, data: dict[str, Any], *, good: bool) -> Response:
    claims, name = call.claims, call.paid.name
    if not good:
        claims.cite("credit.negative")
    _charge(call)
    body = _body(call, data, claims["answer.sub_code"], claims[f"{name}.message"])
    made_up = call.records.take_answer(name)
    if made_up is not None:
        claims.cite("answer.own")
        body = made_up.applied(body)
    return call.answer(f"{name}.answer", body)


def _body(call: DeepvueCall, data: Any, sub_code: str, message: str) -> dict[str, Any]:
    claims, version = call.claims, call.paid.version
    keys: tuple[str, ...] = claims[f"{version}.keys"]
    timed = "timestamp" in keys
    if timed:
        claims.cite(f"{version}.timed")
    known = {
        "code": 200 if claims["answer.code"] else None,
        "timestamp": call.timestamp if timed and version != "liveness" else None,
        "transaction_id": _id(call),
        "sub_code": sub_code,
        "message": message,
        "data": data,
    }
    return {key: known[key] for key in keys}


def _id(call: DeepvueCall) -> str:
    text, version = call.transaction_id, call.paid.version
    call.claims.cite(f"{version}.dashes")
    return text if version == "match.v2" else text.replace("-", "")


def _charge(call: DeepvueCall) -> None:
    """Take the price of the call from the balance; another call may have taken the last credit."""
    claims, name = call.claims, call.paid.name
    charged = call.ledger.charge(
        claims[f"credit.price.{name}"],
        at=call.now,
        what=claims[f"credit.{name}"],
        request_id=_id(call),
    )
    if not charged:
        _unpaid(call)


def _unpaid(call: DeepvueCall) -> None:
    call.claims.cite("credit.start", f"credit.price.{call.paid.name}", "credit.other_status")
    call.deny("credit.refused")


def _balance(call: DeepvueCall) -> Response:
    """Tell the prepaid credit that is left, in USD."""
    claims, left = call.claims, call.ledger.balance
    claims.cite("credit.start")
    number = int(left) if left == int(left) else float(left)
    known = {"current_balance": number, "success": True}
    return call.answer("wallet.answer", {key: known[key] for key in claims["wallet.keys"]})


# The routes


def _checks(read: Callable[[DeepvueCall], None]) -> Mapping[str, Callable[[DeepvueCall], None]]:
    return {
        "order.bearer": _bearer,
        "order.token": _token,
        "order.key": _key,
        "order.rate": _rate,
        "order.body": read,
        "order.credit": _credit,
        "order.picture": _picture,
    }


_SIGNED_IN = ("authorization", "x-api-key")

ROUTES = (
    Route(
        pattern=LOGIN,
        answers={"POST": _granted},
        checks={"order.body": _read_pair},
        credentials=(),
        is_form=True,
    ),
    *(
        Route(
            pattern=f"/{version}/facematch",
            answers={"POST": _matched},
            checks=_checks(_read_files),
            operation="match",
            credentials=_SIGNED_IN,
            is_form=True,
            more=Paid(name="match", version=f"match.{version}"),
        )
        for version in ("v1", "v2")
    ),
    Route(
        pattern="/v1/liveness-check",
        answers={"POST": _checked},
        checks=_checks(_read_image),
        operation="liveness",
        credentials=_SIGNED_IN,
        more=Paid(name="liveness", version="liveness"),
    ),
    Route(
        pattern="/v1/internal/wallet-balance",
        answers={"GET": _balance},
        checks={"order.key": _pair, "order.rate": _rate},
        credentials=("client-id", "x-api-key"),
    ),
)

#: The claim whose words stand for a status that a test asks for.
_WORDS = {
    400: "error.400",
    401: "auth.key",
    402: "credit.refused",
    403: "auth.token",
    404: "path.unknown",
    405: "path.method",
    429: "rate.refused",
    500: "error.500",
    503: "error.503",
}


class Deepvue(Routed):
    """Deepvue's behaviour in one world. Safe across threads.

    Args:
        world: Its state.
    """

    begins = "/v1/"
    call = DeepvueCall
    routes = ROUTES

    def owns(self, head: Head) -> bool:
        """Whether this request is for Deepvue: by path, or by the name of its host."""
        if head.path.startswith(_BEGINNINGS):
            return True
        return (head.header("host") or "").partition(":")[0].lower() in HOSTS

    def answer(self, call: Call, route: Route) -> Response:
        """The answer of a route, after its checks."""
        if call.request.method not in route.answers and isinstance(call, DeepvueCall):
            method = next(iter(route.answers))
            call.deny("path.method", ((call.claims["path.allow"], method),))
        try:
            return super().answer(call, route)
        except Refused as refused:
            if route.more is not None and refused.response.status != 200 and call.key is not None:
                call.claims.cite("credit.other_status")
            raise

    def elsewhere(self, call: Call) -> Response:
        """The answer to a path that is not there."""
        from difflib import get_close_matches  # not above: few requests need a hint

        close = get_close_matches(call.request.path, self.known_paths(), n=1)
        headers: Headers = ()
        if close:
            call.note = f"did you mean {close[0]}?"
            headers = ((HINT_HEADER, call.note),)
        words = call.claims["path.unknown.text"]
        return call.answer("path.unknown", {call.claims["error.key"]: words}, headers)

    def vendor_error(self, status: int, request: Request) -> Response | None:
        """An answer of that status as Deepvue words it; None where the words are not known."""
        call = self.new_call(request, None)
        if status not in _WORDS or not isinstance(call, DeepvueCall):
            return None
        try:
            call.deny(_WORDS[status])
        except Refused as refused:
            # A switch may have given the claim another status; the words are the same.
            return call.claims.sealed(attrs.evolve(refused.response, status=status))
        return None


#: Asks for a token and uses it at once: the fourth word in quotes of that answer.
_CURL = (
    "curl -H 'x-api-key: mock-live-key' "
    '-H "Authorization: Bearer $(curl -s -d client_id=mock-client '
    "-d client_secret=mock-live-key {url}/v1/authorize | cut -d '\"' -f 4)\" "
    "-F file_a=@cards/p1.png -F file_b=@cards/p1-again.png {url}/v1/facematch"
)
_CALL: dict[str, Any] = {
    "headers": {"x-api-key": "{key}", "Authorization": "Bearer {token}"},
    "token": LOGIN,
    "token_fields": {"client_id": "{client}", "client_secret": "{key}"},
}
_EXAMPLES = (
    Example(title="Face match", path="/v1/facematch", pictures=("file_a", "file_b"), **_CALL),
    Example(title="Face match, v2", path="/v2/facematch", pictures=("file_a", "file_b"), **_CALL),
    Example(
        title="Passive liveness",
        path="/v1/liveness-check",
        pictures=("image",),
        as_json=True,
        **_CALL,
    ),
)

_TOKENS = f"{__package__}.tokens"

VENDOR = Vendor(
    name="deepvue",
    title="Deepvue",
    claims=CLAIMS,
    editions=EDITIONS,
    default_edition=DEFAULT_EDITION,
    switches=SWITCHES,
    settings=SETTINGS,
    rate_limits={name: f"rate.{name}.limit" for name in ("second", "minute", "day")},
    operations=("match", "liveness"),
    hosts=HOSTS,
    first_keys={LIVE_KEY: Key(kind=KeyKind.LIVE, client=CLIENT_ID)},
    key_of=_key_of,
    records=DeepvueRecords,
    behaviour=Deepvue,
    extensions={"tokens": f"{_TOKENS}:Tokens", "answers": f"{_TOKENS}:Answers"},
    greeting=("keys: client id mock-client, client secret mock-live-key", _CURL),
    examples=_EXAMPLES,
)
