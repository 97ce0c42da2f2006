"""Configuration: from a name, or a profile of a file, to an open verifier."""

from __future__ import annotations

import contextlib
import os
import re
import weakref
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, overload

import attrs
import platformdirs

from facematch_core.backend import Backend
from facematch_core.backend.kinds import describe, nearest
from facematch_core.backend.session_types import USUAL_CHECKS, ComparedWith
from facematch_core.base.files import read_toml
from facematch_core.base.masking import Secret
from facematch_core.errors import BackendUnavailable, ConfigurationError, FaceMatchError
from facematch_core.models import Environment, Operation, Threshold
from facematch_core.resilience import (
    Budget,
    CircuitBreaker,
    Period,
    Policy,
    RateLimiter,
    RateWindow,
    Retry,
)
from facematch_core.store import CallStore, MemoryStore, SqlStore
from facematch_core.store.sql import Database
from facematch_core.verifier.failover import Failover
from facematch_core.verifier.policy import Defaults
from facematch_core.verifier.verifier import FaceVerifier, Verifier

from .plugins import backend_class, verifier_arguments
from .settings import Setting, check_keys, read_table, resolve_path, resolve_settings

if TYPE_CHECKING:
    from facematch_core.sessions.aio import AsyncSessions
    from facematch_core.sessions.sessions import Sessions
    from facematch_core.verifier.aio import AsyncFaceVerifier

#: The file name in a folder of configuration.
FILE_NAME: Final = "facematch.toml"

#: Names the file; read before the user's own folder.
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
def open_verifier(
    backend: str | None = None,
    *,
    profile: str | None = None,
    config: str | os.PathLike[str] | None = None,
    **keywords: Any,
) -> Verifier:
    """Open a verifier by the name of a backend or of a profile.

    A backend's name opens a `FaceVerifier`. A profile opens one too, or a `Failover` if it names
    `members`: ask for `Verifier` where either will do.

    Args:
        backend: A name that `available_backends` lists, for example ``local``.
        profile: Instead: a profile of the configuration file.
        config: The file; None for ``$FACEMATCH_CONFIG`` or the user's configuration folder. No
            file is read when a backend is named.
        **keywords: Arguments of `FaceVerifier`, over those of the profile; any other is a setting
            of the backend, over those of the profile and the environment. For a failover the
            arguments go to every member, without thresholds and policies, which are a member's
            own; it takes no settings.

    Raises:
        BackendUnavailable: there is no such plug-in, or it cannot be used.
        ConfigurationError: a file, a profile, a setting or an argument; the message says which.
    """
    arguments = {name: keywords.pop(name) for name in [*keywords] if name in verifier_arguments()}
    return plan(backend, profile=profile, config=config, settings=keywords).open(**arguments)


def open_async_verifier(
    backend: str | None = None, *, max_concurrency: int = 64, **arguments: Any
) -> AsyncFaceVerifier:
    """Open a verifier for ``async with``, by the name of a backend or of a profile.

    Args:
        backend: As for `open_verifier`.
        max_concurrency: Calls at a time; see `AsyncFaceVerifier`.
        **arguments: The others of `open_verifier`.

    Raises:
        BackendUnavailable, ConfigurationError: as `open_verifier`.
    """
    # Late: a program without an event loop pays nothing for it.
    from facematch_core.verifier.aio import AsyncFaceVerifier

    return AsyncFaceVerifier(open_verifier(backend, **arguments), max_concurrency=max_concurrency)


def open_sessions(
    backend: str | None = None,
    *,
    profile: str | None = None,
    config: str | os.PathLike[str] | None = None,
    expects: Iterable[Operation | str] = USUAL_CHECKS,
    compared_with: ComparedWith | str = ComparedWith.GIVEN,
    **keywords: Any,
) -> Sessions:
    """Open the hosted sessions of a backend, by its name or by that of a profile.

    Args:
        backend, profile, config: As for `open_verifier`. The name of a failover is refused: each
            of its members has sessions of its own.
        expects: What must be reported and passed: `Operation.MATCH`, `Operation.LIVENESS`, or both.
        compared_with: With which picture a face must have been compared, if a match is expected:
            ``given``, the reference of each start; ``document``, the one that the person showed,
            which is anybody's until you compare the name on it; ``stored``, a face that the vendor
            had before.
        **keywords: As for `open_verifier`. `require_environment` is PRODUCTION if neither they nor
            the profile say something else; a test says MOCK or SANDBOX.

    Raises:
        BackendUnavailable, ConfigurationError: as `open_verifier`, and where this vendor's sessions
            cannot report what is expected: the message says what to write.
        Unsupported: the backend has no sessions.
    """
    # Late: a program without sessions pays nothing for them.
    from facematch_core.sessions.sessions import Sessions

    arguments = {name: keywords.pop(name) for name in [*keywords] if name in verifier_arguments()}
    chosen = plan(backend, profile=profile, config=config, settings=keywords)
    if isinstance(chosen, FailoverPlan):
        raise ConfigurationError(
            f"{chosen.profile.where} is a failover, and a session is that of one backend: open "
            f"those of one of its members: {', '.join(chosen.members)}."
        )
    of_profile = chosen.profile
    if of_profile is None or "require_environment" not in of_profile.verifier:
        arguments.setdefault("require_environment", Environment.PRODUCTION)
    verifier = chosen.open(**arguments)
    try:
        return Sessions(
            verifier,
            profile=None if of_profile is None else of_profile.name,
            expects=expects,
            compared_with=compared_with,
        )
    except BaseException:
        verifier.close()
        raise


