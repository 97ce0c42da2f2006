"""The environment variables from which programs take a vendor's keys and address, for fixtures."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TypeAlias
from urllib.parse import urlsplit

import attrs

#: The variables to change: a value to set, or None to remove the variable.
Changes: TypeAlias = dict[str, str | None]


@attrs.frozen(kw_only=True)
class Variables:
    """The variables of a vendor: those of its backend, and those of its own clients.

    Attributes:
        keys: The mock's keys by variable, a mapping for each way to sign in. The first that has
            all of these variables that are set is used; if none has, all are.
        without: Variables with keys that the mock does not have, such as a session token.
        other_sources: Further variables, and files (``~/...``), from which the vendor's clients
            take a program's own keys. The mock's would replace them, also for other services.
        settings: Values without which programs do not start, such as a region. If one of them is
            set, all stay as they are.
        address: The variable with the address of the API; None if there is none.
        own_address: An address of the vendor's own, if programs need one; else None.
        common_address: A variable with one address for this API and others; None if there is none.
        ignores_address: A variable that makes programs ignore `address`; None if there is none.
    """

    keys: tuple[Mapping[str, str], ...] = ()
    without: tuple[str, ...] = ()
    other_sources: tuple[str, ...] = ()
    settings: Mapping[str, str] = attrs.field(factory=dict)
    address: str | None = None
    own_address: str | None = None
    common_address: str | None = None
    ignores_address: str | None = None

    def changes_for_keys(self, environment: Mapping[str, str]) -> Changes:
        """Return the changes that bring the mock's keys to a program with this environment."""
        changes: Changes = dict.fromkeys(self.without)
        changes.update(self._choose_keys(environment))
        if not any(environment.get(name) for name in self.settings):
            changes.update(self.settings)
        return changes

    def values_for_a_program_without_keys(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return the mock's keys, and what else a program needs to start; none if it has a key."""
        names = {name for way in self.keys for name in way}.union(self.without, self.other_sources)
        if any(environment.get(name) for name in names):
            return {}
        for name in self.other_sources:
            # Not Path: it raises for a user without a home.
            file = os.path.expanduser(name)  # noqa: PTH111
            if os.path.isabs(file) and os.path.exists(file):  # noqa: PTH110, PTH117
                return {}
        changes = self.changes_for_keys(environment)
        if self.address is not None and not environment.get(self.address):
            changes[self.address] = self.own_address
        return {name: value for name, value in changes.items() if value is not None}

    def _choose_keys(self, environment: Mapping[str, str]) -> Mapping[str, str]:
        """Return the keys of the program's way to sign in; of the first if none is known."""
        all_keys = {name: key for way in self.keys for name, key in way.items()}
        names_set = {name for name in all_keys if environment.get(name)}
        for way in self.keys:
            if names_set <= way.keys():
                return way
        return all_keys

    def changes_for_own_address(
        self,
        environment: Mapping[str, str],
        *,
        has_host: Callable[[str | None], bool],
        start: Callable[[], str],
    ) -> Changes:
        """Return the changes that leave a program at the vendor's own address.

        Args:
            environment: The program's environment.
            has_host: Whether a host is one of the vendor's.
            start: Starts the mock and returns its URL. It is the address if a `common_address` is
                set, which stays, because it is also that of other APIs.
        """
        if self.address is None:
            return {}
        if self.common_address is not None and environment.get(self.common_address):
            return {self.address: start()}
        address = environment.get(self.address)
        if address and has_host(_find_host(address)):
            return {}
        return {self.address: self.own_address}

    def changes_for_url(self, url: str) -> Changes:
        """Return the changes that bring a program to the mock's URL."""
        changes: Changes = {}
        if self.ignores_address is not None:
            changes[self.ignores_address] = None
        if self.address is not None:
            changes[self.address] = url
        return changes


def _find_host(url: str) -> str | None:
    """Return the host of a URL; None if it has none."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
