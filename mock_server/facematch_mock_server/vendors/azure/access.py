"""Who may call Azure AI Face, how often, and by which version: the checks of each route."""

from __future__ import annotations

from facematch_mock_server.base.messages import Request
from facematch_mock_server.vendors.base import NumberedCall, bearer_token

KEY_HEADER = "Ocp-Apim-Subscription-Key"
#: The latest stable version, and the first.
STABLE = "v1.2"
FIRST = "v1.0"
PREVIEW = "v1.2-preview.1"
OLDER_PREVIEW = "v1.1-preview.1"
#: Each older version, with the one in whose form it is answered.
NEWEST_OF = {OLDER_PREVIEW: PREVIEW, FIRST: STABLE}
VERSIONS = (STABLE, PREVIEW, *NEWEST_OF)


def version_of(call: NumberedCall) -> str:
    """Return the version in a call's path."""
    _, _, version, *_ = call.request.path.split("/")
    return version


def key_of(head: Request) -> str | None:
    """Return the key in a request, or else its bearer token; None without either."""
    key = head.header(KEY_HEADER.lower())
    return bearer_token(head) if key is None else key


def check_key(call: NumberedCall) -> None:
    """Refuse a missing or wrong key, or bearer token."""
    has_key = call.authenticate(key_of(call.request))
    if call.request.header(KEY_HEADER.lower()) is None and call.request.header("authorization"):
        # OURS: The mock has no Entra: it accepts any of its keys as a bearer token.
        if not has_key:
            call.refuse("token.wrong")
    elif not has_key:
        call.refuse("key.wrong")


def check_rate(call: NumberedCall) -> None:
    """Refuse a transaction above the rate limit or the quota."""
    windows = {"resource": 1, "month": call.claims.get("quota.month_s")}
    # The limits belong to the resource, whichever key a client sends.
    exceeded = call.count_request(windows)
    if exceeded is None:
        return
    if exceeded.scope == "resource":
        # OURS: Retry-After is 1, because the window is empty after one second.
        call.refuse("rate.exceeded", "rate.limit")
    wait_s = exceeded.retry_after_s
    headers = (("Retry-After", str(wait_s)),)
    call.refuse(
        "quota.exceeded", "quota.limit", "quota.month_s", headers=headers, wait=_format_wait(wait_s)
    )


def _format_wait(wait_s: int) -> str:
    """Return seconds as Microsoft's gateway writes them: ``22.14:18:12``, or ``00:06:46``."""
    days, rest_s = divmod(wait_s, 86_400)
    hours, rest_s = divmod(rest_s, 3600)
    minutes, seconds = divmod(rest_s, 60)
    clock = f"{hours:02}:{minutes:02}:{seconds:02}"
    return f"{days}.{clock}" if days else clock


def note_version(call: NumberedCall) -> None:
    """Say in whose form a call is answered that is not of the latest stable version."""
    version = version_of(call)
    # OURS: v1.2-preview.1, the default of Microsoft's Python client, behaves like v1.2, the
    # latest stable version, except for the paths and bodies of liveness sessions; so do
    # v1.1-preview.1 and v1.0, the latter without sessions. Whether Microsoft still serves v1.0
    # was not tried. v1.3-preview.1 is not supported.
    if version in NEWEST_OF:
        call.use_newest_version(version, NEWEST_OF[version])
    # Microsoft's client of v1.0 sends detect, by bytes or by url, verify, identify, findsimilars
    # and persongroups the paths, fields and models of v1.2, and reads the same answers. (Microsoft,
    # PyPI azure-cognitiveservices-vision-face 0.6.1)


def note_usage(call: NumberedCall) -> None:
    """Name the call a transaction in its answer's headers, also in those of a later refusal."""
    call.claims.cite("json.content_type")
    # 37 of 37 answers of one recorder have it, a 400 among them, and neither of two 429s; those of
    # 2019 do not. (Azure/azure-sdk-assets and Azure/azure-sdk-for-net, read 2026-11-30)
    call.headers += (("CSP-Billing-Usage", "CognitiveServices.Face.Transaction=1"),)


def check_access(call: NumberedCall) -> None:
    """Refuse a call that needs Microsoft's approval, for a resource without it."""
    if call.claims["access"] == "unapproved":
        call.refuse("access.refused")


#: The checks of every route, by the claim with which a call is refused, and the headers of the key.
CHECKS = {
    "key.wrong": check_key,
    "rate.exceeded": check_rate,
    "versions": note_version,
    "usage": note_usage,
}
CREDENTIALS = (KEY_HEADER.lower(),)
