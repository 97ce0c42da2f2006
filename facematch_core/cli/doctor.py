"""`facematch doctor`: show installed backends, settings with their origins, and problems.

Imports and opens plug-ins, but creates no files, calls no servers, and shows no secrets.
"""

from __future__ import annotations

import enum
import os
import platform
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facematch_core import __version__
from facematch_core.base.masking import Secret
from facematch_core.errors import FaceMatchError
from facematch_core.models import Operation, Retention

from .options import FALLBACK, Target, foreign_hosts, json_option, single_setups, target_options
from .text import Exit, format_number, print_json, print_table, say

if TYPE_CHECKING:
    from facematch_core.config.settings import Profile

HIDDEN = "(hidden)"

#: User name and password in a URL, which may have no scheme (a proxy's URL often has none).
_USERINFO = re.compile(r"((?<!/)//(?!/)|^(?!\s*[A-Za-z][\w+.-]*://)(?=.*:)).+@", re.DOTALL)


@click.command("doctor")
@target_options
@json_option
def command(as_json: bool, **options: Any) -> int:
    """Show the installed backends, the chosen backend, and the source of each setting.

    Shows no keys, sends nothing, and creates no files. The exit code is 4 if the chosen backend
    cannot be used.
    """
    target = Target.of(options)
    report = {
        "facematch": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "configuration": _configuration(target),
        **_examine(target),
        "backends": inspect_backends(),
    }
    if as_json:
        print_json(report)
    else:
        _show(report)
    return Exit.OK if report["usable"] else Exit.CONFIGURATION


def _examine(target: Target) -> dict[str, Any]:
    """Return a JSON report on the chosen backend and its settings, or on a failover's members."""
    report: dict[str, Any] = {"profile": None, "backend": None, "usable": False, "problem": None}
    report |= {"settings": [], "verifier": {}, "policies": {}, "diagnosis": {}, "hosts": []}
    report["members"], secrets = [], list[str]()
    try:
        name = report["profile"] = target.profile_name()
        singles = target.file.member_profiles(name) if target.file and name else ()
        if singles and singles[0].name != name:  # `name` is a failover
            for single in singles:
                member = _examine(Target(profile=single.name, config=target.config))
                report["members"].append(member)
            broken = [member["profile"] for member in report["members"] if not member["usable"]]
            if broken:
                problem = f"The failover cannot be opened without its member {broken[0]}."
                report["problem"] = problem
        else:
            _examine_one(target, singles[0] if singles else None, report, secrets)
        report["usable"] = report["problem"] is None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - report a broken plug-in
        report["problem"] = _hide(_problem(error), secrets)
    return report


def _problem(error: BaseException) -> str:
    """Return the reason why a backend cannot be opened."""
    if isinstance(error, FaceMatchError):
        return error.message
    return f"The plug-in failed with {type(error).__name__}: report this to its author."


def _examine_one(
    target: Target, profile: Profile | None, report: dict[str, Any], secrets: list[str]
) -> None:
    """Fill in as much of one backend's report as possible; raise if it cannot be opened."""
    from facematch_core.config.plugins import backend_class

    fallback = None if target.config else FALLBACK
    report["backend"] = backend = profile.backend if profile else target.backend or fallback
    # If the backend cannot be opened, at least show which of its variables are set.
    variables = backend_class(backend).environment_variables if backend else {}
    report["settings"] = [
        _setting(name, f"set (from ${v})" if os.environ.get(v) else "not set", f"${v}")
        for name, v in variables.items()
        if not profile or name not in profile.settings
    ]
    (setup,) = single_setups(target.setup())
    secrets += [each.value.reveal() for each in setup.settings if isinstance(each.value, Secret)]
    report["settings"] = [
        _setting(each.name, show_value(each.value), each.origin) for each in setup.settings
    ]
    report["hosts"] = [*foreign_hosts(setup)]
    if profile:
        report["verifier"] = dict(profile.verifier)
        report["policies"] = {name: _show_policy(each) for name, each in profile.policies.items()}
    # Opening a store would create its file or connect to its server.
    with setup.open(opens_stores=False) as verifier:
        report["diagnosis"] = _hide(dict(verifier.backend.diagnose()), secrets)


def _setting(name: str, value: str, origin: str) -> dict[str, str]:
    return {"name": name, "value": value, "origin": origin}


