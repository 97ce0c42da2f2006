"""What `facematch doctor` finds, and how it is shown. No secret is ever in it."""

from __future__ import annotations

import enum
import os
import platform
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from facematch_core import __version__
from facematch_core._config import FILE_NAME, VARIABLE, Profile, find, read, user_file
from facematch_core._gate_tables import GateTables
from facematch_core._registry import backend_class
from facematch_core._secrets import Secret
from facematch_core._verifier import FaceVerifier
from facematch_core.errors import FaceMatchError

from ._opening import FALLBACK, Where, opened, single_plans
from ._packages import Extra, extras, warnings
from ._text import clean, console, print_table

if TYPE_CHECKING:
    from rich.console import Console

HIDDEN = "(hidden)"

#: Name and password in an address.
_USERINFO = re.compile(r"//[^/@\s]+@")


@attrs.frozen(kw_only=True)
class Line:
    """One setting: its name, its value for people, and where it came from."""

    name: str
    value: str
    origin: str


@attrs.define(kw_only=True)
class Findings:
    """What was found.

    Attributes:
        configuration: Which file is read, for people.
        backend, profile: What is chosen; None if that cannot be told. A failover has no backend.
        members: Of a failover, what was found of each of its members.
        settings: The backend's settings; of one that cannot be opened its keys at least.
        verifier: What the profile says beside the settings.
        gates: What stands before each call, as the profile says it.
        diagnosis: What the backend says of itself.
        problem: Why it cannot be used, or None.
        extras: The optional parts of this distribution.
        warnings: What should be put right although it may work.
    """

    configuration: str
    backend: str | None = None
    profile: str | None = None
    members: list[Findings] = attrs.field(factory=list)
    settings: list[Line] = attrs.field(factory=list)
    verifier: Mapping[str, Any] = attrs.field(factory=dict)
    gates: Mapping[str, str] = attrs.field(factory=dict)
    diagnosis: Mapping[str, Any] = attrs.field(factory=dict)
    problem: str | None = None
    extras: tuple[Extra, ...] = ()
    warnings: tuple[str, ...] = ()


def examined(where: Where) -> Findings:
    """Look at everything that a call would use, and open the backend; nothing is sent."""
    found = _chosen(where)
    found.extras, found.warnings = extras(), tuple(warnings())
    return found


def _chosen(where: Where) -> Findings:
    found = Findings(configuration=_configuration(where))
    secrets: list[str] = []
    try:
        found.profile = where.profile_name()
        singles = _singles(where, found.profile)
        if any(single.name != found.profile for single in singles):
            _examine_members(found, where, [single.name for single in singles])
            return found
        found.backend = _backend_of(where, singles)
        found.settings = _keys(found.backend) if found.backend else []
        (planned,) = single_plans(where.plan())
        values = [(s, s.value) for s in planned.settings]
        secrets = [value.reveal() for _, value in values if isinstance(value, Secret)]
        found.settings = [Line(name=s.name, value=shown(v), origin=s.origin) for s, v in values]
        if planned.profile:
            found.verifier = planned.profile.verifier
            found.gates = _gates(planned.profile.gates)
        with opened(where) as verifier:
            diagnosis = verifier.backend.diagnose() if isinstance(verifier, FaceVerifier) else {}
            found.diagnosis = _without(dict(diagnosis), secrets)
    except FaceMatchError as error:
        found.problem = _without(error.message, secrets)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plug-in that breaks here is what is looked for
        found.problem = f"It fails with {type(error).__name__}: report this to its author."
    return found


def _examine_members(found: Findings, where: Where, names: list[str]) -> None:
    found.members = [_chosen(Where(profile=name, config=where.config)) for name in names]
    broken = [str(member.profile) for member in found.members if member.problem is not None]
    if broken:
        found.problem = f"The failover cannot be opened without its member {broken[0]}."
        return
    with opened(where):
        pass


def _gates(tables: GateTables) -> dict[str, str]:
    """Each table in a line, as the profile says it."""
    return {
        name: ", ".join(f"{key} {_told(value)}" for key, value in table.items()) or "with defaults"
        for name, table in tables.items()
    }


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{key} {item}" for key, item in value.items())
    return str(value) if isinstance(value, Decimal) else shown(value)


