"""From --profile, --config and addresses to an account."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import attrs

from facematch_core import ConfigurationError, Secret
from facematch_didit.words import NAME

from ._places import chosen

if TYPE_CHECKING:
    from facematch_didit.account import DiditAccount

#: Where the backend takes its key from, too.
KEY_VARIABLE = "DIDIT_API_KEY"

NO_KEY = (
    "There is no key: run `facematch didit setup`, or set the environment variable "
    f"{KEY_VARIABLE}, or name a --profile of the backend {NAME}."
)


@attrs.frozen(kw_only=True)
class Where:
    """Whose account is asked, and where.

    Attributes:
        profile, config: As for every command.
        base_url, allow_base_url: Over those of the profile, if given.
    """

    profile: str | None = None
    config: str | None = None
    base_url: str | None = None
    allow_base_url: bool = False

    def settings(self) -> dict[str, Any]:
        """What goes over the settings of a profile."""
        given = {"base_url": self.base_url, "allow_base_url": self.allow_base_url or None}
        return {name: value for name, value in given.items() if value is not None}

    def key_from(self) -> str:
        """Whose key it is, for questions: a wrong account cannot be asked back."""
        found = chosen(self.profile, self.config)
        if found is None:
            return f"the key in ${KEY_VARIABLE}"
        return f"the key of the profile {found.profile} in {found.config}"


@contextlib.contextmanager
def opened(where: Where) -> Iterator[DiditAccount]:
    """An account, closed at the end.

    Raises:
        ConfigurationError: there is no key, or a file, a profile or a setting is wrong.
    """
    from facematch_didit.account import DiditAccount

    found = chosen(where.profile, where.config)
    if found is None:
        if not os.environ.get(KEY_VARIABLE):
            raise ConfigurationError(NO_KEY)
        key = Secret.from_environment(KEY_VARIABLE)
        with DiditAccount(api_key=key, **where.settings()) as account:
            yield account
        return
    from facematch_core.config import plan
    from facematch_didit import DiditBackend

    # Not by the path that was found: a file that nobody named may do less.
    planned = plan(profile=found.profile, config=where.config, settings=where.settings(), here=True)
    with planned.open() as verifier:
        # A verifier made of verifiers has no backend of its own.
        backend = getattr(verifier, "backend", None)
        if not isinstance(backend, DiditBackend):
            of = "several backends" if backend is None else f"the backend {backend.name}"
            raise ConfigurationError(
                f"The profile {found.profile} is of {of}: name one of the backend {NAME}."
            )
        with DiditAccount.of(backend) as account:
            yield account
