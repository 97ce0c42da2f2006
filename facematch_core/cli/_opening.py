"""From --backend, --profile and --config to a verifier."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs
import click

from ._options import warn_of_share

if TYPE_CHECKING:
    from facematch_core._interface import Verifier
    from facematch_core._plan import FailoverPlan, Plan

#: What is opened when nobody says what: no account, and nothing leaves the machine.
FALLBACK = "local"


@attrs.frozen(kw_only=True)
class Where:
    """Who is asked.

    Attributes:
        backend, profile: Name of a backend, or instead of a profile; both None for the default
            profile of the configuration file, else the backend `FALLBACK`.
        config: The configuration file; None for the usual places.
    """

    backend: str | None = None
    profile: str | None = None
    config: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.backend is not None and self.profile is not None:
            raise click.UsageError("Name a backend or a profile, not both.")
        if self.backend is not None and self.config is not None:
            raise click.UsageError(
                "--config holds profiles, and --backend uses none: name a profile of it."
            )

    def profile_name(self) -> str | None:
        """The profile that is used; None if a backend is named, or nothing at all.

        Raises:
            ConfigurationError: the configuration file.
        """
        from facematch_core._config import find, read

        if self.backend is not None or self.profile is not None:
            return self.profile
        path = find(self.config, here=True)
        return None if path is None else read(path).default_profile

    def plan(self) -> Plan | FailoverPlan:
        """What would be opened.

        Raises:
            ConfigurationError: a plug-in, a file, a profile or a setting; the message tells which.
        """
        from facematch_core._config import FILE_NAME, VARIABLE, find, user_file
        from facematch_core._plan import plan
        from facematch_core.errors import ConfigurationError

        profile = self.profile_name()
        if profile is not None and find(self.config, here=True) is None:
            raise ConfigurationError(
                f"There is no configuration file, so no profile {profile[:60]!r} (looked for "
                f"./{FILE_NAME} and {user_file()}; ${VARIABLE} or --config name another)."
            )
        if profile is None and self.config is None:
            return plan(self.backend or FALLBACK)
        # A file that was named is used or refused; without a default profile it is an error.
        return plan(profile=profile, config=self.config, here=True)


def single_plans(planned: Plan | FailoverPlan) -> tuple[Plan, ...]:
    """The plan itself, or those of a failover's members, in their order."""
    from facematch_core._plan import Plan

    return (planned,) if isinstance(planned, Plan) else tuple(planned.members.values())


def warned_plan(where: Where) -> Plan | FailoverPlan:
    """The plan, after a warning of each threshold of its profiles that looks like a share.

    Raises:
        ConfigurationError: as `Where.plan`.
    """
    planned = where.plan()
    for single in single_plans(planned):
        if single.profile is None:
            continue
        for name, value in single.profile.verifier.items():
            if name.endswith("threshold"):
                warn_of_share(f"{single.profile.where}: {name}", value)
    return planned


@contextlib.contextmanager
def opened(where: Where) -> Iterator[Verifier]:
    """A verifier, closed at the end.

    Raises:
        ConfigurationError: as `Where.plan`, or the backend refuses its settings.
    """
    with warned_plan(where).open() as verifier:
        yield verifier