def open_async_sessions(
    backend: str | None = None, *, max_concurrency: int = 64, **arguments: Any
) -> AsyncSessions:
    """Open hosted sessions for ``async with``; arguments and errors are those of `open_sessions`.

    Args:
        backend: As for `open_sessions`.
        max_concurrency: Calls at a time; see `AsyncFaceVerifier`.
        **arguments: The others of `open_sessions`.
    """
    from facematch_core.sessions.aio import AsyncSessions

    return AsyncSessions(open_sessions(backend, **arguments), max_concurrency=max_concurrency)


def plan(
    backend: str | None = None,
    *,
    profile: str | None = None,
    config: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Plan | FailoverPlan:
    """What `open_verifier` would open, by its arguments; opens nothing."""
    if backend is not None:
        if profile is not None:
            raise ConfigurationError("Name a backend or a profile, not both.")
        if config is not None:
            raise ConfigurationError(
                f"The file {os.fspath(config)!r} holds profiles, and a backend was named: name a "
                "profile instead."
            )
        return Plan.of(backend, settings)
    file = load(config)
    if file is None:
        problem = "" if profile is None else f", so no profile {str(profile)[:60]!r}"
        raise ConfigurationError(
            f"There is no configuration file{problem} (looked for {user_file()}; ${VARIABLE} or "
            f'--config name another): write one, or name a backend, such as "local".{unread_file()}'
        )
    return file.plan(profile, settings=settings)


@attrs.frozen(kw_only=True)
class Plan:
    """What opening uses: a backend, its settings with their origins, and maybe a profile."""

    backend: type[Backend]
    settings: tuple[Setting, ...]
    profile: Profile | None = None

    @classmethod
    def of(
        cls, backend: str, settings: Mapping[str, Any] | None = None, profile: Profile | None = None
    ) -> Plan:
        """The plan for a backend and, maybe, a profile; the errors are those of `open_verifier`."""
        imported = backend_class(backend)
        resolved = resolve_settings(
            imported,
            arguments=settings or {},
            in_file=profile.settings if profile else {},
            where=profile.where if profile else "",
            folder=profile.folder if profile else Path(),
        )
        return cls(backend=imported, settings=resolved, profile=profile)

    def open(self, *, opens_stores: bool = True, **arguments: Any) -> FaceVerifier:
        """A verifier; its arguments override those of the profile.

        With `opens_stores=False` a memory stands in for the store of its budget, whose address is
        checked.
        """
        backend, profile = self.open_backend(), self.profile
        try:
            if profile is None:
                return FaceVerifier(backend, **arguments)
            tables = profile.policies
            if "policies" in arguments:  # policies of the profile would go unused
                tables = {name: table for name, table in tables.items() if name == "retry"}
            policies = _create_policies(
                tables, profile, backend, arguments.get("clock"), opens_stores=opens_stores
            )
            return FaceVerifier(backend, **{**profile.verifier, **policies, **arguments})
        except BaseException:
            backend.close()
            raise

    def open_backend(self) -> Backend:
        """The backend alone; `ConfigurationError` if it refuses its settings."""
        values = {
            setting.name: setting.value for setting in self.settings if setting.origin != "default"
        }
        try:
            return self.backend(**values)
        except FaceMatchError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a plug-in's bug may not reach callers unnamed
            failure = type(error).__name__
        # Outside the except block: the exception may hold a key.
        raise BackendUnavailable(
            f"The backend {self.backend.name} failed with {failure} when it was opened: check its "
            "settings with `facematch doctor`, or report this to its author."
        )


@attrs.frozen(kw_only=True)
class FailoverPlan:
    """What opening a failover uses: its profile, and its members' plans in their order."""

    profile: FailoverProfile
    members: Mapping[str, Plan]

    def open(self, **arguments: Any) -> Failover:
        """A failover; `deadline_s` is its own, the other arguments go to every member."""
        for name in (*_THRESHOLDS, "calibration", "policies"):
            if arguments.get(name) is not None:
                raise ConfigurationError(
                    f"{self.profile.where} is a failover, whose members have their own {name}: "
                    "write it into the profile of each member."
                )
        deadline_s = arguments.pop("deadline_s", None)
        if deadline_s is None:
            deadline_s = self.profile.deadline_s
        with contextlib.ExitStack() as stack:
            members = {
                name: stack.enter_context(member.open(**arguments))
                for name, member in self.members.items()
            }
            failover = Failover(members, deadline_s=deadline_s, clock=arguments.get("clock"))
            stack.pop_all()
        return failover


#: What a profile may say besides `settings` and its policies.
PROFILE_KEYS: Final[dict[str, Any]] = {
    "backend": str,
    **dict.fromkeys(_THRESHOLDS, float),
    "deadline_s": float,
    "calibration": Path,
    "fit_images": bool,
    "keep_demographics": bool,
    "require_environment": Environment,
}

#: The tables of a profile for its policies, which judge the values, and the types of their keys.
POLICY_TABLES: Final[dict[str, dict[str, Any]]] = {
    "budget": {
        "calls": int,
        "amount": Decimal,
        "currency": str,
        "price": dict[Operation, Decimal],
        "per": Period,
        "of": Literal["profile", "vendor"],
        # Read when the profile is opened, so that no profile fails for a variable of another one.
        "store": Any,
    },
    "circuit_breaker": {"failures": int, "open_s": float},
    "rate_limit": {
        "per_second": int,
        "per_minute": int,
        "per_day": int,
        "published": bool,
        "max_wait_s": float,
    },
    "retry": {"times": int, "first_s": float, "longest_s": float},
}

_WINDOWS_S: Final = {"per_second": 1.0, "per_minute": 60.0, "per_day": 86400.0}

#: A file of SQLite; one in memory is refused by the store.
_SQLITE: Final = re.compile(r"(?P<kind>sqlite(?:\+\w+)?:///)(?P<file>(?!:|file:)[^?]+)(?P<more>.*)")


@attrs.frozen(kw_only=True)
class Profile:
    """How to open one verifier; `where` is file and profile, for messages."""

    name: str
    where: str
    folder: Path
    backend: str
    #: Arguments of `FaceVerifier`.
    verifier: Mapping[str, Any]
    #: The backend's settings, as TOML types, not yet checked.
    settings: Mapping[str, Any] = attrs.field(repr=False)
    #: The tables that set up policies, checked.
    policies: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict, repr=False)


