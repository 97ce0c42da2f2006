"""Deepvue's five paths: authorize, two versions of face match, a liveness check, and the wallet.

The keys of bodies are from the pages listed in `claims`. An invalid body gets FastAPI's 422,
because Deepvue's other error bodies are FastAPI's stock texts."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hmac
import json
from collections.abc import Mapping
from typing import Any, ClassVar, NoReturn

import attrs

from facematch_mock_server.base.file_types import type_of_file
from facematch_mock_server.base.masking import mask_and_shorten
from facematch_mock_server.base.messages import Request, Response
from facematch_mock_server.vendors import base
from facematch_mock_server.vendors.not_imitated import NotImitated
from facematch_mock_server.vendors.pairs import FormKey
from facematch_mock_server.vendors.tokens import TokenRecords, Tokens
from facematch_mock_server.world.keys import LIVE_KEY, Key, KeyKind
from facematch_mock_server.world.variables import Variables
from facematch_mock_server.world.vendor import Credentials

from .claims import CLAIMS, SETTINGS, WINDOWS

LOGIN = "/v1/authorize"


@attrs.define(kw_only=True, eq=False)
class DeepvueCall(base.NumberedCall):
    #: The client that the access token belongs to; None until the token is checked.
    client: str | None = None

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if not self.request.path.startswith("/v2/"):
            self.request_id = self.request_id.replace("-", "")

    @property
    def name(self) -> str:
        """``match`` or ``liveness``: the prefix of a paid call's claims."""
        return str(self.route and self.route.operation)

    def refuse_body(self, problems: Mapping[str, str]) -> NoReturn:
        """End the call with a 422 that lists the problems by field."""
        types = {_MISSING: "value_error.missing"}
        rows = [
            {"loc": ["body", name], "msg": message, "type": types.get(message, "value_error")}
            for name, message in problems.items()
        ]
        # OURS: The list in a 422 has the format of FastAPI with pydantic 1; Deepvue's is not
        # documented. A malformed form has no fields, so every field is reported as missing.
        self.refuse("body.refused", body={"detail": rows})


#: The message of FastAPI with pydantic 1 for a missing field.
_MISSING = "field required"


# The checks: token, key, rate limit, body, wallet, pictures. The order is our choice.


def _check_token(call: DeepvueCall) -> None:
    """Refuse a missing, unknown, revoked or expired token; keep its client."""
    text = base.bearer_token(call.request)
    if not text:
        call.refuse("auth.missing")
    records: TokenRecords = call.world.records
    token = records.find_valid(text, call.now)
    if token is None:
        call.key_label = "wrong"
        call.refuse("auth.token")
    call.client = token.client


def _check_key(call: DeepvueCall, client: str | None, refusal: str) -> None:
    key = _find_valid_key(call, call.request.header("x-api-key"), client, refusal)
    if not key.allowed:
        call.refuse("auth.not_allowed")
    call.key = key
    call.key_label = str(key.kind)


def _find_valid_key(call: DeepvueCall, text: str | None, client: str | None, refusal: str) -> Key:
    """Return the client's key; refuse the call if it is invalid or belongs to another client."""
    key = call.world.keys.find(text) if text else None
    call.key_label = "wrong" if text else "none"
    if key is None or key.client != client:
        call.refuse(refusal)
    if key.revoked or key.expired(call.now):
        call.refuse("auth.inactive")
    return key


def _check_rate(call: DeepvueCall) -> None:
    key = call.request.header("x-api-key", "")
    exceeded = call.count_request(WINDOWS, client=key)
    if exceeded is not None:
        # A 429 does not contain the time to retry: no header is documented. (Deepvue docs, Rate
        # limits, /rate-limits)
        call.refuse("rate.refused", f"rate.{exceeded.scope}.limit")


def _check_credit(call: DeepvueCall) -> None:
    price = f"credit.price.{call.name}"
    if call.world.ledger.balance < call.claims.get(price):
        call.refuse("credit.refused", price)


def _compare_or_check_liveness(call: DeepvueCall) -> None:
    """Recognize the faces, which sets `call.outcome`; raise `Refused` if none was found."""
    if call.name == "match":
        has_faces = call.compare(call.values["file_a"], call.values["file_b"]).score is not None
    else:
        has_faces = bool(call.check_liveness(call.values["image"]).probe.faces)
    if not has_faces:
        # Public clients of Deepvue have received errors with these four keys.
        body = {
            "transaction_id": call.request_id,
            "timestamp": int(call.now.timestamp() * 1000),
            "sub_code": "FACE_NOT_DETECTED",
            "message": "Face not detected",
        }
        raise base.Refused(call.answer("face.missing", body))


