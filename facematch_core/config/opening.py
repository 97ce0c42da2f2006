"""Open verifiers and sessions by the name of a backend or of a profile."""

from __future__ import annotations

import contextlib
import os
import re
import weakref
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, overload

import attrs
import platformdirs

from facematch_core import resilience
from facematch_core.backend import Backend
from facematch_core.backend.kinds import nearest
from facematch_core.backend.session_types import USUAL_CHECKS, ComparedWith
from facematch_core.base.deadline import SystemClock
from facematch_core.base.files import read_toml
from facematch_core.base.frames import clears_frames
from facematch_core.base.masking import Secret
from facematch_core.call.verdict import check_deadline_s, check_defaults
from facematch_core.errors import BackendUnavailable, ConfigurationError, FaceMatchError
from facematch_core.models import Environment, Operation
from facematch_core.store import CallStore, MemoryStore, SqlStore
from facematch_core.store.sql import Database
from facematch_core.verifier.failover import Failover
from facematch_core.verifier.verifier import FaceVerifier, Verifier

from .plugins import backend_class, verifier_arguments
from .settings import Profile, Setting, read_table, resolve_path, resolve_settings

if TYPE_CHECKING:
    from facematch_core.sessions.aio import AsyncSessions
    from facematch_core.sessions.sessions import Sessions
    from facematch_core.verifier.aio import AsyncFaceVerifier

#: Name of the configuration file.
FILE_NAME: Final = "facematch.toml"

#: Environment variable with the path of the configuration file to read instead of the user's own.
VARIABLE: Final = "FACEMATCH_CONFIG"

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
            passes the arguments to its members, and accepts no thresholds, policies or settings.

    Raises:
        BackendUnavailable: the plug-in is not installed or cannot be used.
        ConfigurationError: a file, a profile, a setting or an argument is invalid.
    """
    arguments = _take_arguments(keywords)
    return plan(backend, profile=profile, config=config, settings=keywords).open(**arguments)


@clears_frames
def open_async_verifier(
    backend: str | None = None, *, max_concurrency: int = 64, **arguments: Any
) -> AsyncFaceVerifier:
    """Open an `AsyncFaceVerifier`. For `arguments`, see `open_verifier`."""
    # Imported here, because a synchronous program does not need anyio.
    from facematch_core.verifier.aio import AsyncFaceVerifier

    return AsyncFaceVerifier(open_verifier(backend, **arguments), max_concurrency=max_concurrency)


@clears_frames
def open_sessions(
    backend: str | None = None,
    *,
    profile: str | None = None,
    config: str | os.PathLike[str] | None = None,
    expects: Iterable[Operation | str] = USUAL_CHECKS,
    compared_with: ComparedWith | str = ComparedWith.GIVEN,
    **keywords: Any,
) -> Sessions:
    """Open hosted sessions by the name of a backend or of a single-backend profile.

    Args:
        backend, profile, config: See `open_verifier`.
        expects: The checks that a session must report and pass: `Operation.MATCH`,
            `Operation.LIVENESS`, or both.
        compared_with: The picture to compare the face with, for a match: ``given``, the reference
            passed to `start`; ``document``, the photo in the person's document (check the name,
            because it may be somebody else's document); ``stored``, a face stored at the vendor.
        **keywords: See `open_verifier`, but `require_environment` defaults to PRODUCTION.

    Raises:
        BackendUnavailable, ConfigurationError: see `open_verifier` and `Sessions`.
        Unsupported: the backend does not support sessions.
    """
    # Imported here, because most programs use no sessions.
    from facematch_core.sessions.sessions import Sessions

    arguments = _take_arguments(keywords)
    chosen = plan(backend, profile=profile, config=config, settings=keywords)
    if isinstance(chosen, FailoverPlan):
        raise ConfigurationError(
            f"{chosen.profile.where} is a failover, and sessions need a single backend: open the "
            f"sessions of a member: {', '.join(chosen.members)}."
        )
    name = None if chosen.profile is None else chosen.profile.name
    if chosen.profile is None or "require_environment" not in chosen.profile.verifier:
        arguments.setdefault("require_environment", Environment.PRODUCTION)
    with contextlib.ExitStack() as stack:
        verifier = stack.enter_context(chosen.open(**arguments))
        sessions = Sessions(verifier, profile=name, expects=expects, compared_with=compared_with)
        stack.pop_all()
    return sessions


@clears_frames
def open_async_sessions(
    backend: str | None = None, *, max_concurrency: int = 64, **arguments: Any
) -> AsyncSessions:
    """Open `AsyncSessions`. For `arguments`, see `open_sessions`."""
    from facematch_core.sessions.aio import AsyncSessions

    return AsyncSessions(open_sessions(backend, **arguments), max_concurrency=max_concurrency)


def plan(
    backend: str | None = None,
    *,
    profile: str | None = None,
    config: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Plan | FailoverPlan:
    """Return the plan for the arguments of `open_verifier`, without opening anything."""
    if backend is not None:
        if profile is not None:
            raise ConfigurationError("Name a backend or a profile, not both.")
        if config is not None:
            raise ConfigurationError(
                f"{os.fspath(config)!r} has profiles, but a backend was named: name a profile "
                "instead."
            )
        return Plan.of(backend, settings)
    file = load(config)
    if file is None:
        problem = 'Name a backend, as in open_verifier("local"), or create a configuration file'
        if profile is not None:
            problem = f"Profile {str(profile)[:60]!r} not found: there is no configuration file"
        raise ConfigurationError(
            f"{problem} (looked for {user_file()}; ${VARIABLE} or --config names another)."
            f"{unread_file()}"
        )
    return file.plan(profile, settings=settings)


def _take_arguments(keywords: dict[str, Any]) -> dict[str, Any]:
    """Remove the verifier's arguments from `keywords` and return them; the settings stay."""
    return {name: keywords.pop(name) for name in [*keywords] if name in verifier_arguments()}


