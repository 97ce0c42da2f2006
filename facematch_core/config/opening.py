"""Open verifiers and sessions by the name of a backend or of a profile.

open_verifier(backend or profile)
    find_setup(...)        a setup of one backend or a failover: resolved, nothing is open yet
        Config             the configuration file: profiles by name
        resolve_settings   each setting of the backend, with its origin (`settings`)
    setup.open(...)        the backend, the profile's policies and stores, then the verifier
"""

from __future__ import annotations

import contextlib
import os
import re
import weakref
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, overload

import attrs
import platformdirs

from facematch_core import resilience
from facematch_core.backend import Backend
from facematch_core.backend.kinds import suggest_name
from facematch_core.backend.session_types import ComparedWith
from facematch_core.base.deadline import Clock, SystemClock
from facematch_core.base.files import read_toml
from facematch_core.base.frames import clears_frames
from facematch_core.base.masking import Secret
from facematch_core.base.threads import DEFAULT_CONCURRENCY
from facematch_core.call.verdict import check_deadline_s, check_thresholds
from facematch_core.errors import BackendUnavailable, ConfigurationError, FaceMatchError
from facematch_core.models import Environment, Operation
from facematch_core.store import CallStore, MemoryStore, SqlStore
from facematch_core.store.sql import open_database
from facematch_core.verifier.failover import Failover
from facematch_core.verifier.verifier import FaceVerifier, Verifier

from .plugins import backend_class, face_verifier_arguments
from .settings import (
    Profile,
    ResolvedSetting,
    TomlValues,
    convert,
    convert_table,
    resolve_path,
    resolve_settings,
)

if TYPE_CHECKING:
    from facematch_core.sessions.aio import AsyncSessions
    from facematch_core.sessions.sessions import Sessions
    from facematch_core.verifier.aio import AsyncFaceVerifier

#: Name of the configuration file.
CONFIG_FILE_NAME: Final = "facematch.toml"

#: Environment variable with the path of the configuration file to read instead of the user's own.
CONFIG_VARIABLE: Final = "FACEMATCH_CONFIG"

_THRESHOLDS: Final = (
    "threshold",
    "liveness_threshold",
    "review_threshold",
    "liveness_review_threshold",
)


@overload
def open_verifier(backend: str, **keywords: Any) -> FaceVerifier: ...
@overload
def open_verifier(
    backend: str | None = ...,
    *,
    profile: str | None = ...,
    config: str | os.PathLike[str] | None = ...,
    **keywords: Any,
) -> Verifier: ...
@clears_frames
def open_verifier(
    backend: str | None = None,
    *,
    profile: str | None = None,
    config: str | os.PathLike[str] | None = None,
    **keywords: Any,
) -> Verifier:
    """Open a verifier by the name of a backend or of a profile.

    A profile with `members` opens a `Failover`. Any other profile, or a backend's name, opens a
    `FaceVerifier`. Use `Verifier` as the type annotation to accept both.

    Args:
        backend: A name from `available_backends`, such as ``local``.
        profile: A profile of the configuration file, instead of `backend`.
        config: The configuration file; None for ``$FACEMATCH_CONFIG`` or the user's own file.
        **keywords: Arguments of `FaceVerifier`, which override the profile's. Any other keyword is
            a setting of the backend and overrides the profile and the environment. A failover
            passes the arguments to its members, except `deadline_s` and `log`, and accepts no
            thresholds, policies or settings.

    Raises:
        BackendUnavailable: the plug-in is not installed or cannot be used.
        ConfigurationError: a file, a profile, a setting or an argument is invalid.

    Example:
        >>> from pathlib import Path
        >>> with open_verifier("local") as verifier:
        ...     result = verifier.verify(Path("selfie.jpg"), Path("id.jpg"))
        >>> print(result.decision)
        match
    """
    arguments = _take_arguments(keywords)
    setup = find_setup(backend, profile=profile, config=config, settings=keywords)
    return setup.open(**arguments)


