"""The control API under ``/__mock__/``: the operations of `Control`, and the ready test cards."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from facematch_core.base.nesting import load_json
from facematch_mock_server.base.messages import CONTROL, TOKEN_HEADER, Request, Response
from facematch_mock_server.claims import JSON, encode, response
from facematch_mock_server.recognition.ready import READY
from facematch_mock_server.world.accounts import ACCOUNT_HEADER, MAIN, Account, Accounts

from .control import Control, operations_of
from .table import QueryText

PREFIX = f"{CONTROL}/"
#: The prefix of the ready test cards' paths, such as ``/__mock__/cards/p1.png``.
CARDS = f"{PREFIX}cards/"

#: Headers against type sniffing, caching, and use by other origins.
GUARDS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-store"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)


class ControlApi:
    """The control API of one server. A path such as ``/__mock__/deepvue/`` selects the vendor."""

    # Any page in a browser can reach a loopback port. A change must therefore be sent as
    # ``application/json``, which needs a CORS permission that the API never grants.

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def known_paths(self) -> tuple[str, ...]:
        """Return the paths of the API; none if the API is switched off."""
        if not self._accounts.control:
            return ()
        first_vendor = next(iter(self._accounts.vendors.values()))
        return tuple(PREFIX + path for _, path in operations_of(first_vendor))

    def handle(self, request: Request) -> Response:
        """Handle a request without recording it in the journal."""
        return self.find_refusal(request) or reply(lambda: self._answer(request))

    def _answer(self, request: Request) -> Response:
        """Return the answer of an operation of the control API.

        It is 404 for an unknown path, 405 for another method. Without a vendor's name in the path,
        the first vendor is meant. An operation may take an id, which ends the path.
        """
        # HEAD is handled like GET; the server omits the body.
        method = "GET" if request.method == "HEAD" else request.method
        if request.path.startswith(CARDS) and method == "GET":
            return _serve_card(request.path.removeprefix(CARDS))
        below_prefix = request.path[len(PREFIX) :].strip("/")
        vendor, _, path = below_prefix.partition("/")
        is_named = vendor in self._accounts.vendors
        if not is_named:
            vendor = next(iter(self._accounts.vendors))
            path = below_prefix
        # If the operation takes an id, the path ends with it.
        folder = path[: path.rfind("/") + 1]
        operations = {}
        for (its_method, pattern), operation in operations_of(
            self._accounts.vendors[vendor]
        ).items():
            if pattern in (path, f"{folder}{{}}"):
                operations[its_method] = operation
        if not operations:
            return reply_words(
                404, f"Unknown path {PREFIX}{below_prefix}; GET {PREFIX} lists the operations."
            )
        if method not in operations:
            return reply_words(405, f"{PREFIX}{below_prefix} takes {' and '.join(operations)}.")
        sent = _read_object(request) if method == "POST" else _read_query_but_account(request)
        control = self.control(request, vendor, is_of_one_vendor=is_named)
        return reply_json(200, operations[method](control, path[len(folder) :], sent))

    def find_refusal(self, request: Request) -> Response | None:
        """Return the error response for a request that may not use the control API, or None."""
        accounts = self._accounts
        if not accounts.control:
            return reply_words(404, "The control API is switched off.")
        if accounts.control_token is not None:
            token = request.header(TOKEN_HEADER.lower(), "")
            if not hmac.compare_digest(token.encode(), accounts.control_token.encode()):
                return reply_words(403, f"The control API needs its token in {TOKEN_HEADER}.")
        is_json = request.media_type == "application/json"
        if request.method == "POST" and not is_json:
            sentence = "Send a change as JSON, with the header Content-Type: application/json."
            return reply_words(415, sentence)
        return None

    def control(self, request: Request, vendor: str, *, is_of_one_vendor: bool = False) -> Control:
        """Return the `Control` for a request's account. Raises LookupError if unknown."""
        return Control(self.account(request), vendor, is_of_one_vendor=is_of_one_vendor)

    def account(self, request: Request) -> Account:
        """Return a request's account, by default the first. Raises LookupError if unknown."""
        header = request.header(ACCOUNT_HEADER.lower())
        name = dict(request.query).get("key", MAIN if header is None else header)
        return self._accounts.get(name)


def _serve_card(name: str) -> Response:
    card = READY.get(name.removesuffix(".png"))
    if card is None:
        return reply_words(404, f"There is no such card; the cards are {', '.join(READY)}.")
    return response(200, "image/png", card.data, GUARDS)


def _read_query_but_account(request: Request) -> dict[str, Any]:
    sent: dict[str, Any] = {}
    for name, value in request.query:
        if name in sent:
            raise ValueError(f"{name:.60} is given twice")
        if name != "key":
            sent[name] = QueryText(value)
    return sent


def _read_object(request: Request) -> dict[str, Any]:
    """Return the JSON object in a body; an empty body is an empty object.

    Amounts are read as Decimal. Raise ValueError for another body, and for a field in the query.
    """
    for name in _read_query_but_account(request):
        raise ValueError(f"{name:.60} cannot be in the query of a change: send it in the body")
    try:
        # Fractions are read as Decimal, so that amounts of money are exact.
        body = load_json(request.body or b"{}", parse_float=Decimal)
    except (ValueError, ArithmeticError):
        raise ValueError("the body is not JSON") from None
    if not isinstance(body, dict):
        raise ValueError("the body is not a JSON object")  # noqa: TRY004 - one error for bad bodies
    return body


#: Errors whose message the control API returns to the client.
MISTAKES = (ValueError, TypeError, LookupError, RecursionError, TimeoutError)


def reply(work: Callable[[], Response]) -> Response:
    """Return the result of `work`, or a 404, 504 or 400 with its error message."""
    try:
        return work()
    except MISTAKES as error:
        if isinstance(error, LookupError):
            status = 404
        elif isinstance(error, TimeoutError):
            status = 504
        else:
            status = 400
        # The text of a KeyError has quotes; its argument has none.
        return reply_words(status, str(error.args[0] if error.args else error))


def reply_json(status: int, body: object) -> Response:
    # The newline at the end is for terminals.
    return response(status, JSON, encode(body) + b"\n", GUARDS)


def reply_words(status: int, sentence: str) -> Response:
    """Return a response that contains a message from the mock."""
    return reply_json(status, {"mock": sentence})