@attrs.frozen(kw_only=True)
class Plan:
    """The backend, settings and optional profile of a verifier that is not open yet."""

    backend: type[Backend]
    settings: tuple[Setting, ...]
    profile: Profile | None = None

    @classmethod
    def of(
        cls, backend: str, settings: Mapping[str, Any] | None = None, profile: Profile | None = None
    ) -> Plan:
        """Create a plan for a backend and an optional profile. For errors, see `open_verifier`."""
        imported = backend_class(backend)
        resolved = resolve_settings(imported, settings or {}, profile)
        return cls(backend=imported, settings=resolved, profile=profile)

    def open(self, *, opens_stores: bool = True, **arguments: Any) -> FaceVerifier:
        """Open a verifier. `arguments` override the profile's arguments.

        With `opens_stores=False`, a budget store's address is checked, but the store is not opened.
        """
        profile = self.profile
        with contextlib.ExitStack() as stack:
            backend = self.open_backend()
            stack.callback(backend.close)
            if profile is not None:
                policies = _create_policies(profile, backend, arguments, opens_stores=opens_stores)
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
class FailoverPlan:
    """The profile of a failover that is not open yet, and the plans of its members in order."""

    profile: Profile
    members: Mapping[str, Plan]

    def open(self, **arguments: Any) -> Failover:
        """Open a failover with `deadline_s`; open each member with all other arguments."""
        for name in (*_THRESHOLDS, "policies"):
            if arguments.get(name) is not None:
                raise ConfigurationError(
                    f"{self.profile.where} is a failover, whose members have their own {name}: "
                    "set it in the profile of each member."
                )
        deadline_s = arguments.pop("deadline_s", None)
        if deadline_s is None:
            deadline_s = self.profile.verifier.get("deadline_s")
        with contextlib.ExitStack() as stack:
            members = {
                name: stack.enter_context(member.open(**arguments))
                for name, member in self.members.items()
            }
            failover = Failover(members, deadline_s=deadline_s, clock=arguments.get("clock"))
            stack.pop_all()
        return failover


