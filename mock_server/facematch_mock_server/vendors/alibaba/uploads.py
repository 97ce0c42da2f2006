"""Pictures that a client uploads to a bucket of Alibaba, and whose link it sends then.

The calls of Alibaba's SDKs whose names end in "advance" do so.
"""

from __future__ import annotations

import base64
import functools
import hmac
from typing import Final

from facematch_mock_server.base.messages import Request, Response, form_of
from facematch_mock_server.vendors import base
from facematch_mock_server.vendors.pairs import PairCall

from .signature import SigningKey

_BUCKET: Final = "viapi-customer-temp"
_ENDPOINT: Final = "oss-cn-shanghai.aliyuncs.com"
#: The host to which clients upload, over HTTPS alone.
HOST: Final = f"{_BUCKET}.{_ENDPOINT}"
_KEY: Final = SigningKey()


def authorize(call: PairCall) -> Response:
    """Let a client upload a file by a policy that its own secret has signed."""
    if not call.world.vendor.has_host(call.request.header("host")):
        call.hint = f"the upload goes to https://{HOST}: run the program behind the door"
    client = _KEY.client_of(call.request) or ""
    secret = next(text for text, key in call.world.keys.of_client(client) if key is call.key)
    object_key = f"{client}/{call.world.ids.uuid()}"
    policy = base64.b64encode(f'{{"conditions": [{{"key": "{object_key}"}}]}}'.encode()).decode()
    body = {
        "RequestId": call.request_id,
        "AccessKeyId": client,
        "Bucket": _BUCKET,
        "EncodedPolicy": policy,
        "Endpoint": _ENDPOINT,
        "ObjectKey": object_key,
        "Signature": _sign_policy(policy, secret),
        "UseAccelerate": False,
    }
    return call.answer("upload.authorized", body)


def upload(call: PairCall) -> Response:
    """Keep the file of a form whose policy is signed."""
    form = call.read_form("upload.denied")
    sign = functools.partial(_sign_policy, form.texts.get("policy", ""))
    client = client_of(call.request)
    secret = call.find_signer(client, form.texts.get("Signature", ""), sign)
    if not call.authenticate(secret) or "file" not in form.files:
        call.refuse("upload.denied")
    object_key = form.texts.get("key", "")
    file, *_ = form.files["file"]
    call.world.records.uploads.put(f"http://{HOST}/{object_key}", file.content)
    return call.answer("upload.done", key=object_key)


def client_of(head: Request) -> str:
    """Return the AccessKey ID in the form of an upload; "" if there is none."""
    return form_of(head).texts.get("OSSAccessKeyId", "")


AUTHORIZE: Final = base.Route(
    pattern="/",
    handlers={"GET": authorize, "POST": authorize},
    checks={"key": _KEY.check},
    credentials=("authorization",),
)
UPLOAD: Final = base.Route(pattern="/", handlers={"POST": upload}, credentials=(), is_form=True)


def _sign_policy(policy: str, secret: str) -> str:
    digest = hmac.digest(secret.encode(), policy.encode(), "sha1")
    return base64.b64encode(digest).decode()