def _read_pair(call: DeepvueCall) -> None:
    call.world.records.count_token_request()
    call.values = base.read_or_empty(call).texts
    call.journal_fields = mask_and_shorten(call.values.items())
    missing = [name for name in ("client_id", "client_secret") if not call.values.get(name)]
    if missing:
        call.refuse_body(dict.fromkeys(missing, _MISSING))


def _read_files(call: DeepvueCall) -> None:
    """Read the two files into the call's values; refuse missing ones and wrong formats together."""
    form = base.read_or_empty(call)
    # A text sent instead of a file may be a picture, so the journal stores only its length.
    call.journal_fields = mask_and_shorten(
        (name, f"{len(text)} characters") for name, texts in form.fields.items() for text in texts
    )
    problems: dict[str, str] = {}
    allowed = () if call.route is None else call.route.extra
    for name in ("file_a", "file_b"):
        if name in form.files:
            upload = call.values[name] = form.files[name][-1]
            ending = upload.name.rpartition(".")[2].lower()
            if ending not in allowed or type_of_file(upload.content) not in allowed:
                problems[name] = call.claims["body.format"]
        else:
            text = form.fields.get(name, [""])[-1]
            problems[name] = "Expected UploadFile, received: <class 'str'>" if text else _MISSING
    if problems:
        call.refuse_body(problems)


def _read_image(call: DeepvueCall) -> None:
    """Read the picture in base64, or in a data URI, into the call's values.

    Refuse a missing or empty one.
    """
    body = call.read_object()
    call.journal_fields = mask_and_shorten(
        (str(name), type(value).__name__) for name, value in body.items()
    )
    image = body.get("image")
    if not isinstance(image, str):
        call.refuse_body({"image": _MISSING})
    content = b""
    with contextlib.suppress(ValueError):
        text = image.partition(",")[2] if image.startswith("data:") else image
        content = base64.b64decode(text, validate=True)
    if not content:
        call.refuse_body({"image": call.claims["body.no_base64"]})
    call.values["image"] = call.upload("image", "", content)


#: The client id and secret in the form of a login.
_LOGIN_KEY = FormKey("client_id", "client_secret")


def _key_of(head: Request) -> str | None:
    """Return the client secret; for a token request, the client id."""
    if head.path == LOGIN:
        return _LOGIN_KEY.client_of(head)
    return head.header("x-api-key")


def _credentials_of(head: Request) -> Credentials:
    """Return the client secret, with the client id if the request has it."""
    if head.path == LOGIN:
        return _LOGIN_KEY.credentials_of(head)
    return Credentials(head.header("x-api-key"), client=head.header("client-id"))


def _issue(call: DeepvueCall) -> Response:
    """Issue a token: a JSON Web Token signed with HS256 (RFC 7519)."""
    key = _find_valid_key(call, call.values["client_secret"], call.values["client_id"], "auth.pair")
    call.key_label = str(key.kind)
    expires = call.now + dt.timedelta(seconds=call.claims["token.life_s"])
    ids = call.world.ids
    header = _encode_json({"alg": "HS256", "typ": "JWT"})
    # The id is our addition, so that every token is unique.
    payload = {"sub": key.client, "exp": int(expires.timestamp()), "jti": ids.uuid()}
    signed_text = f"{header}.{_encode_json(payload)}"
    signature = hmac.digest(ids.secret, signed_text.encode(), "sha256")
    text = f"{signed_text}.{_encode(signature)}"
    call.world.records.add(text, at=call.now, client=str(key.client), expires=expires)
    # OURS: A new token does not invalidate earlier ones; it also has an id (jti), so no two tokens
    # are equal.
    # token_type is bearer. expiry is an ISO 8601 time, UTC, in whole seconds with Z. (Deepvue docs,
    # Authorization, /reference/auth/authorization)
    expiry = expires.strftime("%Y-%m-%dT%H:%M:%SZ")
    answer = {"access_token": text, "token_type": "bearer", "expiry": expiry}
    return call.answer("token.answer", answer)


def _encode_json(part: object) -> str:
    return _encode(json.dumps(part, separators=(",", ":")).encode())


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _match(call: DeepvueCall) -> Response:
    score = float(call.outcome.score or 0)
    is_match = score >= call.claims["match.from"]
    # OURS: confidence is the similarity of the faces, a whole number; its meaning is not
    # documented, and the sample of version 1 has null.
    # A whole number, as in version 2's sample; its scale is not documented. The message is ours.
    data = {"match": is_match, "confidence": int(score + 0.5)}
    return _answer(call, "Face match completed.", data, at=int(call.now.timestamp() * 1000))


