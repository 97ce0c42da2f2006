"""`facematch doctor`: every setting, where it comes from, and what is missing. Never a secret.

It creates no file and asks no server: stores are named and not opened.
"""

from __future__ import annotations

import contextlib
import enum
import os
import platform
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from importlib import metadata
from pathlib import Path
from typing import Any

import click

from facematch_core import __version__
from facematch_core.base.masking import Secret
from facematch_core.errors import FaceMatchError
from facematch_core.models import Threshold

from .options import FALLBACK, Target, foreign_hosts, json_option, single_plans, target_options
from .text import Exit, print_json, print_table, say

HIDDEN = "(hidden)"

#: Name and password in an address, which may lack its scheme, as that of a proxy often does.
_USERINFO = re.compile(r"((?<!/)//(?!/)|^(?!\s*[A-Za-z][\w+.-]*://)(?=.*:)).+@", re.DOTALL)

CORE = "facematch-core"

#: Distributions that bring the same module. One of the two is enough, and both at once break it.
TWINS = {"dlib-bin": "dlib"}


@click.command("doctor")
@target_options
@json_option
def command(as_json: bool, **options: Any) -> int:
    """Show what would be used and where each setting comes from. Keys are never shown.

    Nothing is sent, and no file is created. The exit code is 4 if the chosen backend cannot be used
    as it is.
    """
    target = Target.of(options)
    report = {
        "facematch": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "configuration": _configuration(target),
        **_examine(target),
        "extras": list(extras()),
        "warnings": [
            f"{twin} and {name} are both installed and bring the same module, never both: "
            f"pip uninstall {twin} {name}, then install one of them again."
            for name, twin in TWINS.items()
            if _version(name) and _version(twin)
        ],
    }
    if as_json:
        print_json(report)
        return Exit.OK if report["usable"] else Exit.CONFIGURATION
    say(f"facematch {report['facematch']}, Python {report['python']}, {report['platform']}")
    say(f"configuration: {report['configuration']}")
    members = report["members"]
    if members:
        names = ", ".join(member["profile"] for member in members)
        say(f"failover: {report['profile']}, of {names}")
    for backend in members or [report]:
        _show_backend(backend)
    if members and not report["usable"]:
        say(f"cannot be used: {report['problem']}")
    rows = []
    for extra in report["extras"]:
        versions = (f"{name} {version or 'missing'}" for name, version in extra["packages"].items())
        state = "present" if extra["present"] else "missing"
        rows.append((extra["name"], state, ", ".join(versions)))
    if rows:
        print_table(("extra", "state", "packages"), rows, prose=("packages",))
    for extra in report["extras"]:
        if not extra["present"]:
            say(f"  for {extra['name']}: {extra['install']}")
    for warning in report["warnings"]:
        say(f"warning: {warning}")
    return Exit.OK if report["usable"] else Exit.CONFIGURATION


def _examine(target: Target) -> dict[str, Any]:
    """Everything that a call would use, as JSON; a failover has members and no backend."""
    from facematch_core.config.plugins import backend_class

    report: dict[str, Any] = {"profile": None, "backend": None, "usable": False, "problem": None}
    report |= {"settings": [], "verifier": {}, "policies": {}, "diagnosis": {}, "hosts": []}
    report["members"], secrets = [], list[str]()
    try:
        name = report["profile"] = target.profile_name()
        # Of a failover, the profiles of its members.
        singles = target.file.singles(name) if target.file and name else ()
        if singles and singles[0].name != name:
            each = (Target(profile=single.name, config=target.config) for single in singles)
            report["members"] = [_examine(member) for member in each]
            for member in report["members"]:
                if not member["usable"]:
                    report["problem"] = (
                        f"The failover cannot be opened without its member {member['profile']}."
                    )
                    return report
            return report | {"usable": True}
        fallback = None if target.config else FALLBACK
        report["backend"] = singles[0].backend if singles else target.backend or fallback
        backend = report["backend"]
        # If it cannot be opened, at least whether its keys are set, never to what. Where the file
        # names a key, its variable is not read.
        variables = backend_class(backend).environment_variables if backend else {}
        in_file = singles[0].settings if singles else {}
        report["settings"] = [
            _setting(name, f"set (from ${v})" if os.environ.get(v) else "not set", f"${v}")
            for name, v in variables.items()
            if name not in in_file
        ]
        (plan,) = single_plans(target.plan())
        values = [(setting.name, setting.value, setting.origin) for setting in plan.settings]
        secrets += [value.reveal() for _, value, _ in values if isinstance(value, Secret)]
        report["settings"] = [
            _setting(name, show_value(value), origin) for name, value, origin in values
        ]
        report["hosts"] = [*foreign_hosts(plan)]
        if plan.profile:
            report["verifier"] = {
                name: value.value if isinstance(value, Threshold) else value
                for name, value in plan.profile.verifier.items()
            }
            tables = plan.profile.policies
            report["policies"] = {name: _show_policy(table) for name, table in tables.items()}
        # What the backend says of itself, once a verifier took it with all that the profile says.
        # A store is named and not opened: that would make its file, or ask its server.
        with plan.open(opens_stores=False) as verifier:
            report["diagnosis"] = _hide(dict(verifier.backend.diagnose()), secrets)
        report["usable"] = True
    except FaceMatchError as error:
        report["problem"] = _hide(error.message, secrets)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plug-in that breaks here is what is looked for
        report["problem"] = f"It fails with {type(error).__name__}: report this to its author."
    return report


