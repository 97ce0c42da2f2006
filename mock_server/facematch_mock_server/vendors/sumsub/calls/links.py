"""Links to an applicant's page, and access tokens for the SDKs.

Sources: docs.sumsub.com, /reference/generate-websdk-external-link and
/reference/generate-access-token, in their present and their earlier state, and @sumsub/websdk
2.9.0; read 2026-11-29.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
from typing import Any

import attrs

from facematch_mock_server.base.messages import Response
from facematch_mock_server.vendors.sumsub.access import SumsubCall
from facematch_mock_server.world import hosted
from facematch_mock_server.world.hosted import hosted_of
from facematch_mock_server.world.sessions import Session

from .applicants import (
    add_applicant,
    check_level,
    find_by_external_id,
    is_deactivated,
    level_or_default,
    read_external_id,
    store_change,
    with_metadata,
)

_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)


def create_link(call: SumsubCall) -> Response:
    """Create a link to an applicant's page by the fields of the body."""
    call.body = call.read_object("body.no_object")
    return _answer_link(call, _read_external_and_level(call, "userId"))


def create_link_of_level(call: SumsubCall) -> Response:
    """Create a link by the earlier form: the level in the path, the other fields in the query."""
    sent_body = call.read_object("body.no_object") if call.request.body else {}
    call.body = {**sent_body, **_read_query(call), "levelName": call.path_values[0]}
    # The earlier form of the call has the level in the path, and externalUserId, ttlInSecs and lang
    # in the query. (docs.sumsub.com, /reference/generate-websdk-external-link, an earlier state)
    return _answer_link(call, _read_external_and_level(call, "externalUserId"))


def create_token(call: SumsubCall) -> Response:
    """Create a token for the SDKs by the fields of the body."""
    call.body = call.read_object("body.no_object")
    return _answer_token(call)


def create_token_by_query(call: SumsubCall) -> Response:
    """Create a token by the earlier form, which has its fields in the query."""
    call.body = _read_query(call)
    call.body["levelName"] = level_or_default(call, call.query.get("levelName"))
    # The earlier form of the call has userId, levelName and ttlInSecs in the query, and no body.
    # (docs.sumsub.com, /reference/generate-access-token, an earlier state)
    return _answer_token(call)


def _read_query(call: SumsubCall) -> dict[str, Any]:
    """Return the fields of the query, with the seconds as a number."""
    fields: dict[str, Any] = dict(call.query)
    seconds = fields.get("ttlInSecs", "")
    if _SECONDS.fullmatch(seconds):
        fields["ttlInSecs"] = int(seconds)
    return fields


def _read_external_and_level(call: SumsubCall, id_name: str) -> tuple[str, str]:
    """Return the applicant's external id and level; refuse the call without them."""
    external_id = read_external_id(call, id_name)
    level_name = call.body.get("levelName")
    if not isinstance(level_name, str) or not level_name:
        call.refuse("body.invalid", problem="levelName is missing")
    check_level(call, level_name)
    return external_id, level_name


def _read_lifetime(call: SumsubCall, default_claim: str) -> int:
    """Return the seconds until the link or token expires."""
    lasts_s = call.body.get("ttlInSecs", call.claims[default_claim])
    longest_s = call.claims["link.longest_s"]
    if type(lasts_s) is not int or not 0 < lasts_s <= longest_s:
        call.refuse("body.invalid", problem=f"ttlInSecs must be from 1 to {longest_s}")
    return lasts_s


def _answer_link(call: SumsubCall, applicant: tuple[str, str]) -> Response:
    """Return a link to the person's page; refuse redirects that are no texts in an object."""
    lasts_s = _read_lifetime(call, "link.default_s")
    redirect = call.body.get("redirect") or {}
    if not isinstance(redirect, dict):
        call.refuse("body.invalid", problem="redirect must be an object")
    success_url = redirect.get("successUrl")
    reject_url = redirect.get("rejectUrl")
    if not isinstance(success_url, str | None) or not isinstance(reject_url, str | None):
        call.refuse("body.invalid", problem="successUrl and rejectUrl must be strings")
    session = _open_page(
        call,
        applicant,
        lasts_s=lasts_s,
        success_url=success_url,
        reject_url=reject_url,
        language=call.query.get("lang"),
    )
    # The page redirects to successUrl if the answer is GREEN, else to rejectUrl. No JWT is added:
    # signKey has no effect here. (docs.sumsub.com, /reference/generate-websdk-external-link, of
    # 2026-09-17)
    url = hosted.page_url(call.world, session, call.origin)
    return call.answer("link.created", {"url": url})


