"""Settings of an account, and its connections."""

from __future__ import annotations

import re
from types import TracebackType
from typing import NoReturn, Self

import attrs
from urllib3.util import parse_url

from facematch_core import Clock, ConfigurationError, Environment, Secret
from facematch_core.http import HttpClient, check_base_url
from facematch_didit import _settings
from facematch_didit._backend import DiditBackend
from facematch_didit._settings import HOST

from . import _arguments as given
from ._line import Line

#: The host that registers accounts, and what its calls have before their path (Didit face-match
#: skill page, early 2026, read 2026-11-20).
AUTH_HOST = "apx.didit.me"
AUTH_PATH = "/auth/v2"


def _secret_or_none(key: Secret | str | None) -> Secret | None:
    return None if key is None else Secret.of(key)


@attrs.frozen(kw_only=True, eq=False)
class Opened:
    """An account that calls can be made to; `DiditAccount` says what the settings mean."""

    api_key: Secret | None = attrs.field(
        default=None,
        converter=_secret_or_none,
        validator=attrs.validators.optional(_settings.not_empty),
    )
    base_url: str = f"https://{HOST}"
    auth_url: str | None = None
    allow_base_url: bool = attrs.field(default=False, validator=_settings.flag)
    allow_insecure: bool = attrs.field(default=False, validator=_settings.flag)
    environment: Environment = attrs.field(
        default=Environment.PRODUCTION, converter=_settings.declared
    )
    connect_timeout_s: float = attrs.field(default=10.0, validator=_settings.seconds)
    read_timeout_s: float = attrs.field(default=30.0, validator=_settings.seconds)
    clock: Clock | None = attrs.field(default=None, repr=False)
    _given: HttpClient | None = attrs.field(default=None, alias="client", repr=False)
    client: HttpClient = attrs.field(init=False, repr=False)
    _line: Line = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        # Not as defaults: those are made before the validators have looked.
        object.__setattr__(self, "client", self._given or self._new_client())
        object.__setattr__(self, "_line", self._new_line())

    @classmethod
    def of(cls, backend: DiditBackend, *, auth_url: str | None = None) -> Self:
        """The account of a backend's key, with its settings and over its connections.

        For a profile: ``DiditAccount.of(verifier.backend)``, of what `open_verifier` gives.

        Raises:
            ConfigurationError: it is no `DiditBackend`, or `auth_url` is wrong.
        """
        if not isinstance(backend, DiditBackend):
            raise ConfigurationError(
                f"DiditAccount.of takes a DiditBackend, not {type(backend).__name__}."
            )
        return cls(
            api_key=backend.api_key,
            base_url=backend.base_url,
            auth_url=auth_url,
            allow_base_url=backend.allow_base_url,
            allow_insecure=backend.allow_insecure,
            environment=backend.environment,
            connect_timeout_s=backend.connect_timeout_s,
            read_timeout_s=backend.read_timeout_s,
            client=backend.client,
        )

    def within(self, seconds: float) -> Self:
        """The same account over the same connections, all of whose calls end in so many seconds.

        What does not begin before that is `VendorUnavailable`. Closing it leaves the connections
        open.

        Raises:
            InvalidRequest: it is no number of at least 0.
        """
        line = self._line.within(given.seconds("seconds", seconds, least=0))
        account = attrs.evolve(self, client=self.client)
        object.__setattr__(account, "_line", line)
        return account

    def close(self) -> None:
        """Close the connections, unless they are those of a backend. May be called again."""
        if self._given is None:
            self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("A DiditAccount is not pickled: open one in each process.")

    def _new_client(self) -> HttpClient:
        return HttpClient(
            connect_timeout_s=self.connect_timeout_s,
            read_timeout_s=self.read_timeout_s,
            clock=self.clock,
        )

    def _new_line(self) -> Line:
        base_url = self._checked(self.base_url, HOST)
        return Line(
            base_url=base_url,
            auth_url=self._checked_auth_url(base_url),
            own_hosts=frozenset({HOST, AUTH_HOST}),
            api_key=self.api_key,
            environment=self.environment,
            client=self.client,
            deadline_s=self.connect_timeout_s + self.read_timeout_s,
        )

    def _checked_auth_url(self, base_url: str) -> str:
        if self.auth_url is None:
            own = parse_url(base_url).host == HOST
            return f"https://{AUTH_HOST}{AUTH_PATH}" if own else base_url + AUTH_PATH
        try:
            return self._checked(self.auth_url, AUTH_HOST)
        except ConfigurationError as error:
            problem = re.sub(r"\bbase_url\b", "auth_url", error.message)
        raise ConfigurationError(problem)

    def _checked(self, url: str, host: str) -> str:
        return check_base_url(
            url,
            allowed_hosts={host},
            allow_base_url=self.allow_base_url,
            allow_insecure=self.allow_insecure,
        )
