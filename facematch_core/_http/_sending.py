"""One exchange from request to reply, or to a short record of why there is none.

Nothing is raised from here: an exception of requests holds the request, and its traceback frames
hold the key and the pictures. The record that takes its place holds words of ours.
"""

from __future__ import annotations

import contextlib
import os
import re
import traceback
from collections.abc import Callable
from typing import Any

import attrs
import requests
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema
from requests.utils import get_environ_proxies, select_proxy
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from facematch_core.errors import ConfigurationError, FaceMatchError, InvalidRequest

from ._body import Unreadable, read_body
from ._exchange import CURRENT, DeadlineRanOut, Exchange
from ._messages import HttpReply, HttpRequest, revealed
from ._multipart import multipart
from ._reasons import links, never_left, reason
from ._transport import is_network
from ._url import is_loopback

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"([!-~\xa1-\xff]([\t -~\xa0-\xff]*[!-~\xa1-\xff])?)?")


@attrs.frozen(kw_only=True)
class Failure:
    """Why there is no reply.

    Attributes:
        reason: A few words about the peer ("it took too long").
        sent: Whether the first byte of the request was handed to the socket.
        expired: Whether the deadline ended it.
        unreadable: Whether the answer was complete as HTTP but its body cannot be used.
        status: That of the answer, if its head was read.
        raised: What is to be raised instead: a wrong setting, or Ctrl-C.
        refusal: What `on_sent` raised.
    """

    reason: str = ""
    sent: bool = False
    expired: bool = False
    unreadable: bool = False
    status: int | None = None
    raised: BaseException | None = None
    refusal: BaseException | None = None


def perform(
    take_session: Callable[[], requests.Session],
    put_back: Callable[[requests.Session], None],
    request: HttpRequest,
    exchange: Exchange,
    *,
    timeouts_s: tuple[float, float],
    verify: str | None,
    max_body_bytes: int,
) -> HttpReply | Failure:
    """Send `request` and read the reply.

    Args:
        take_session: Gives the session of this thread.
        put_back: Takes it again, after an exchange that is whole. So nothing of one that broke is
            ever met again: no connection out of step, and no lock that was left taken.
        request: What to send.
        exchange: Its deadline, and what is noted of it.
        timeouts_s: For connecting and for each wait after that.
        verify: File or folder of certificates to trust; None for those of the environment.
        max_body_bytes: Longest body after decompression.
    """
    token = CURRENT.set(exchange)
    response: requests.Response | None = None
    status = None
    try:
        exchange.wait_s(timeouts_s[0])
        session = take_session()
        response = _answer(session, request, exchange, timeouts_s, verify)
        status = response.status_code
        reply = HttpReply(
            status=status,
            headers=response.headers,
            body=read_body(response, max_body_bytes, exchange.hold),
            elapsed_s=exchange.elapsed_s,
            secrets=request.secrets,
        )
        response.close()
        exchange.complete()
        put_back(session)
    except BaseException as error:  # noqa: BLE001 - raised again by the client; even the frames of Ctrl-C hold the picture
        for link in links(error):
            # Frees the request now; the frames refer to one another and would wait for the
            # garbage collector.
            traceback.clear_frames(link.__traceback__)
        _hang_up(response, exchange)
        return _failure(error, exchange, status)
    else:
        return reply
    finally:
        CURRENT.reset(token)


def _hang_up(response: requests.Response | None, exchange: Exchange) -> None:
    """Leave nothing open of an exchange that failed, and let that not hide the failure."""
    with contextlib.suppress(Exception):
        if response is not None:
            # Not by response.close(), which hands the connection back to its pool.
            response.raw.close()
    with contextlib.suppress(Exception):
        exchange.drop()


def _failure(error: BaseException, exchange: Exchange, status: int | None) -> Failure:
    with contextlib.suppress(DeadlineRanOut):
        exchange.hold()
    if exchange.refusal is not None:
        return Failure(refusal=exchange.refusal)
    if isinstance(error, FaceMatchError) or not isinstance(error, Exception):
        return Failure(raised=error.with_traceback(None))
    return Failure(
        reason=reason(error),
        sent=exchange.sent,
        expired=exchange.expired,
        unreadable=isinstance(error, Unreadable),
        status=status,
    )