@clears_frames
def open_async_verifier(
    backend: str | None = None, *, max_concurrency: int = DEFAULT_CONCURRENCY, **arguments: Any
) -> AsyncFaceVerifier:
    """Open an `AsyncFaceVerifier`. For `arguments`, see `open_verifier`.

    Example:
        >>> import asyncio
        >>> async def check():
        ...     async with open_async_verifier("didit") as verifier:
        ...         return await verifier.check_liveness(selfie)
        >>> print(asyncio.run(check()).decision)
        live
    """
    # Imported here, because a synchronous program does not need anyio.
    from facematch_core.verifier.aio import AsyncFaceVerifier

    return AsyncFaceVerifier(open_verifier(backend, **arguments), max_concurrency=max_concurrency)


@clears_frames
def open_sessions(
    backend: str | None = None,
    *,
    profile: str | None = None,
    config: str | os.PathLike[str] | None = None,
    expects: Iterable[Operation | str] | None = None,
    compared_with: ComparedWith | str | None = None,
    **keywords: Any,
) -> Sessions:
    """Open hosted sessions by the name of a backend or of a single-backend profile.

    Args:
        backend, profile, config: See `open_verifier`.
        expects: The checks that a session must report and pass: `Operation.MATCH`,
            `Operation.LIVENESS`, or both. None: the profile's, by default both.
        compared_with: The picture to compare the face with, for a match: ``given``, the reference
            passed to `start`; ``document``, the photo in the person's document (check the name,
            because it may be somebody else's document); ``stored``, a face stored at the vendor.
            None: the profile's, by default ``given``.
        **keywords: See `open_verifier`, but `require_environment` defaults to PRODUCTION, and in a
            test to MOCK while a pytest fixture of the mock replaces the vendor.

    Raises:
        BackendUnavailable, ConfigurationError: see `open_verifier` and `Sessions`.
        Unsupported: the backend does not support sessions.

    Example:
        >>> sessions = open_sessions("didit", compared_with="document", require_environment="mock")
        >>> started = sessions.start(sessions.plan("customer-18", purpose="signup"))
        >>> print(started.state)  # send the person to `started.access.link`
        pending
        >>> sessions.close()
    """
    # Imported here, because most programs use no sessions.
    from facematch_core.sessions.sessions import Sessions

    arguments = _take_arguments(keywords)
    setup = find_setup(backend, profile=profile, config=config, settings=keywords)
    if not isinstance(setup, VerifierSetup):
        raise ConfigurationError(
            f"{setup.profile.location} is a failover, and sessions need a single backend: open "
            f"the sessions of a member: {', '.join(setup.members)}."
        )
    if setup.profile is None or "require_environment" not in setup.profile.verifier:
        arguments.setdefault("require_environment", _required_of_sessions(setup.backend.name))
    checks = {} if setup.profile is None else dict(setup.profile.sessions)
    if expects is not None:
        checks["expects"] = expects
    if compared_with is not None:
        checks["compared_with"] = compared_with
    with contextlib.ExitStack() as stack:
        verifier = stack.enter_context(setup.open(**arguments))
        sessions = Sessions(
            verifier,
            profile=None if setup.profile is None else setup.profile.name,
            **checks,
        )
        stack.pop_all()
    return sessions


def _required_of_sessions(_backend: str) -> Environment:
    """Return the environment that `open_sessions` requires of a backend by default.

    A pytest fixture of the mock replaces this function for its vendor while its test runs. No
    variable, argument or file does.
    """
    return Environment.PRODUCTION


@clears_frames
def open_async_sessions(
    backend: str | None = None, *, max_concurrency: int = DEFAULT_CONCURRENCY, **arguments: Any
) -> AsyncSessions:
    """Open `AsyncSessions`. For `arguments`, see `open_sessions`.

    Example:
        >>> import asyncio
        >>> async def read():
        ...     async with open_async_sessions(profile="payout") as sessions:
        ...         return await sessions.read(record)
        >>> print(asyncio.run(read()).state)
        decided
    """
    from facematch_core.sessions.aio import AsyncSessions

    return AsyncSessions(open_sessions(backend, **arguments), max_concurrency=max_concurrency)


