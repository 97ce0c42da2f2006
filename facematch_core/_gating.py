"""From the tables of a profile to its gates. What profiles of one account share is made once.

Breakers and pacing learn from every call of an account, and stores count for all, so they live as
long as the process, and outlive the verifier that was opened first.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ._clock import Clock
from ._gate_tables import WINDOWS_S, GateTables
from ._secrets import Secret
from ._settings import Setting, located
from .errors import ConfigurationError

if TYPE_CHECKING:
    from .backend import Backend
    from .gates import Breaker, Budget, Gate, Pacing, Retries
    from .store import AttemptStore

T = TypeVar("T")

#: An SQLite file that is named relative to something; one in memory is refused by the store.
_RELATIVE = re.compile(r"(?P<kind>sqlite(?:\+\w+)?:///)(?P<file>(?![/:]|file:)[^?]+)(?P<more>.*)")

_shared: dict[Hashable, Any] = {}

#: Keeps the digests of keys useless outside this process.
_SALT = os.urandom(16)


def gates_of(
    tables: GateTables,
    *,
    profile: str,
    where: str,
    folder: Path,
    backend: Backend,
    settings: Iterable[Setting],
    clock: Clock | None = None,
) -> dict[str, Any]:
    """The arguments of `FaceVerifier` that the tables stand for: ``gates`` and ``retries``.

    Args:
        tables: As `read_tables` gives them.
        profile: Name of the profile.
        where: File and profile, for messages.
        folder: What relative paths in the file are relative to.
        backend: Opened: the rates that its vendor publishes may depend on its settings.
        settings: Those that it was opened with; they tell the account.
        clock: That of the verifier; None for the machine's.

    Raises:
        ConfigurationError: a store cannot be used, the vendor publishes no rates, or another
            profile of this process asks the same account by another breaker or other rates.
    """
    if not tables:
        return {}
    account = (_account(backend, settings), None if clock is None else id(clock))
    gates: list[Gate] = []
    try:
        if "budget" in tables:
            gates.append(_budget(tables["budget"], profile, folder, backend, clock))
        if "breaker" in tables:
            gates.append(_breaker(tables["breaker"], account, profile, backend, clock))
        if "pacing" in tables:
            gates.append(_pacing(tables["pacing"], account, profile, backend, clock))
        retries = _retries(tables["retries"]) if "retries" in tables else None
    except ConfigurationError as error:
        message = f"{where}: {error.message}"
    else:
        return {"gates": tuple(gates), "retries": retries}
    raise ConfigurationError(message)


def _account(backend: Backend, settings: Iterable[Setting]) -> Hashable:
    """Whose calls count together: the vendor, the address, and a digest of the keys."""
    digest = hashlib.blake2b(key=_SALT)
    for setting in sorted(settings, key=lambda one: one.name):
        if isinstance(setting.value, Secret):
            digest.update(f"{setting.name}\0{setting.value.reveal()}\0".encode())
    address = str(getattr(backend, "base_url", "")).rstrip("/")
    return backend.name, address, digest.hexdigest()


def _once(key: Hashable, make: Callable[[], T]) -> T:
    """What is shared under `key`. Without a lock, which a fork could leave closed for good."""
    found: T | None = _shared.get(key)
    return _shared.setdefault(key, make()) if found is None else found


def _agree(what: str, account: Hashable, profile: str, says: Hashable) -> None:
    """Refuse a second opinion: two breakers or rates side by side would keep to neither."""
    first, said = _once((what, account, "says"), lambda: (profile, says))
    if said != says:
        raise ConfigurationError(
            f"{what}: the profile {first} was opened in this process, asks the same account and "
            f"says something else: write the same {what} table in both. A changed file is read by "
            "a new process."
        )


def _breaker(
    table: Mapping[str, Any],
    account: Hashable,
    profile: str,
    backend: Backend,
    clock: Clock | None,
) -> Breaker:
    from .gates import Breaker

    made = Breaker(**table, name=backend.name, clock=clock)
    says = made.failures, made.within_s, made.open_s, made.longest_open_s
    _agree("breaker", account, profile, says)
    return _once(("breaker", account), lambda: made)


def _pacing(
    table: Mapping[str, Any],
    account: Hashable,
    profile: str,
    backend: Backend,
    clock: Clock | None,
) -> Pacing:
    from .gates import Pacing, RateWindow
    from .gates._pacing import sharing

    windows = [
        RateWindow(table[name], seconds) for name, seconds in WINDOWS_S.items() if name in table
    ]
    windows = windows or list(backend.capabilities.rate_windows)
    if not windows:
        raise ConfigurationError(
            f"pacing: no rates of the backend {backend.name} are published: set "
            f"{', '.join(WINDOWS_S)} instead."
        )
    wait = {key: value for key, value in table.items() if key == "max_wait_s"}
    made = Pacing(windows, **wait, name=backend.name, clock=clock)
    _agree("pacing", account, profile, frozenset(windows))
    shared = _once(("pacing", account), lambda: made)
    if shared.max_wait_s == made.max_wait_s:
        return shared
    # How long a call may wait is the profile's own affair; the room is not.
    key = ("pacing", account, made.max_wait_s)
    return _once(key, lambda: sharing(shared, made.max_wait_s))


def _retries(table: Mapping[str, Any]) -> Retries:
    from .gates import Retries

    return Retries(**table)


def _budget(
    table: Mapping[str, Any], profile: str, folder: Path, backend: Backend, clock: Clock | None
) -> Budget:
    from .gates import Budget, Period

    of_vendor = table.get("of") == "vendor"
    return Budget(
        table["calls"] if "calls" in table else table["amount"],
        name=f"vendor {backend.name}" if of_vendor else f"profile {profile}",
        currency=table.get("currency"),
        per=Period(table.get("per", "total")),
        price=table.get("price"),
        store=_store(table.get("store"), folder),
        clock=clock,
    )


def _store(place: str | Mapping[str, str] | None, folder: Path) -> AttemptStore:
    from .store import MemoryAttempts, SqlAttempts

    if place is None:
        return _once(("store", None), MemoryAttempts)
    address = _address(place, folder)
    return _once(("store", address), lambda: SqlAttempts(address))


def _address(place: str | Mapping[str, str], folder: Path) -> str:
    """The address of a store; a relative file lies beside the configuration."""
    if isinstance(place, str):
        text = place
    elif "env" in place:
        text = Secret.from_environment(place["env"]).reveal()
    else:
        text = Secret.from_file(located(place["file"], "store", folder)).reveal()
    relative = _RELATIVE.fullmatch(text)
    if relative is None:
        return text
    # Not as it is now: the program may go to another folder.
    file = located(relative["file"], "store", folder).absolute()
    return f"{relative['kind']}{file}{relative['more']}"