def _answer(
    session: requests.Session,
    request: HttpRequest,
    exchange: Exchange,
    timeouts_s: tuple[float, float],
    verify: str | None,
) -> requests.Response:
    """The head of the answer; its body is still to be read."""
    prepared = _prepared(session, request)
    url = str(prepared.url)
    settings = _settings(url, verify)
    _check_settings(url, settings)
    adapter = session.get_adapter(url)
    if not is_network(adapter):
        # It knows no deadline, only time-outs; our sockets ask before each wait.
        timeouts_s = exchange.wait_s(timeouts_s[0]), exchange.wait_s(timeouts_s[1])
    # Not through session.send: it would follow a redirect in thought and read its body.
    try:
        response = adapter.send(prepared, timeout=timeouts_s, **settings)
    except BaseException as error:
        # A transport that is not ours (a test double) cannot tell whether a byte has left; nor is
        # it known when a Ctrl-C came.
        if not exchange.own and not never_left(error):
            exchange.begin()
        raise
    exchange.begin()
    return response


def _prepared(session: requests.Session, request: HttpRequest) -> requests.PreparedRequest:
    prepared = requests.PreparedRequest()
    try:
        # Step by step, and not by the session, which would look for cookies, hooks and ~/.netrc.
        prepared.prepare_method(request.method)
        prepared.prepare_url(request.url, dict(request.params) or None)
        prepared.prepare_headers({**session.headers, **_revealed(request)})
        _prepare_body(prepared, request)
    except FaceMatchError:
        raise
    except (InvalidURL, InvalidSchema, MissingSchema):
        raise ConfigurationError("The address of the request is not valid.")  # noqa: B904 - perform() drops the context
    except Exception as error:  # noqa: BLE001 - whatever it is, nothing was sent
        raise InvalidRequest(  # noqa: B904 - perform() drops the context
            f"The request cannot be put into HTTP ({type(error).__name__}): nothing was sent."
        )
    return prepared


def _prepare_body(prepared: requests.PreparedRequest, request: HttpRequest) -> None:
    fields = {name: revealed(value) for name, value in request.fields.items()}
    if request.files and all(isinstance(text, str) for text in fields.values()):
        body, kind = multipart(fields, request.files)
        prepared.prepare_body(body, None)
        prepared.headers.setdefault("Content-Type", kind)
        return
    files = [(f.name, (f.filename, f.data, f.content_type)) for f in request.files]
    prepared.prepare_body(fields, files, request.json)


def _revealed(request: HttpRequest) -> dict[str, str]:
    """The headers with their secrets, for the prepared request alone."""
    headers = {}
    for name, value in request.headers.items():
        text = revealed(value)
        if not _HEADER_NAME.fullmatch(name):
            raise ConfigurationError("The name of a header has characters that HTTP cannot carry.")
        if not _HEADER_VALUE.fullmatch(text):
            raise ConfigurationError(
                f"The value of the header {name} cannot be sent: a space or a line break at an end "
                "(of a key, often), or a character outside Latin-1."
            )
        headers[name] = text
    return headers


def _settings(url: str, verify: str | None) -> dict[str, Any]:
    """Proxies and certificates of the environment, as a session of requests takes them."""
    variables = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    bundles = (verify, *(os.environ.get(name) for name in variables))
    # Faces for this machine, a mock above all, may not take a way around over another.
    near = is_loopback(str(parse_url(url).host))
    return {
        "stream": True,
        "verify": next(filter(None, bundles), True),
        "cert": None,
        "proxies": {} if near else get_environ_proxies(url),
    }


def _check_settings(url: str, settings: dict[str, Any]) -> None:
    verify = settings["verify"]
    if isinstance(verify, str) and not os.path.exists(verify):  # noqa: PTH110 - a file or a folder, as requests asks
        raise ConfigurationError(f"The CA bundle {verify} does not exist.")
    proxy = settings["proxies"] and select_proxy(url, settings["proxies"])
    if not proxy:
        return
    if proxy.lower().startswith("socks"):
        # Its connections are not ours: whether a byte has left could not be told.
        raise ConfigurationError("SOCKS proxies are not supported: name an HTTP proxy.")
    try:
        parts = parse_url(proxy if "://" in proxy else f"http://{proxy}")
        valid = parts.scheme in ("http", "https") and bool(parts.host)
    except LocationParseError:
        valid = False
    if not valid:
        raise ConfigurationError(
            "The proxy that the environment names has no address of the form http://host:port."
        )