def _answer_token(call: SumsubCall) -> Response:
    """Return a token in which the web SDK finds this server; an open page stays open."""
    applicant = _read_external_and_level(call, "userId")
    lasts_s = _read_lifetime(call, "token.default_s")
    session = _open_page(call, applicant, lasts_s=lasts_s, keeps_open_page=True)
    # OURS: A token opens this server's page for a tester as a link does, and lasts at most as long.
    # A link that is still open stays open, and its page has the token.
    # A token begins with _act-jwt- or, in the sandbox, _act-sbx-jwt-. Its parts are base64, and the
    # web SDK takes its address from url in one of them: here, this server. The other parts are
    # ours; the last one is the token of the page. (@sumsub/websdk 2.9.0, dist/index.esm.js and
    # types/types.d.ts)
    prefix = "_act-jwt-" if call.is_live else "_act-sbx-jwt-"
    parts = [{"alg": "none"}, {"url": hosted.page_origin(call.world, call.origin)}]
    encoded = [base64.b64encode(json.dumps(part).encode()).decode() for part in parts]
    token = f"{prefix}{'.'.join(encoded)}.{hosted_of(session).token}"
    return call.answer("token.created", {"token": token, "userId": session.vendor_data})


def redirect_to_page(call: SumsubCall) -> Response:
    """Redirect the frame of the web SDK, which it names by the access token, to the page."""
    frame_id = call.query.get("_", "")
    try:
        token = base64.b64decode(frame_id.removeprefix("id_"), validate=True).decode()
    except ValueError:
        token = ""
    page_token = token.rpartition(".")[-1]
    # No key says which account it is.
    for account in call.world.account.shared.all:
        found = hosted.find_by_page_token(account, page_token)
        if found is not None:
            break
    else:
        call.refuse("applicant.unknown")
    world, session = found
    url = f"{hosted.page_url(world, session, call.origin)}?_={frame_id}"
    return call.answer("websdk.page", headers=(("Location", url),))


def redirect_to_asking_page(call: SumsubCall) -> Response:
    """Redirect the frame of an older web SDK to a page that asks it for the access token."""
    # In a frame of the web SDK the page sends idCheck.onReady; after the SDK's idCheck.init
    # onInitialized and onApplicantLoaded; after an attempt onApplicantSubmitted or, from the second
    # on, onApplicantResubmitted, then onApplicantStatusChanged; nothing when the person leaves; for
    # an expired token onError with invalid-token, and the SDK then fetches another one. The order
    # is ours. The dates of a status are left out: Sumsub's page and the types name them
    # differently. (@sumsub/websdk 2.9.0, dist/index.esm.js and types/types.d.ts)
    _, _, query = call.request.target.partition("?")
    url = f"{hosted.web_sdk_path(call.world, None)}?{query}"
    return call.answer("websdk.older", headers=(("Location", url),))


def _open_page(
    call: SumsubCall,
    applicant: tuple[str, str],
    *,
    lasts_s: int,
    success_url: str | None = None,
    reject_url: str | None = None,
    language: str | None = None,
    keeps_open_page: bool = False,
) -> Session:
    """Open the page of an applicant, who may be a new one, by a new token.

    Refuses an applicant who was deactivated. With `keeps_open_page`, an open page stays as it is,
    so that its link still works, and the URLs and the language are ignored.
    """
    external_id, level_name = applicant
    with call.world.behaviour.creating:
        session = find_by_external_id(call, external_id)
        if session is None:
            # OURS: A link for an unknown userId creates its applicant at once; Sumsub's
            # pages differ about it.
            session = add_applicant(call, external_id, level_name, sent={})
    if is_deactivated(session):
        call.refuse("presence.deleted")
    link = {
        "token": hosted.new_token(call.world),
        "expires_at": call.now + dt.timedelta(seconds=lasts_s),
        "callback": success_url,
        "language": language,
    }

    def open_page(each: Session) -> Session:
        if keeps_open_page and hosted_of(each).token and call.now < hosted_of(each).expires_at:
            return each
        opened = attrs.evolve(each, hosted=attrs.evolve(hosted_of(each), **link))
        return with_metadata(opened, reject_url=reject_url)

    # Another link continues the same applicant. That the former link ends is our choice.
    # (SUMSUB/agent-skills 070922a, of 2026-08-14)
    return store_change(call, session, open_page)