@attrs.frozen(kw_only=True)
class FailoverProfile:
    """A profile that asks other profiles, one after the other."""

    name: str
    where: str
    members: tuple[str, ...]
    deadline_s: float | None = None


@attrs.frozen(kw_only=True)
class Config:
    """A configuration file, read."""

    path: Path
    default_profile: str | None
    profiles: Mapping[str, Profile | FailoverProfile]

    def profile(self, name: str) -> Profile | FailoverProfile:
        """One profile; `ConfigurationError` if there is none of that name."""
        if name not in self.profiles:
            raise ConfigurationError(
                f"{self.path} has no profile {name[:60]!r}; {nearest(name, self.profiles)}"
                f"{unread_file(self.path)}"
            )
        return self.profiles[name]

    def singles(self, name: str) -> tuple[Profile, ...]:
        """The profile of that name or, of a failover, those of its members, in their order."""
        profile = self.profile(name)
        if isinstance(profile, Profile):
            return (profile,)
        singles = {key: entry for key, entry in self.profiles.items() if isinstance(entry, Profile)}
        for member in profile.members:
            if member not in singles:
                raise ConfigurationError(
                    f"{profile.where}: the member {member[:60]!r} is no profile of one backend; "
                    f"{nearest(member, singles)}"
                )
        return tuple(singles[member] for member in profile.members)

    def plan(
        self, profile: str | None = None, *, settings: Mapping[str, Any] | None = None
    ) -> Plan | FailoverPlan:
        """What a profile, or the default profile, opens; errors as those of `open_verifier`."""
        name = self.default_profile if profile is None else profile
        if name is None:
            raise ConfigurationError(
                f"Name a backend or a profile: {self.path} has no default_profile."
            )
        chosen = self.profile(name)
        if isinstance(chosen, Profile):
            return Plan.of(chosen.backend, settings, chosen)
        for setting in settings or {}:
            raise ConfigurationError(
                f"{chosen.where} is a failover, and {setting[:60]!r} is no argument of a verifier: "
                "settings belong to one of its members."
            )
        members = {
            member.name: Plan.of(member.backend, None, member) for member in self.singles(name)
        }
        return FailoverPlan(profile=chosen, members=members)