#: Types of a profile's keys. The policy tables, `settings` and `members` are not included.
PROFILE_KEYS: Final[dict[str, Any]] = {
    "backend": str,
    **dict.fromkeys(_THRESHOLDS, float),
    "deadline_s": float,
    "fit_images": bool,
    "require_environment": Environment,
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

_TYPES: Final = {
    **PROFILE_KEYS,
    **dict.fromkeys((*POLICY_TABLES, "settings"), dict[str, Any]),
    "members": tuple[str, ...],
}

_WINDOWS_S: Final = {"per_second": 1.0, "per_minute": 60.0, "per_day": 86400.0}

#: The address of a SQLite file. The store itself rejects in-memory databases.
_SQLITE: Final = re.compile(r"(?P<kind>sqlite(?:\+\w+)?:///)(?P<file>(?!:|file:)[^?]+)(?P<more>.*)")


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
                f"{self.path} has no profile {name[:60]!r}; {nearest(name, self.profiles)}"
                f"{unread_file(self.path)}"
            )
        return self.profiles[name]

    def singles(self, name: str) -> tuple[Profile, ...]:
        """Return a failover's member profiles in order; for any other profile, that profile."""
        profile = self.profile(name)
        if not profile.members:
            return (profile,)
        singles = {key: each for key, each in self.profiles.items() if not each.members}
        for member in profile.members:
            if member not in singles:
                raise ConfigurationError(
                    f"{profile.where}: member {member[:60]!r} is not a profile of one backend; "
                    f"{nearest(member, singles)}"
                )
        return tuple(singles[member] for member in profile.members)

    def plan(
        self, profile: str | None = None, *, settings: Mapping[str, Any] | None = None
    ) -> Plan | FailoverPlan:
        """Return a profile's plan (default: `default_profile`). Errors: see `open_verifier`."""
        name = self.default_profile if profile is None else profile
        if name is None:
            raise ConfigurationError(
                f"Name a backend or a profile: {self.path} has no default_profile."
            )
        chosen = self.profile(name)
        if not chosen.members:
            return Plan.of(chosen.backend, settings, chosen)
        for setting in settings or {}:
            raise ConfigurationError(
                f"{chosen.where} is a failover, and {setting[:60]!r} is not an argument of a "
                "verifier: put settings into the profile of a member."
            )
        members = {each.name: Plan.of(each.backend, None, each) for each in self.singles(name)}
        return FailoverPlan(profile=chosen, members=members)


def user_file() -> Path:
    """Return the path of the user's own configuration file, whether or not it exists."""
    return platformdirs.user_config_path("facematch", appauthor=False, roaming=True) / FILE_NAME


def find_config(path: str | os.PathLike[str] | None = None) -> Path | None:
    """Return the configuration file: `path`, else `$FACEMATCH_CONFIG`, else the user's own."""
    if path is None:
        path = os.environ.get(VARIABLE) or None
    if path is not None:
        return Path(path)
    # Never read a file in the current folder, which an attacker may control.
    file = user_file()
    return file if file.is_file() else None


def unread_file(read: Path | None = None) -> str:
    """Return a hint if the current folder has a configuration file that is not loaded; else ""."""
    here = Path(FILE_NAME)
    if os.environ.get(VARIABLE) or not here.is_file() or (read and here.samefile(read)):
        return ""
    return (
        f" ./{FILE_NAME} is not loaded automatically: pass --config {FILE_NAME}, or `config=` in "
        "Python."
    )


def load(path: str | os.PathLike[str] | None = None) -> Config | None:
    """Find and read the configuration file; return None if there is none."""
    file = find_config(path)
    return None if file is None else read_config(file)


def read_config(path: str | os.PathLike[str]) -> Config:
    """Read a configuration file; raise `ConfigurationError` for an unknown key or a wrong type."""
    path = Path(path)
    document = read_toml(path, "configuration file")
    types = {"default_profile": str, "profiles": dict[str, Any]}
    document = read_table(document, types, str(path), path.parent)
    tables, default = document.get("profiles", {}), document.get("default_profile")
    if default is not None and default not in tables:
        raise ConfigurationError(
            f"{path}: default_profile must name a profile of this file; {nearest(default, tables)}"
        )
    profiles = {name: _read_profile(path, name, table) for name, table in tables.items()}
    return Config(path=path, default_profile=default, profiles=profiles)