def _configuration(where: Where) -> str:
    if where.backend is not None:
        return "not read: a backend is named"
    path = find(where.config, here=True)
    if path is None:
        return f"none (looked for ./{FILE_NAME} and {user_file()})"
    if where.config is not None:
        return f"{path} (--config)"
    return f"{path} (${VARIABLE})" if os.environ.get(VARIABLE) else str(path)


def _singles(where: Where, profile: str | None) -> tuple[Profile, ...]:
    """The profile that is used, or those of a failover's members; () without one."""
    path = find(where.config, here=True)
    return () if path is None or profile is None else read(path).singles(profile)


def _backend_of(where: Where, singles: tuple[Profile, ...]) -> str | None:
    """The name of the backend, whether it can be opened or not; None if it cannot be told."""
    if singles:
        return singles[0].backend
    return where.backend or (FALLBACK if where.config is None else None)


def _keys(backend: str) -> list[Line]:
    """The settings that may come from the environment: whether each is set, never to what."""
    variables = backend_class(backend).environment_variables
    return [
        Line(
            name=name,
            value=f"set (from ${variable})" if os.environ.get(variable) else "not set",
            origin=f"${variable}",
        )
        for name, variable in variables.items()
    ]


def shown(value: object) -> str:
    """A setting for people; of a secret only that it is set."""
    if isinstance(value, Secret):
        return f"set (from {value.origin})"
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, enum.Enum):
        return str(value.value)
    if isinstance(value, int | float | str | Path):
        return _USERINFO.sub(f"//{HIDDEN}@", str(value))
    return f"a {type(value).__name__}"


def _without(value: Any, secrets: Iterable[str]) -> Any:
    """`value` as JSON without these texts: a plug-in's author may not have been careful."""
    if isinstance(value, Mapping):
        return {_without(str(k), secrets): _without(v, secrets) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without(item, secrets) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    text = shown(value)
    for secret in filter(None, secrets):
        text = text.replace(secret, HIDDEN)
    return text


def as_document(found: Findings) -> dict[str, Any]:
    """The JSON form."""
    return {
        "facematch": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "configuration": found.configuration,
        **_chosen_document(found),
        "members": [_chosen_document(member) for member in found.members],
        "extras": [extra.as_document() for extra in found.extras],
        "warnings": list(found.warnings),
    }


def _chosen_document(found: Findings) -> dict[str, Any]:
    return {
        "profile": found.profile,
        "backend": found.backend,
        "usable": found.problem is None,
        "problem": found.problem,
        "settings": [attrs.asdict(line) for line in found.settings],
        "verifier": dict(found.verifier),
        "gates": dict(found.gates),
        "diagnosis": dict(found.diagnosis),
    }


def show(found: Findings) -> None:
    """Print it."""
    to = console()

    def say(text: str) -> None:
        to.out(clean(text))

    say(f"facematch {__version__}, Python {platform.python_version()}, {platform.platform()}")
    say(f"configuration: {found.configuration}")
    if found.members:
        names = ", ".join(str(member.profile) for member in found.members)
        say(f"failover: {found.profile}, of {names}")
    for one in found.members or [found]:
        _show_chosen(one, to)
    if found.members and found.problem is not None:
        say(f"cannot be used: {found.problem}")
    if found.extras:
        print_table(to, ("extra", "state", "packages"), [extra.row() for extra in found.extras])
    for extra in found.extras:
        if extra.missing:
            say(f"  for {extra.name}: {extra.install}")
    for warning in found.warnings:
        say(f"warning: {warning}")


def _show_chosen(found: Findings, to: Console) -> None:
    profile = f" (profile {found.profile})" if found.profile else ""
    to.out(clean(f"backend: {found.backend or 'not known'}{profile}"))
    if found.problem is not None:
        to.out(clean(f"  cannot be used: {found.problem}"))
    rows = [(line.name, line.value, line.origin) for line in found.settings]
    rows += [(name, shown(value), "profile") for name, value in found.verifier.items()]
    rows += [(name, value, "profile") for name, value in found.gates.items()]
    if rows:
        print_table(to, ("setting", "value", "from"), rows)
    for name, value in found.diagnosis.items():
        to.out(clean(f"  {name}: {value}"))