def find_setup(
    backend: str | None = None,
    *,
    profile: str | None = None,
    config: str | os.PathLike[str] | None = None,
    settings: Mapping[str, object] | None = None,
) -> AnySetup:
    """Return the setup that the arguments of `open_verifier` name, without opening anything."""
    if backend is not None:
        if profile is not None:
            raise ConfigurationError("Name a backend or a profile, not both.")
        if config is not None:
            raise ConfigurationError(
                f"{os.fspath(config)!r} has profiles, but a backend was named: name a profile "
                "instead."
            )
        return VerifierSetup.of(backend, settings)
    file = load_config(config)
    if file is not None:
        return file.setup_of(profile, settings=settings)
    places = (
        f"(looked for {user_file()}; ${CONFIG_VARIABLE} or --config names another)."
        f"{unread_file_hint()}"
    )
    if profile is not None:
        raise ConfigurationError(
            f"Profile {str(profile)[:60]!r} not found: there is no configuration file {places}"
        )
    raise ConfigurationError(
        'Name a backend, as in open_verifier("local"), or create a configuration file ' + places
    )


def _take_arguments(keywords: dict[str, Any]) -> dict[str, Any]:
    """Remove the verifier's arguments from `keywords` and return them; the settings stay."""
    names = face_verifier_arguments() & keywords.keys()
    return {name: keywords.pop(name) for name in names}


@attrs.frozen(kw_only=True)
class VerifierSetup:
    """The backend, settings and optional profile of a verifier that is not open yet."""

    backend: type[Backend]
    settings: tuple[ResolvedSetting, ...]
    profile: Profile | None = None

    @classmethod
    def of(
        cls,
        backend: str,
        settings: Mapping[str, object] | None = None,
        profile: Profile | None = None,
    ) -> VerifierSetup:
        """Return the setup of a backend and an optional profile. Errors: see `open_verifier`."""
        imported = backend_class(backend)
        resolved = resolve_settings(imported, settings or {}, profile)
        return cls(backend=imported, settings=resolved, profile=profile)

    def open(self, *, opens_stores: bool = True, **arguments: Any) -> FaceVerifier:
        """Open a verifier. `arguments` override the profile's arguments.

        With `opens_stores=False`, the address of a budget's store is checked, but not opened.
        """
        profile = self.profile
        with contextlib.ExitStack() as stack:
            backend = self.open_backend()
            stack.callback(backend.close)
            if profile is not None:
                policies = _policy_arguments(profile, backend, arguments, opens_stores=opens_stores)
                arguments = {**profile.verifier, **policies, **arguments}
            verifier = FaceVerifier(backend, **arguments)
            stack.pop_all()
        return verifier

    def open_backend(self) -> Backend:
        """Open the backend only; raise `ConfigurationError` if its settings are invalid."""
        values = {
            setting.name: setting.value for setting in self.settings if setting.origin != "default"
        }
        try:
            return self.backend(**values)
        except FaceMatchError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a plug-in's bug gets a named error
            failure = type(error).__name__
        # Outside the except block, because the exception may contain a key.
        raise BackendUnavailable(
            f"The backend {self.backend.name} failed with {failure} when it was opened: check its "
            "settings with `facematch doctor`, or report this to its author."
        )


