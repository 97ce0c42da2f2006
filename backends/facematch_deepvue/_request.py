"""Requests to Deepvue: a call into a form.

Paths, fields and headers: Deepvue docs, Face Match v1, /reference/forensics/face/face-match; Face
Match v2, /reference/forensics/face/face-match-v2; Liveness, /reference/forensics/face/
face-liveness-check; /reference/auth/authorization; /reference/utilities/wallet-balance. All pages
were read on 2026-11-20.
"""

from __future__ import annotations

import base64

import attrs

from facematch_core import Image, Secret
from facematch_core.backend import LivenessCall, MatchCall
from facematch_core.http import HttpRequest, picture

from ._words import ApiVersion, ImageForm

AUTHORIZE_PATH = "/v1/authorize"
LIVENESS_PATH = "/v1/liveness-check"
WALLET_PATH = "/v1/internal/wallet-balance"
MATCH_PATHS = {version: f"/{version}/facematch" for version in ApiVersion}


def authorize_request(base_url: str, client_id: Secret, client_secret: Secret) -> HttpRequest:
    """A login; urlencoded, as the older page has it (the newer one says multipart)."""
    return HttpRequest(
        url=base_url + AUTHORIZE_PATH,
        fields={"client_id": client_id, "client_secret": client_secret},
    )


def match_request(call: MatchCall, *, base_url: str, version: ApiVersion) -> HttpRequest:
    """The face match of `call`, not yet signed.

    The two files are alike to Deepvue; by convention the first is the reference.
    """
    return HttpRequest(
        url=base_url + MATCH_PATHS[version],
        files=[picture("file_a", call.reference), picture("file_b", call.probe)],
    )


def liveness_request(call: LivenessCall, *, base_url: str, form: ImageForm) -> HttpRequest:
    """The liveness check of `call`, not yet signed."""
    return HttpRequest(url=base_url + LIVENESS_PATH, json={"image": as_text(call.probe, form)})


def as_text(image: Image, form: ImageForm) -> str:
    """Standard base64 without line breaks, alone or as a data URI."""
    text = base64.b64encode(image.data).decode()
    return text if form is ImageForm.BASE64 else f"data:{image.media_type};base64,{text}"


def wallet_request(base_url: str, client_id: Secret, client_secret: Secret) -> HttpRequest:
    """A look at the prepaid balance, which has headers of its own and no token."""
    return HttpRequest(
        method="GET",
        url=base_url + WALLET_PATH,
        headers={"x-api-key": client_secret, "client-id": client_id},
    )


def signed(
    request: HttpRequest, token: Secret, client_id: Secret, client_secret: Secret
) -> HttpRequest:
    """`request` with token and key; both, and the id, are masked in what comes back."""
    return attrs.evolve(
        request,
        headers={
            **request.headers,
            "Authorization": Secret(f"Bearer {token.reveal()}", origin=token.origin),
            "x-api-key": client_secret,
        },
        masked=(token, client_id),
    )