def user_file() -> Path:
    """The file in the user's own configuration folder, whether it exists or not."""
    return platformdirs.user_config_path("facematch", appauthor=False, roaming=True) / FILE_NAME


def find_config(path: str | os.PathLike[str] | None = None) -> Path | None:
    """The file to read: the one that is named, else the user's own if it exists, or None."""
    if path is None:
        path = os.environ.get(VARIABLE) or None
    if path is not None:
        return Path(path)
    # Never a file of the current folder: a stranger may have left it there.
    file = user_file()
    return file if file.is_file() else None


def unread_file(read: Path | None = None) -> str:
    """Says that a file of this folder is not read; empty if there is none, or it is `read`."""
    here = Path(FILE_NAME)
    if os.environ.get(VARIABLE) or not here.is_file() or (read and here.samefile(read)):
        return ""
    return (
        f" The {FILE_NAME} of this folder is not read because it is not named: "
        f"`facematch ... --config {FILE_NAME}`, or `config=` in Python."
    )


def load(path: str | os.PathLike[str] | None = None) -> Config | None:
    """Find the file and read it, each once; None if there is none."""
    file = find_config(path)
    return None if file is None else read_config(file)


def read_config(path: str | os.PathLike[str]) -> Config:
    """Read a file; `ConfigurationError` if a key is unknown."""
    path = Path(path)
    document = read_toml(path, "configuration file")
    check_keys(document, {"default_profile", "profiles"}, str(path))
    tables = document.get("profiles", {})
    if not isinstance(tables, dict):
        raise ConfigurationError(f"{path}: profiles must be a table, not {describe(tables)}.")
    default = document.get("default_profile")
    if default is not None and (not isinstance(default, str) or default not in tables):
        raise ConfigurationError(
            f"{path}: default_profile must name a profile of this file; "
            f"{nearest(default if isinstance(default, str) else '', tables)}"
        )
    profiles = {name: _read_profile(path, name, table) for name, table in tables.items()}
    return Config(path=path, default_profile=default, profiles=profiles)


def _read_profile(path: Path, name: str, table: Any) -> Profile | FailoverProfile:
    where = f"{path} [profiles.{name[:60]}]"
    if not isinstance(table, dict):
        raise ConfigurationError(f"{where} must be a table, not {describe(table)}.")
    single_keys = {*PROFILE_KEYS, *POLICY_TABLES, "settings"}
    if "members" in table:
        return _read_failover(name, where, table, single_keys - {"deadline_s"})
    check_keys(table, {*single_keys, "members"}, where)
    settings = table.get("settings", {})
    if not isinstance(settings, dict):
        raise ConfigurationError(f"{where}: settings must be a table, not {describe(settings)}.")
    if "backend" not in table:
        raise ConfigurationError(
            f"{where} needs backend, the name of a backend, or members, the profiles of a failover."
        )
    folder = path.parent
    values = _read_arguments(table, where, folder)
    policies = {
        key: read_table(table[key], kinds, f"{where} {key}", folder)
        for key, kinds in POLICY_TABLES.items()
        if key in table
    }
    return Profile(
        name=name,
        where=where,
        folder=folder,
        backend=values.pop("backend"),
        verifier=values,
        settings=settings,
        policies=policies,
    )


def _read_failover(
    name: str, where: str, table: dict[str, Any], single_keys: set[str]
) -> FailoverProfile:
    members = table["members"]
    if not isinstance(members, list) or not all(isinstance(member, str) for member in members):
        raise ConfigurationError(
            f"{where}: members must be a list of profile names, not {describe(members)}."
        )
    if not members:
        raise ConfigurationError(f"{where}: members is empty: name at least one profile.")
    repeated = [member for member, count in Counter(members).items() if count > 1]
    if repeated:
        raise ConfigurationError(
            f"{where}: the member {repeated[0][:60]!r} is named twice, and a failover asks each "
            "once: name it once."
        )
    for key in table:
        if key in single_keys:
            raise ConfigurationError(
                f"{where}: {key} belongs to a member and not to a failover: write it into the "
                "profile of each member."
            )
    check_keys(table, {"members", "deadline_s"}, where)
    values = _read_arguments(table, where, Path())
    return FailoverProfile(name=name, where=where, members=tuple(members), **values)