@attrs.frozen(kw_only=True)
class FailoverSetup:
    """A failover that is not open yet.

    Attributes:
        profile: The profile of the failover.
        members: The setups of its members, by the names of their profiles, in order.
    """

    profile: Profile
    members: Mapping[str, VerifierSetup]

    def open(self, **arguments: Any) -> Failover:
        """Open the members and the failover; which arguments a member gets: see `open_verifier`.

        Raises:
            ConfigurationError: an argument belongs to a member.
        """
        for name in (*_THRESHOLDS, "policies"):
            if arguments.get(name) is not None:
                raise ConfigurationError(
                    f"{self.profile.location} is a failover, whose members have their own {name}: "
                    "set it in the profile of each member."
                )
        # Shared by all members, so no member gets it.
        deadline_s = arguments.pop("deadline_s", None)
        if deadline_s is None:
            deadline_s = self.profile.verifier.get("deadline_s")
        log = arguments.pop("log", None)
        with contextlib.ExitStack() as stack:
            members: dict[str, FaceVerifier] = {}
            for name, setup in self.members.items():
                members[name] = setup.open(**arguments)
                stack.callback(members[name].close)
            failover = Failover(
                members, deadline_s=deadline_s, log=log, clock=arguments.get("clock")
            )
            stack.pop_all()
        return failover


#: A resolved verifier of either kind that is not open yet.
AnySetup: TypeAlias = VerifierSetup | FailoverSetup


#: Types of the keys of a profile that are arguments of `FaceVerifier`.
VERIFIER_KEYS: Final[dict[str, Any]] = {
    **dict.fromkeys(_THRESHOLDS, float),
    "deadline_s": float,
    "fit_images": bool,
    "require_environment": Environment,
}

#: Types of the keys that only sessions use: arguments of `open_sessions`.
SESSION_KEYS: Final[dict[str, Any]] = {
    "expects": tuple[Operation, ...],
    "compared_with": ComparedWith,
}

#: Types of the keys in a profile's policy tables.
POLICY_TABLES: Final[dict[str, dict[str, Any]]] = {
    "budget": {
        "cap": int | Decimal,
        "currency": str,
        "name": str,
        "per": resilience.Period,
        "price": dict[Operation, Decimal],
        "store": Any,  # read when the profile is opened, because its variable may be unset
    },
    "rate_limit": {"per_second": int, "per_minute": int, "per_day": int, "max_wait_s": float},
    "circuit_breaker": {"failures": int, "open_s": float},
    "retry": {"times": int, "first_s": float, "longest_s": float},
}

#: The addresses of stores, for `facematch tidy`: read when they are needed, as a budget's store.
STORE_KEYS: Final = ("sessions", "checks")

_PROFILE_TYPES: Final = {
    "backend": str,
    **VERIFIER_KEYS,
    **SESSION_KEYS,
    **dict.fromkeys(STORE_KEYS, Any),
    **dict.fromkeys(POLICY_TABLES, dict[str, Any]),
    "settings": dict[str, Any],
    "members": tuple[str, ...],
}

#: Length in seconds of the window that a key of `rate_limit` limits.
_WINDOW_LENGTHS_S: Final = {"per_second": 1.0, "per_minute": 60.0, "per_day": 86400.0}

#: The address of a SQLite file. The store itself rejects in-memory databases.
_SQLITE_ADDRESS: Final = re.compile(
    r"(?P<scheme>sqlite(?:\+\w+)?:///)(?P<file>(?!:|file:)[^?]+)(?P<query>.*)"
)


