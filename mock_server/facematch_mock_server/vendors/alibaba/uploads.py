"""Pictures that a client uploads to a bucket of Alibaba, and whose link it sends then.

The calls of Alibaba's SDKs whose names end in "advance" do so by a policy that `authorize` signs;
programs with viapiutils, by a temporary key of `issue_key`.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

import attrs

from facematch_mock_server.base.messages import form_of
from facematch_mock_server.vendors import base
from facematch_mock_server.vendors.kit import PairCall, Request, Response

from .signature import SigningKey

_BUCKET: Final = "viapi-customer-temp"
_ENDPOINT: Final = "oss-cn-shanghai.aliyuncs.com"
#: The host to which clients upload, over HTTPS alone.
HOST: Final = f"{_BUCKET}.{_ENDPOINT}"
_KEY: Final = SigningKey()
#: What the id of a temporary key begins with, before the AccessKey ID of the caller.
_TEMPORARY: Final = "STS."
_HEADER: Final = re.compile(r"OSS ([^:]+):(.*)")


def authorize(call: PairCall) -> Response:
    """Let a client upload a file by a policy that its own secret has signed."""
    client, secret = _find_caller(call)
    object_key = f"{client}/{call.world.ids.uuid()}"
    policy = base64.b64encode(f'{{"conditions": [{{"key": "{object_key}"}}]}}'.encode()).decode()
    body = {
        "RequestId": call.request_id,
        "AccessKeyId": client,
        "Bucket": _BUCKET,
        "EncodedPolicy": policy,
        "Endpoint": _ENDPOINT,
        "ObjectKey": object_key,
        "Signature": _sign(policy, client, secret),
        "UseAccelerate": False,
    }
    return call.answer("upload.authorized", body)


def issue_key(call: PairCall) -> Response:
    """Give a client a temporary key, by which it signs an upload."""
    client, secret = _find_caller(call)
    data = {
        "AccessKeyId": f"{_TEMPORARY}{client}",
        "AccessKeySecret": _make_temporary_secret(secret),
        "SecurityToken": call.world.ids.hex(),
    }
    return call.answer("upload.key", {"RequestId": call.request_id, "Data": data})


def upload(call: PairCall) -> Response:
    """Keep the file of a form whose policy is signed."""
    form = call.read_form("upload.denied")
    # Public programs write signature in lower case.
    fields = {name.lower(): text for name, text in form.texts.items()}
    sent_id = fields.get("ossaccesskeyid", "")
    _check_signature(call, fields.get("policy", ""), sent_id, fields.get("signature", ""))
    if "file" not in form.files:
        call.refuse("upload.denied")
    object_key = fields.get("key", "")
    file, *_ = form.files["file"]
    call.world.records.uploads.put(f"{HOST}/{object_key}", file.content)
    if fields.get("success_action_status") == "201":
        return call.answer("upload.done", key=object_key)
    return call.answer("upload.posted")


def put(call: PairCall) -> Response:
    """Keep a body whose request is signed."""
    request = call.request
    match = _HEADER.fullmatch(request.header("authorization", ""))
    if match is None:
        call.hint = "this mock checks the first version of OSS's signatures: OSS ID:SIGNATURE"
        call.refuse("upload.denied")
    object_key = unquote(request.path.removeprefix("/"))
    lines = [request.method, request.header("content-md5", ""), request.header("content-type", "")]
    lines.append(request.header("x-oss-date") or request.header("date", ""))
    for name, value in sorted(request.headers):
        if name.startswith("x-oss-"):
            lines.append(f"{name}:{value.strip()}")
    text = "\n".join([*lines, f"/{_BUCKET}/{object_key}"])
    sent_id, signature = match.groups()
    _check_signature(call, text, sent_id, signature)
    call.world.records.uploads.put(f"{HOST}/{object_key}", bytes(request.body))
    digest = hashlib.md5(request.body, usedforsecurity=False).hexdigest().upper()
    return call.answer("upload.put", headers=(("ETag", f'"{digest}"'),))


def client_of(head: Request) -> str:
    """Return the AccessKey ID of an upload; "" if there is none."""
    match = _HEADER.fullmatch(head.header("authorization", ""))
    sent_id = form_of(head).texts.get("OSSAccessKeyId", "") if match is None else match[1]
    return sent_id.removeprefix(_TEMPORARY)


_AUTHORIZE: Final = base.Route(
    pattern="/",
    handlers={"GET": authorize, "POST": authorize},
    checks={"key": _KEY.check},
    credentials=("authorization",),
)
#: The routes of the calls before an upload, by action.
PREPARING: Final[Mapping[str, base.Route]] = {
    "AuthorizeFileUpload": _AUTHORIZE,
    "GetOssStsToken": attrs.evolve(_AUTHORIZE, handlers={"GET": issue_key, "POST": issue_key}),
}
UPLOAD: Final = base.Route(pattern="/", handlers={"POST": upload}, credentials=(), is_form=True)
PUT: Final = base.Route(pattern="/", handlers={"PUT": put}, credentials=("authorization",))


def _find_caller(call: PairCall) -> tuple[str, str]:
    """Return the AccessKey ID of a call, and its secret."""
    if not call.world.vendor.has_host(call.request.header("host")):
        call.hint = f"the upload goes to https://{HOST}: run the program behind the door"
    client = _KEY.client_of(call.request) or ""
    secret = next(text for text, key in call.world.keys.of_client(client) if key is call.key)
    return client, secret


def _check_signature(call: PairCall, text: str, sent_id: str, signature: str) -> None:
    """Refuse an upload unless a key of this id has signed the text."""
    sign = functools.partial(_sign, text, sent_id)
    secret = call.find_signer(client_of(call.request), signature, sign)
    if not call.authenticate(secret):
        call.refuse("upload.denied")


def _sign(text: str, sent_id: str, secret: str) -> str:
    """Return the signature by an AccessKey's secret, or by that of its temporary key."""
    if sent_id.startswith(_TEMPORARY):
        secret = _make_temporary_secret(secret)
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), "sha1")).decode()


def _make_temporary_secret(secret: str) -> str:
    return hmac.digest(secret.encode(), _TEMPORARY.encode(), "sha256").hex()