def _read_arguments(table: Mapping[str, Any], where: str, folder: Path) -> dict[str, Any]:
    """The arguments of a verifier in a profile, judged as the verifier would."""
    thresholds = {}
    for key, value in table.items():
        if key in _THRESHOLDS and isinstance(value, dict):
            try:
                number = read_table(value, {"value": float}, f"{where} {key}", folder)["value"]
                thresholds[key] = Threshold(number)
            except (KeyError, TypeError, ValueError):
                raise ConfigurationError(
                    f"{where}: {key} must be a number from 0 to 100, or {{value = NUMBER}}."
                ) from None
    plain = {key: table[key] for key in table if key in PROFILE_KEYS and key not in thresholds}
    values = read_table(plain, PROFILE_KEYS, where, folder) | thresholds
    if "calibration" in values:
        values["calibration"] = str(values["calibration"])
    try:
        Defaults.of_arguments(**{key: values[key] for key in values if PROFILE_KEYS[key] is float})
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error.message}") from None
    return values


#: Stores that are in use, by address; and the memory of all budgets that name no store.
_STORES: weakref.WeakValueDictionary[str, SqlStore] = weakref.WeakValueDictionary()
_MEMORY: Final = MemoryStore()


def _create_policies(
    tables: Mapping[str, Mapping[str, Any]],
    profile: Profile,
    backend: Backend,
    clock: Any,
    *,
    opens_stores: bool,
) -> dict[str, Any]:
    policies: list[Policy] = []
    arguments: dict[str, Any] = {"policies": policies}
    try:
        if (table := tables.get("budget")) is not None:
            policies.append(_create_budget(table, profile, backend, clock, opens_stores))
        if (table := tables.get("rate_limit")) is not None:
            policies += _create_rate_limiters(table, backend, clock)
        if (table := tables.get("circuit_breaker")) is not None:
            policies.append(CircuitBreaker(**table, clock=clock))
        if (table := tables.get("retry")) is not None:
            arguments["retry"] = Retry(**table)
    except ConfigurationError as error:
        raise ConfigurationError(f"{profile.where}: {error.message}") from None
    return arguments


def _create_budget(
    table: Mapping[str, Any], profile: Profile, backend: Backend, clock: Any, opens_stores: bool
) -> Budget:
    if ("calls" in table) is ("amount" in table):
        raise ConfigurationError("budget needs calls or amount, and not both.")
    if ("amount" in table) is not ("currency" in table):
        raise ConfigurationError("budget: amount and currency go together.")
    store: CallStore = _MEMORY
    if "store" in table:
        address = _read_address(table["store"], profile.folder)
        if opens_stores:
            store = _STORES[address] = _STORES.get(address) or SqlStore(address)
        else:  # what could never be opened is refused
            Database(address).close()
    of_vendor = table.get("of") == "vendor"
    return Budget(
        table["calls"] if "calls" in table else table["amount"],
        name=f"vendor {backend.name}" if of_vendor else f"profile {profile.name}",
        currency=table.get("currency"),
        per=table.get("per", Period.TOTAL),
        price=table.get("price"),
        store=store,
        clock=clock,
    )


def _create_rate_limiters(
    table: Mapping[str, Any], backend: Backend, clock: Any
) -> list[RateLimiter]:
    windows: Sequence[RateWindow] = [
        RateWindow(table[name], length_s) for name, length_s in _WINDOWS_S.items() if name in table
    ]
    if table.get("published", False) is bool(windows):
        raise ConfigurationError(
            f"rate_limit needs published = true, or one of {', '.join(_WINDOWS_S)}, and not both."
        )
    windows = windows or backend.capabilities.rate_windows
    if not windows:
        raise ConfigurationError(
            f"rate_limit: no rates of the backend {backend.name} are published: set "
            f"{', '.join(_WINDOWS_S)} instead."
        )
    max_wait_s = table.get("max_wait_s", 60.0)
    return [RateLimiter(window, max_wait_s=max_wait_s, clock=clock) for window in windows]


def _read_address(setting: Any, folder: Path) -> str:
    """The address of a store; a relative file lies beside the configuration."""
    address = read_table({"store": setting}, {"store": str | Secret}, "budget", folder)["store"]
    if isinstance(address, Secret):
        address = address.reveal()
    if (match := _SQLITE.fullmatch(address)) is not None:
        # Absolute, because the program may change its folder.
        file = resolve_path(match["file"], "store", folder).absolute()
        if not file.parent.is_dir():
            raise ConfigurationError("The folder of the store does not exist: create it.")
        return f"{match['kind']}{file}{match['more']}"
    return str(address)