@attrs.frozen(kw_only=True)
class Config:
    """A validated configuration file."""

    path: Path
    default_profile: str | None
    profiles: Mapping[str, Profile]

    def profile(self, name: str) -> Profile:
        """Return a profile by name; raise `ConfigurationError` if it does not exist."""
        if name not in self.profiles:
            raise ConfigurationError(
                f"{self.path} has no profile {name[:60]!r}; {suggest_name(name, self.profiles)}"
                f"{unread_file_hint(self.path)}"
            )
        return self.profiles[name]

    def member_profiles(self, name: str) -> tuple[Profile, ...]:
        """Return the profiles of a failover's members; for one backend, its own profile."""
        profile = self.profile(name)
        if not profile.members:
            return (profile,)
        possible_members = {
            other.name: other for other in self.profiles.values() if not other.members
        }
        for member in profile.members:
            if member not in possible_members:
                raise ConfigurationError(
                    f"{profile.location}: member {member[:60]!r} is not a profile of one backend; "
                    f"{suggest_name(member, possible_members)}"
                )
        return tuple(possible_members[member] for member in profile.members)

    def setup_of(
        self, profile: str | None = None, *, settings: Mapping[str, object] | None = None
    ) -> AnySetup:
        """Return the setup of a profile, by default of `default_profile`.

        `settings` override the profile's; a failover has none. Errors: see `open_verifier`.
        """
        name = self.default_profile if profile is None else profile
        if name is None:
            names = ", ".join(sorted(self.profiles)) or "none"
            raise ConfigurationError(
                f"Name a backend or a profile: {self.path} has no default_profile. Its profiles: "
                f"{names:.300}."
            )
        chosen = self.profile(name)
        if not chosen.members:
            return VerifierSetup.of(chosen.backend, settings, chosen)
        for setting in settings or {}:
            raise ConfigurationError(
                f"{chosen.location} has members, and {setting[:60]!r} is not an argument of a "
                "verifier: put settings into the profile of a member."
            )
        members = {
            member.name: VerifierSetup.of(member.backend, profile=member)
            for member in self.member_profiles(name)
        }
        return FailoverSetup(profile=chosen, members=members)


def user_file() -> Path:
    """Return the path of the user's own configuration file, whether or not it exists."""
    folder = platformdirs.user_config_path("facematch", appauthor=False, roaming=True)
    return folder / CONFIG_FILE_NAME


def find_config(path: str | os.PathLike[str] | None = None) -> Path | None:
    """Return the configuration file: `path`, else `$FACEMATCH_CONFIG`, else the user's own."""
    if path is None:
        path = os.environ.get(CONFIG_VARIABLE) or None
    if path is not None:
        return Path(path)
    # Never read a file in the current folder, which an attacker may control.
    file = user_file()
    return file if file.is_file() else None


def unread_file_hint(loaded: Path | None = None) -> str:
    """Return a hint if the current folder has a configuration file that is not loaded; else ""."""
    if os.environ.get(CONFIG_VARIABLE):
        return ""
    here = Path(CONFIG_FILE_NAME)
    if not here.is_file() or (loaded is not None and here.samefile(loaded)):
        return ""
    return (
        f" ./{CONFIG_FILE_NAME} is not loaded automatically: pass --config {CONFIG_FILE_NAME}, or "
        "`config=` in Python."
    )


def load_config(path: str | os.PathLike[str] | None = None) -> Config | None:
    """Find and read the configuration file; return None if there is none."""
    file = find_config(path)
    return None if file is None else read_config(file)


def read_config(path: str | os.PathLike[str]) -> Config:
    """Read a configuration file; raise `ConfigurationError` for an unknown key or a wrong type."""
    path = Path(path)
    document = convert_table(
        read_toml(path, "configuration file"),
        {"default_profile": str, "profiles": dict[str, Any]},
        location=str(path),
        folder=path.parent,
    )
    tables = document.get("profiles", {})
    default_profile = document.get("default_profile")
    if default_profile is not None and default_profile not in tables:
        raise ConfigurationError(
            f"{path}: default_profile must name a profile of this file; "
            f"{suggest_name(default_profile, tables)}"
        )
    profiles = {name: _read_profile(path, name, table) for name, table in tables.items()}
    return Config(path=path, default_profile=default_profile, profiles=profiles)


