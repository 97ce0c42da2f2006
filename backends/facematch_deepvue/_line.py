"""`Line`: one client at one address, its token, and what is asked with its key."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import attrs

from facematch_core import Environment, FaceMatchError, Secret, VendorUnavailable
from facematch_core.http import MOCK_HEADER, HttpClient, HttpReply, HttpRequest

from . import _asking, _request
from ._reading import an_object
from ._tokens import Token, Tokens
from ._words import NAME


@attrs.frozen(kw_only=True)
class Line:
    """The way to Deepvue. Its methods give errors back: their frames hold secrets.

    Attributes:
        base_url: Without a slash at its end.
        client_id, client_secret: The client and its key.
        environment: As declared.
        client: What sends.
        tokens: Those of the client.
    """

    base_url: str
    client_id: Secret
    client_secret: Secret
    environment: Environment | None
    client: HttpClient
    tokens: Tokens

    def signed(
        self, request: HttpRequest, deadline_s: float | None
    ) -> HttpRequest | FaceMatchError:
        """`request` with token and key, after a login if there is no token that lasts."""
        got = self.tokens.get(self._log_in, self.client.clock, deadline_s)
        if isinstance(got, Token):
            return _request.signed(request, got.secret, self.client_id, self.client_secret)
        return got or VendorUnavailable(
            f"The deadline ran out before {NAME} gave a token. Nothing else was sent.",
            backend=NAME,
            retryable=False,
        )

    def forget(self, request: HttpRequest) -> None:
        """Not to use the token of `request` again."""
        self.tokens.forget(request.masked[0])

    def balance(self, deadline_s: float | None) -> WalletBalance | FaceMatchError:
        """What is left in the wallet."""
        return _asking.ask(
            _request.wallet_request(self.base_url, self.client_id, self.client_secret),
            lambda reply: wallet_balance(reply, self.environment),
            client=self.client,
            environment=self.environment,
            deadline_s=deadline_s,
            what="The look at the balance",
        )

    def _log_in(self, deadline_s: float | None) -> Token | FaceMatchError:
        """A token, or why there is none."""
        return _asking.ask(
            _request.authorize_request(self.base_url, self.client_id, self.client_secret),
            lambda reply: _asking.token(reply, self.client),
            client=self.client,
            environment=self.environment,
            deadline_s=deadline_s,
            what="The login",
        )


@attrs.frozen(kw_only=True)
class WalletBalance:
    """What is left in the wallet (Deepvue docs, Wallet Balance, /reference/utilities/
    wallet-balance, read 2026-11-20).

    Attributes:
        amount: Deepvue's `current_balance`. In which unit, no page says.
        environment: Where the answer came from; None if nobody knows.
    """

    amount: Decimal
    environment: Environment | None


def wallet_balance(reply: HttpReply, declared: Environment | None) -> WalletBalance:
    """The balance in an answer 200; `ValueError` if there is none."""
    body = an_object(reply.json(), "the body")
    if body.get("success") not in (None, True):
        raise ValueError("its success is not true")
    told = body.get("current_balance")
    if isinstance(told, bool) or not isinstance(told, (int, float, str)):
        raise ValueError("its current_balance is not a number")  # noqa: TRY004 - what a reader raises
    try:
        amount = Decimal(str(told))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise ValueError("its current_balance is not a number")
    environment = Environment.MOCK if MOCK_HEADER in reply.headers else declared
    return WalletBalance(amount=amount, environment=environment)