def _check_liveness(call: DeepvueCall) -> Response:
    is_live = call.outcome.is_live(call.claims["liveness.from"])
    # score is null, as in the sample. (Deepvue docs, Face Liveness Check,
    # /reference/forensics/face/face-liveness-check)
    data = {"is_live": is_live, "score": None}
    return _answer(call, "Request processed successfully", data, at=None)


def _answer(call: DeepvueCall, message: str, data: dict[str, Any], *, at: int | None) -> Response:
    """Charge the call and build its response; `at`, in ms since 1970, is omitted in version 2."""
    path = call.request.path
    price = call.claims[f"credit.price.{call.name}"]
    # In the ledger a service is named by the end of its path; our choice.
    service = path.split("/")[-1]
    if not call.charge(price, service=service, request_id=call.request_id):
        # A concurrent call used up the credit.
        call.refuse("credit.refused")
    # OURS: The message of a comparison is ours, and so is the format of transaction_id (without
    # dashes, except in version 2); the pages show "string".
    # code is the status of the response. (Deepvue docs, Response format, /response-format)
    body: dict[str, Any] = {"code": 200}
    if not path.startswith("/v2/"):
        body["timestamp"] = at
    body |= {
        "transaction_id": call.request_id,
        "sub_code": "SUCCESS",
        "message": message,
        "data": data,
    }
    return call.answer(f"{call.name}.answer", body)


def _show_balance(call: DeepvueCall) -> Response:
    balance = call.world.ledger.balance
    call.claims.cite("credit.start")
    number = int(balance) if balance == int(balance) else float(balance)
    return call.answer("wallet.answer", {"current_balance": number, "success": True})


_FILES = ("jpeg", "jpg", "png")
#: The paid paths, with the file extensions that a comparison accepts.
_PAID = {"/v1/facematch": _FILES, "/v2/facematch": (*_FILES, "pdf"), "/v1/liveness-check": ()}
ROUTES = (
    base.Route(
        pattern=LOGIN,
        handlers={"POST": _issue},
        checks={"body": _read_pair},
        credentials=(),
        is_form=True,
    ),
    *(
        base.Route(
            pattern=path,
            handlers={"POST": _match if extensions else _check_liveness},
            checks={
                "token": _check_token,
                "key": lambda call: _check_key(call, call.client, "auth.key"),
                "rate": _check_rate,
                "body": _read_files if extensions else _read_image,
                "credit": _check_credit,
                "picture": _compare_or_check_liveness,
            },
            operation="match" if extensions else "liveness",
            credentials=("authorization", "x-api-key"),
            is_form=bool(extensions),
            picture_fields=("file_a", "file_b") if extensions else (),
            extra=extensions,
        )
        for path, extensions in _PAID.items()
    ),
    base.Route(
        pattern="/v1/internal/wallet-balance",
        handlers={"GET": _show_balance},
        checks={
            "key": lambda call: _check_key(call, call.request.header("client-id"), "auth.wallet"),
            "rate": _check_rate,
        },
        credentials=("client-id", "x-api-key"),
    ),
)


class Deepvue(base.MockVendor):
    """The mock of Deepvue in one world. Thread-safe."""

    common_prefix = "/v1/"
    extra_prefixes = ("/v1/", "/v2/")
    call = DeepvueCall
    # An error is an object with one key, detail.
    routes = ROUTES
    #: Of docs.deepvue.ai/reference, read 2026-11-29, and of public clients.
    not_imitated = NotImitated(
        "docs/vendors/deepvue.md",
        "/v1/documents/*",
        "/v1/ekyc/*",
        "/v1/verification/*",
        "/v1/financial-services/*",
        "/v1/mobile-intelligence/*",
        "/v2/ekyc/*",
    )
    not_found_claim = "path.unknown"
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

    def answer(self, call: base.Call, route: base.Route) -> Response:
        if call.request.method not in route.handlers and isinstance(call, DeepvueCall):
            call.refuse("path.method", headers=(("Allow", next(iter(route.handlers))),))
        return super().answer(call, route)


#: A command that requests a token and uses it at once: `cut` extracts it from the JSON response.
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
    settings=SETTINGS,
    rate_limits={name: f"rate.{name}.limit" for name in WINDOWS},
    operations=("match", "liveness"),
    # The production host; no other host is known to serve the face calls.
    hosts=frozenset({"production.deepvue.tech"}),
    first_keys={LIVE_KEY: Key(kind=KeyKind.LIVE, client="mock-client")},
    variables=Variables(
        keys=({"DEEPVUE_CLIENT_ID": "mock-client", "DEEPVUE_CLIENT_SECRET": LIVE_KEY},)
    ),
    key_of=_key_of,
    credentials_of=_credentials_of,
    records=TokenRecords,
    behaviour=Deepvue,
    extensions={"tokens": Tokens},
    greeting=("keys: client id mock-client, client secret mock-live-key", _CURL),
)