def _read_profile(path: Path, name: str, table: object) -> Profile:
    """Return the profile in the table ``[profiles.NAME]`` of the file `path`.

    Raises `ConfigurationError` if a key is unknown or missing, or a value is wrong. The settings of
    the backend and the addresses of stores are checked only when the profile is opened.
    """
    location = f"{path} [profiles.{name[:60]}]"
    values = convert_table(
        table,
        _PROFILE_TYPES,
        location,
        path.parent,
        other_place=f"a setting of the backend belongs in [profiles.{name[:60]}.settings]",
    )
    if "members" in values:
        _check_failover(values, location)
    elif "backend" not in values:
        raise ConfigurationError(
            f"{location} needs backend, the name of a backend, or members, the profiles of a "
            "failover."
        )
    policies = {
        policy: convert_table(values[policy], types, f"{location} {policy}", path.parent)
        for policy, types in POLICY_TABLES.items()
        if policy in values
    }
    try:
        check_thresholds(**_chosen(values, _THRESHOLDS))  # for its errors
        check_deadline_s(values.get("deadline_s"), ConfigurationError)
    except ConfigurationError as error:
        raise ConfigurationError(f"{location}: {error.message}") from None
    return Profile(
        name=name,
        location=location,
        folder=path.parent,
        backend=values.get("backend", ""),
        members=values.get("members", ()),
        settings=values.get("settings", {}),
        policies=policies,
        sessions=_chosen(values, SESSION_KEYS),
        stores=_chosen(values, STORE_KEYS),
        verifier=_chosen(values, VERIFIER_KEYS),
    )