def _read_profile(path: Path, name: str, table: Any) -> Profile:
    where, folder = f"{path} [profiles.{name[:60]}]", path.parent
    values = read_table(table, _TYPES, where, folder)
    members = values.pop("members", None)
    problem = ""
    if members is None and "backend" not in values:
        problem = " needs backend, the name of a backend, or members, the profiles of a failover"
    elif members is not None and (foreign := values.keys() - {"deadline_s"}):
        problem = (
            f": {min(foreign)} belongs to a member, not to a failover: set it in the profile of "
            "each member"
        )
    elif members is not None and (not members or len(set(members)) < len(members)):
        problem = ": members is empty or names a profile twice: name each profile once"
    if problem:
        raise ConfigurationError(f"{where}{problem}.")
    policies = {
        key: read_table(values.pop(key), types, f"{where} {key}", folder)
        for key, types in POLICY_TABLES.items()
        if key in values
    }
    try:
        check_defaults(**{key: values[key] for key in _THRESHOLDS if key in values})
        check_deadline_s(values.get("deadline_s"), ConfigurationError)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error.message}") from None
    return Profile(
        name=name,
        where=where,
        folder=folder,
        backend=values.pop("backend", ""),
        members=members or (),
        settings=values.pop("settings", {}),
        policies=policies,
        verifier=values,
    )


#: The open stores by address, and the in-memory store that budgets without a store share.
_STORES: weakref.WeakValueDictionary[str, SqlStore] = weakref.WeakValueDictionary()
_MEMORY: Final = MemoryStore()


def _create_policies(
    profile: Profile, backend: Backend, given: Mapping[str, Any], *, opens_stores: bool
) -> dict[str, Any]:
    """Create a profile's policies and retry; return them as arguments of `FaceVerifier`."""
    tables, clock = profile.policies, given.get("clock") or SystemClock()
    if "policies" in given:  # the argument overrides the profile's policies
        tables = {name: tables[name] for name in tables if name == "retry"}
    policies: list[resilience.Policy] = []
    arguments: dict[str, Any] = {"policies": policies}
    try:
        if "budget" in tables:
            budget = {"name": f"profile {profile.name}", **tables["budget"]}
            cap, address = budget.pop("cap", None), budget.pop("store", None)
            store = _open_store(address, profile.folder, opens_stores=opens_stores)
            policies.append(resilience.Budget(cap, **budget, store=store, clock=clock))
        if "rate_limit" in tables:
            policies += _create_rate_limiters(tables["rate_limit"], backend, clock)
        if "circuit_breaker" in tables:
            policies.append(resilience.CircuitBreaker(**tables["circuit_breaker"], clock=clock))
        if "retry" in tables:
            arguments["retry"] = resilience.Retry(**tables["retry"])
    except ConfigurationError as error:
        raise ConfigurationError(f"{profile.where}: {error.message}") from None
    return arguments


def _create_rate_limiters(
    table: Mapping[str, Any], backend: Backend, clock: Any
) -> list[resilience.RateLimiter]:
    windows = [
        resilience.RateWindow(table[name], length_s)
        for name, length_s in _WINDOWS_S.items()
        if name in table
    ] or [*backend.capabilities.rate_windows]
    if not windows:
        raise ConfigurationError(
            f"rate_limit: the rate limits of backend {backend.name} are not published: set "
            f"{' or '.join(_WINDOWS_S)}."
        )
    max_wait_s = table.get("max_wait_s", 60.0)
    return [resilience.RateLimiter(each, max_wait_s=max_wait_s, clock=clock) for each in windows]


def _open_store(setting: Any, folder: Path, *, opens_stores: bool) -> CallStore:
    """Open a budget store. A SQLite path is relative to the configuration file's folder."""
    if setting is None:
        return _MEMORY
    address = read_table({"store": setting}, {"store": str | Secret}, "budget", folder)["store"]
    address = address.reveal() if isinstance(address, Secret) else address
    if (match := _SQLITE.fullmatch(address)) is not None:
        # Made absolute, because the program may change its working directory.
        file = resolve_path(match["file"], "store", folder).absolute()
        if not file.parent.is_dir():
            raise ConfigurationError("store: the folder of the file does not exist: create it.")
        address = f"{match['kind']}{file}{match['more']}"
    if not opens_stores:
        Database(address).close()  # check the address
        return _MEMORY
    store = _STORES[address] = _STORES.get(address) or SqlStore(address)
    return store