def _setting(name: str, value: str, origin: str) -> dict[str, str]:
    return {"name": name, "value": value, "origin": origin}


def show_value(value: object) -> str:
    """A setting for people; of a secret only that it is set."""
    if isinstance(value, Secret):
        return f"set (from {value.origin})"
    if value is None or isinstance(value, tuple):
        return ", ".join(map(show_value, value or ())) or "not set"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, enum.Enum):
        return str(value.value)
    if isinstance(value, int | float | Decimal | str | Path):
        return _USERINFO.sub(rf"\1{HIDDEN}@", str(value))
    return f"a {type(value).__name__}"


def _show_policy(table: Mapping[str, Any]) -> str:
    """A table of a profile in a line, as the profile says it."""

    def show(value: Any) -> str:
        if isinstance(value, Mapping):
            return " ".join(f"{key} {item}" for key, item in value.items())
        return show_value(value)

    return ", ".join(f"{key} {show(value)}" for key, value in table.items()) or "with defaults"


def _hide(value: Any, secrets: Iterable[str]) -> Any:
    """`value` as JSON without these texts: a plug-in's author may not have been careful."""
    if isinstance(value, Mapping):
        return {_hide(str(key), secrets): _hide(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_hide(item, secrets) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    text = show_value(value)
    for secret in filter(None, secrets):
        text = text.replace(secret, HIDDEN)
    return text


def _configuration(target: Target) -> str:
    from facematch_core.config.opening import VARIABLE, find_config, unread_file, user_file

    if target.backend is not None:
        return "not read, because a backend is named"
    path = find_config(target.config)
    if path is None:
        return f"none (looked for {user_file()}).{unread_file()}"
    if target.config is not None:
        return f"{path} (--config)"
    if os.environ.get(VARIABLE):
        return f"{path} (${VARIABLE})"
    note = unread_file(path)
    return f"{path}.{note}" if note else str(path)


def extras() -> Iterator[dict[str, Any]]:
    """The optional parts of this distribution; none if it runs without being installed."""
    by_extra: dict[str, dict[str, str | None]] = {}
    with contextlib.suppress(metadata.PackageNotFoundError):
        for requirement in metadata.requires(CORE) or []:
            name = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement)
            extra = re.search(r"""extra\s*==\s*['"]([^'"]+)['"]""", requirement)
            # `all` names what the others name.
            if name and extra and extra[1] != "all":
                version, twin = _version(name[0]), TWINS.get(name[0])
                if version is None and twin and (other := _version(twin)):
                    version = f"({twin} {other} instead)"
                by_extra.setdefault(extra[1], {})[name[0]] = version
    for title, packages in by_extra.items():
        yield {
            "name": title,
            "present": None not in packages.values(),
            "packages": packages,
            "install": f'pip install -e ".[{title}]"',
        }


def _version(name: str) -> str | None:
    with contextlib.suppress(metadata.PackageNotFoundError):
        return metadata.version(name)
    return None


def _show_backend(report: Mapping[str, Any]) -> None:
    profile = f" (profile {report['profile']})" if report["profile"] else ""
    say(f"backend: {report['backend'] or 'not known'}{profile}")
    if report["problem"] is not None:
        say(f"  cannot be used: {report['problem']}")
    for host in report["hosts"]:
        say(f"  note: {host}")
    rows = [(line["name"], line["value"], line["origin"]) for line in report["settings"]]
    rows += [(name, show_value(value), "profile") for name, value in report["verifier"].items()]
    rows += [(name, value, "profile") for name, value in report["policies"].items()]
    if rows:
        print_table(("setting", "value", "from"), rows, prose=("value", "from"))
    for name, value in report["diagnosis"].items():
        say(f"  {name}: {value}")
