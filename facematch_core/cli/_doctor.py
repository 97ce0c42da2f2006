"""What `facematch doctor` finds, and how it is shown. No secret is ever in it."""

from __future__ import annotations

import enum
import os
import platform
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from facematch_core import __version__
from facematch_core._config import FILE_NAME, VARIABLE, find, read, user_file
from facematch_core._registry import backend_class
from facematch_core._secrets import Secret
from facematch_core.errors import FaceMatchError

from ._opening import FALLBACK, Where, opened
from ._packages import Extra, extras, warnings
from ._text import clean, console, print_table

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
        backend, profile: What is chosen; None if that cannot be told.
        settings: The backend's settings; of one that cannot be opened its keys at least.
        verifier: What the profile says beside the settings.
        diagnosis: What the backend says of itself.
        problem: Why it cannot be used, or None.
        extras: The optional parts of this distribution.
        warnings: What should be put right although it may work.
    """

    configuration: str
    backend: str | None = None
    profile: str | None = None
    settings: list[Line] = attrs.field(factory=list)
    verifier: Mapping[str, Any] = attrs.field(factory=dict)
    diagnosis: Mapping[str, Any] = attrs.field(factory=dict)
    problem: str | None = None
    extras: tuple[Extra, ...] = ()
    warnings: tuple[str, ...] = ()


def examined(where: Where) -> Findings:
    """Look at everything that a call would use, and open the backend; nothing is sent."""
    found = Findings(
        configuration=_configuration(where), extras=extras(), warnings=tuple(warnings())
    )
    secrets: list[str] = []
    try:
        found.profile = where.profile_name()
        found.backend = _backend_of(where, found.profile)
        found.settings = _keys(found.backend) if found.backend else []
        planned = where.plan()
        values = [(s, s.value) for s in planned.settings]
        secrets = [value.reveal() for _, value in values if isinstance(value, Secret)]
        found.settings = [Line(name=s.name, value=shown(v), origin=s.origin) for s, v in values]
        found.verifier = planned.profile.verifier if planned.profile else {}
        with opened(where) as verifier:
            found.diagnosis = _without(dict(verifier.backend.diagnose()), secrets)
    except FaceMatchError as error:
        found.problem = _without(error.message, secrets)
    except Exception as error:  # noqa: BLE001 - a plug-in that breaks here is what is looked for
        found.problem = f"It fails with {type(error).__name__}: report this to its author."
    return found


def _configuration(where: Where) -> str:
    if where.backend is not None:
        return "not read: a backend is named"
    path = find(where.config, here=True)
    if path is None:
        return f"none (looked for ./{FILE_NAME} and {user_file()})"
    if where.config is not None:
        return f"{path} (--config)"
    return f"{path} (${VARIABLE})" if os.environ.get(VARIABLE) else str(path)


def _backend_of(where: Where, profile: str | None) -> str | None:
    """The name of the backend, whether it can be opened or not; None if it cannot be told."""
    if profile is None:
        return where.backend or (FALLBACK if where.config is None else None)
    path = find(where.config, here=True)
    return None if path is None else read(path).profile(profile).backend


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
        "profile": found.profile,
        "backend": found.backend,
        "usable": found.problem is None,
        "problem": found.problem,
        "settings": [attrs.asdict(line) for line in found.settings],
        "verifier": dict(found.verifier),
        "diagnosis": dict(found.diagnosis),
        "extras": [extra.as_document() for extra in found.extras],
        "warnings": list(found.warnings),
    }


def show(found: Findings) -> None:
    """Print it."""
    to = console()

    def say(text: str) -> None:
        to.out(clean(text))

    say(f"facematch {__version__}, Python {platform.python_version()}, {platform.platform()}")
    say(f"configuration: {found.configuration}")
    profile = f" (profile {found.profile})" if found.profile else ""
    say(f"backend: {found.backend or 'not known'}{profile}")
    if found.problem is not None:
        say(f"  cannot be used: {found.problem}")
    rows = [(line.name, line.value, line.origin) for line in found.settings]
    rows += [(name, shown(value), "profile") for name, value in found.verifier.items()]
    if rows:
        print_table(to, ("setting", "value", "from"), rows)
    for name, value in found.diagnosis.items():
        say(f"  {name}: {value}")
    if found.extras:
        print_table(to, ("extra", "state", "packages"), [extra.row() for extra in found.extras])
    for extra in found.extras:
        if extra.missing:
            say(f"  for {extra.name}: {extra.install}")
    for warning in found.warnings:
        say(f"warning: {warning}")