def inspect_backends() -> list[dict[str, Any]]:
    """Return the installed backends as JSON. A broken backend has a `problem` and no abilities."""
    from facematch_core.backend import Backend
    from facematch_core.config.opening import VerifierSetup
    from facematch_core.config.plugins import available_backends, backend_class

    documents = []
    for info in available_backends():
        abilities, problem = dict.fromkeys(_abilities(Backend)), info.problem
        try:
            if problem is None:
                abilities = _abilities(backend_class(info.name))
                VerifierSetup.of(info.name).open_backend().close()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - show the other plug-ins, too
            problem = _problem(error)
        about = {"name": info.name, "distribution": info.distribution, "version": info.version}
        documents.append({**about, "usable": problem is None, "problem": problem, **abilities})
    return documents


def _abilities(cls: Any) -> dict[str, Any]:
    can = cls.capabilities
    return {
        **{operation.value: operation in can.operations for operation in Operation},
        "session": cls.session_capabilities is not None,
        "keep": Retention.KEEP in can.retention,
        "threshold_rule": can.threshold_rule.value,
        "default_threshold": can.default_threshold,
        "default_liveness_threshold": can.default_liveness_threshold,
        "score_scale": can.score_scale,
        "liveness_scale": can.liveness_scale,
        "billed": sorted(operation.value for operation in can.billed_operations),
    }


def show_value(value: object) -> str:
    """Return a setting as text; for a secret, only its origin."""
    if isinstance(value, Secret):
        return f"set (from {value.origin})"
    if value is None or isinstance(value, tuple):
        return ", ".join(map(show_value, value or ())) or "not set"
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return " ".join(f"{key} {show_value(item)}" for key, item in value.items())
    if isinstance(value, int | float | Decimal | str | Path):
        return _USERINFO.sub(rf"\1{HIDDEN}@", str(value))
    return f"a {type(value).__name__}"


def _show_policy(table: Mapping[str, Any]) -> str:
    """Return a profile's policy table on one line."""
    return ", ".join(f"{key} {show_value(each)}" for key, each in table.items()) or "with defaults"


def _hide(value: Any, secrets: Iterable[str]) -> Any:
    """Return `value` as JSON without the secrets, in case a plug-in leaks one."""
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
    from facematch_core.config.opening import (
        CONFIG_VARIABLE,
        find_config,
        unread_file_hint,
        user_file,
    )

    if target.backend is not None:
        return "not read, because a backend is named"
    path = find_config(target.config)
    if path is None:
        return f"none (looked for {user_file()}).{unread_file_hint()}"
    if target.config is not None:
        return f"{path} (--config)"
    if os.environ.get(CONFIG_VARIABLE):
        return f"{path} (${CONFIG_VARIABLE})"
    return f"{path}.{unread_file_hint(path)}".removesuffix(".")


def _show(report: Mapping[str, Any]) -> None:
    say(f"facematch {report['facematch']}, Python {report['python']}, {report['platform']}")
    say(f"configuration: {report['configuration']}")
    if members := report["members"]:
        names = ", ".join(member["profile"] for member in members)
        say(f"failover: {report['profile']}, of {names}")
    for backend in members or [report]:
        _show_chosen(backend)
    if members and not report["usable"]:
        say(f"cannot be used: {report['problem']}")
    rows = []
    for row in report["backends"]:
        can, threshold = "?", "?"
        if row["match"] is not None:
            can = ", ".join(w for w in ("match", "liveness", "session", "keep") if row[w])
            default, rule = row["default_threshold"], str(row["threshold_rule"]).replace("_", " ")
            threshold = "no default" if default is None else f"{rule} {format_number(default)}"
        is_ours = row["distribution"] == "facematch-core"
        origin = "" if is_ours else f"{row['distribution']} {row['version']}"
        rows.append((row["name"], "yes" if row["usable"] else "no", can, threshold, origin))
    header = ("installed backend", "usable without a profile", "supports", "threshold", "from")
    print_table(header, rows, prose=("supports",))
    for row in report["backends"]:
        if row["problem"] is not None and row["name"] != report["backend"]:
            say(f"  {row['name']}: {row['problem']}")


def _show_chosen(report: Mapping[str, Any]) -> None:
    profile = f" (profile {report['profile']})" if report["profile"] else ""
    usable = ", usable" if report["problem"] is None else ""
    say(f"backend: {report['backend'] or 'not known'}{profile}{usable}")
    if not usable:
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