def _chosen(values: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
    """Return those of a profile's values that have one of these keys, in the file's order."""
    return {key: value for key, value in values.items() if key in keys}


def _check_failover(values: Mapping[str, Any], location: str) -> None:
    """Raise if the profile of a failover has a member's keys, or a wrong list of members."""
    for key in values:
        if key not in ("members", "deadline_s", "checks"):
            raise ConfigurationError(
                f"{location}: {key} belongs to a member, not to a failover: set it in the profile "
                "of each member."
            )
    members = values["members"]
    if not members or len(set(members)) < len(members):
        raise ConfigurationError(
            f"{location}: members is empty or names a profile twice: name each profile once."
        )


#: The open stores by address. Weak, so that a store is closed with the last verifier that uses it.
_OPEN_STORES: weakref.WeakValueDictionary[str, SqlStore] = weakref.WeakValueDictionary()
#: The `store` of a budget that each process counts for itself.
_IN_MEMORY: Final = "memory"
#: The store of all these budgets.
_MEMORY: Final = MemoryStore()


def _policy_arguments(
    profile: Profile, backend: Backend, given: Mapping[str, Any], *, opens_stores: bool
) -> dict[str, Any]:
    """Return the arguments `policies` and `retry` of `FaceVerifier` for a profile's tables.

    `given` are the caller's own arguments. Its `policies` replace the profile's, which are then
    not created; `retry` is an argument of its own.
    """
    arguments: dict[str, Any] = {}
    try:
        if "policies" not in given:
            clock = given.get("clock") or SystemClock()
            arguments["policies"] = _create_policies(
                profile, backend, clock, opens_stores=opens_stores
            )
        if "retry" in profile.policies:
            arguments["retry"] = resilience.Retry(**profile.policies["retry"])
    except ConfigurationError as error:
        raise ConfigurationError(f"{profile.location}: {error.message}") from None
    return arguments


def _create_policies(
    profile: Profile, backend: Backend, clock: Clock, *, opens_stores: bool
) -> list[resilience.Policy]:
    """Create the policies in the order in which they admit an attempt."""
    tables = profile.policies
    policies: list[resilience.Policy] = []
    if "budget" in tables:
        budget = {"name": f"profile {profile.name}", **tables["budget"]}
        budget["store"] = _open_store(_find_store(profile), profile, opens_stores=opens_stores)
        cap = budget.pop("cap", None)
        policies.append(resilience.Budget(cap, **budget, clock=clock))
    if "rate_limit" in tables:
        policies += _create_rate_limiters(tables["rate_limit"], backend, clock)
    if "circuit_breaker" in tables:
        policies.append(resilience.CircuitBreaker(**tables["circuit_breaker"], clock=clock))
    return policies


def _create_rate_limiters(
    table: Mapping[str, Any], backend: Backend, clock: Clock
) -> list[resilience.RateLimiter]:
    """Create a limiter for each window of the table, else for each published by the vendor."""
    windows = [
        resilience.RateWindow(table[key], length_s)
        for key, length_s in _WINDOW_LENGTHS_S.items()
        if key in table
    ]
    if not windows:
        windows = list(backend.capabilities.rate_windows)
    if not windows:
        raise ConfigurationError(
            f"rate_limit: the rate limits of backend {backend.name} are not published: set "
            f"{' or '.join(_WINDOW_LENGTHS_S)}."
        )
    others = {key: value for key, value in table.items() if key not in _WINDOW_LENGTHS_S}
    return [resilience.RateLimiter(window, **others, clock=clock) for window in windows]


def has_shared_budget(profile: Profile) -> bool:
    """Return whether the store of a profile's budget counts the calls of all processes.

    False if each process counts for itself, or if the profile has no budget. Raises
    `ConfigurationError` if the profile does not say which.
    """
    return "budget" in profile.policies and _find_store(profile) is not None


def _find_store(profile: Profile) -> object:
    """Return the setting `store` of a profile's budget; None if each process counts for itself.

    Raises `ConfigurationError` if the profile does not say which.
    """
    budget = profile.policies["budget"]
    if "store" not in budget:
        raise ConfigurationError(
            "budget has no store, so each process would spend the cap anew. Add to the budget of "
            f'[profiles.{profile.name[:60]}] store = "sqlite:///spent.sqlite3", for all processes '
            f'of one machine (extra store), or store = "{_IN_MEMORY}", for a limit of each '
            "process, which is lost when it ends."
        )
    return None if budget["store"] == _IN_MEMORY else budget["store"]


def _open_store(setting: object, profile: Profile, *, opens_stores: bool) -> CallStore:
    """Open the store of a budget; `setting` is None for the one of this process."""
    if setting is None:
        return _MEMORY
    address = _read_address(setting, profile.folder, key="budget: store")
    if not opens_stores:
        open_database(address).close()  # checks the address
        return _MEMORY
    store = _OPEN_STORES.get(address)
    if store is None:
        store = SqlStore(address)
        _OPEN_STORES[address] = store
    return store


def store_addresses(profile: Profile) -> dict[str, str]:
    """Return the addresses of a profile's `SessionStore` and `CheckStore`, by its keys."""
    return {
        key: _read_address(setting, profile.folder, key=f"{profile.location}: {key}")
        for key, setting in profile.stores.items()
    }


def missing_indexes(addresses: Mapping[str, str], *, makes: bool = False) -> list[str]:
    """Return the names of the indexes that stores lack, by their `store_addresses`.

    With `makes`, make them first. A SQLite file that does not exist lacks none, and is not created.
    Raise a `FaceMatchError` if a database cannot be used.
    """
    missing: list[str] = []
    for key, address in addresses.items():
        with contextlib.closing(open_database(address, label=f"store of {key}")) as database:
            from facematch_core.checks import rows as checks  # these import SQLAlchemy
            from facematch_core.sessions import rows as sessions
            from facematch_core.store import indexes

            url = database.engine.url
            if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
                continue
            metadata = {"sessions": sessions.METADATA, "checks": checks.METADATA}[key]
            if makes:
                indexes.make_missing(database, metadata)
            lacked = database.run(indexes.find_missing, metadata, only_reads=True)
            missing += [str(index.name) for index in lacked]
    return missing


def _read_address(setting: object, folder: Path, *, key: str) -> str:
    """Return a database's address. A SQLite path is relative to the configuration file's folder.

    Args:
        setting: The address, or a reference to a secret.
        folder: The folder of the configuration file.
        key: The setting's name in messages.
    """
    address = convert(setting, str | Secret, key=key, source=TomlValues(folder))
    if isinstance(address, Secret):
        address = address.reveal()
    sqlite = _SQLITE_ADDRESS.fullmatch(address)
    if sqlite is not None:
        # Made absolute, because the program may change its working directory.
        file = resolve_path(sqlite["file"], "store", folder).absolute()
        if not file.parent.is_dir():
            raise ConfigurationError("store: the folder of the file does not exist: create it.")
        address = f"{sqlite['scheme']}{file}{sqlite['query']}"
    return str(address)
