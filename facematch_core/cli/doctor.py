"""`facematch doctor`: show installed backends, settings with their origins, and problems.

Imports and opens plug-ins, and looks for indexes in the databases of `sessions` and `checks`. It
creates no files, calls no other servers, and shows no secrets.
"""

from __future__ import annotations

import contextlib
import enum
import os
import platform
import re
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facematch_core import __version__
from facematch_core.base.masking import Secret
from facematch_core.errors import FaceMatchError
from facematch_core.models import Operation, Retention

from .options import Target, foreign_hosts, json_option, single_setups, target_options
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
    """Show the chosen backend, the source of each setting, and the installed backends.

    Shows no keys, sends nothing, and creates no files. Looks for missing indexes in the databases
    that a profile names as `sessions` and `checks`. The exit code is 4 if the chosen backend cannot
    be used.
    """
    target = Target.of(options)
    chosen = _examine(target)
    report = {
        "facematch": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "configuration": _configuration(target),
        "namesake": _namesake(),
        **chosen,
        "backends": inspect_backends(_named_backends(target, chosen)),
    }
    if as_json:
        print_json(report)
    else:
        _show(report)
    return Exit.OK if report["usable"] else Exit.CONFIGURATION


def _examine(target: Target) -> dict[str, Any]:
    """Return a JSON report on the chosen backend and its settings, or on its members."""
    report: dict[str, Any] = {
        "profile": None,
        "backend": None,
        "usable": False,
        "problem": None,
        "settings": [],
        "verifier": {},
        "policies": {},
        "stores": {},
        "missing_indexes": [],
        "diagnosis": {},
        "hosts": [],
        "members": [],
    }
    # Filled when the settings are read, and needed if the backend then cannot be opened.
    secrets: list[str] = []
    try:
        report["profile"] = name = target.profile_or_default()
        profiles = (
            target.loaded_config.member_profiles(name) if target.loaded_config and name else ()
        )
        has_members = any(profile.name != name for profile in profiles)
        if has_members:
            for profile in profiles:
                member = _examine(Target(profile=profile.name, config=target.config))
                report["members"].append(member)
                if not member["usable"] and report["problem"] is None:
                    report["problem"] = (
                        f"The failover cannot be opened without its member {profile.name}."
                    )
        else:
            _examine_one(target, next(iter(profiles), None), report, secrets)
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
    """Fill in as much of one backend's report as possible; raise if it cannot be opened.

    Args:
        target: The backend or profile.
        profile: The profile, or None if a backend is named.
        report: The report.
        secrets: The list to which the secrets of the settings are added.
    """
    from facematch_core.config.opening import missing_indexes, store_addresses
    from facematch_core.config.plugins import backend_class

    report["backend"] = _backend_named(target, profile)
    # If the backend cannot be opened, at least show which of its variables are set.
    if report["backend"] is not None:
        variables = backend_class(report["backend"]).environment_variables
        for name, variable in variables.items():
            if profile is not None and name in profile.settings:
                continue
            value = f"set (from ${variable})" if os.environ.get(variable) else "not set"
            report["settings"].append(_setting(name, value, f"${variable}"))
    (setup,) = single_setups(target.setup())
    report["settings"] = []
    for setting in setup.settings:
        if isinstance(setting.value, Secret):
            secrets.append(setting.value.reveal())
        text = show_value(setting.value)
        report["settings"].append(_setting(setting.name, text, setting.origin))
    report["hosts"] = list(foreign_hosts(setup))
    if profile is not None:
        report["verifier"] = dict(profile.verifier)
        for name, table in profile.policies.items():
            report["policies"][name] = _show_policy(table)
        addresses = store_addresses(profile)
        report["stores"] = {name: show_value(address) for name, address in addresses.items()}
        with contextlib.suppress(FaceMatchError):  # who opens the store reports it
            report["missing_indexes"] = missing_indexes(addresses)
    # Opening a store would create its file or connect to its server.
    with setup.open(opens_stores=False) as verifier:
        report["diagnosis"] = _hide(dict(verifier.backend.diagnose()), secrets)


def _backend_named(target: Target, profile: Profile | None) -> str | None:
    """Return the name of the backend; None if only a file that cannot be read has it."""
    if profile is not None:
        return profile.backend
    return target.backend_or_fallback()


def _setting(name: str, value: str, origin: str) -> dict[str, str]:
    return {"name": name, "value": value, "origin": origin}


def _namesake() -> str | None:
    """Return the version of the other project that PyPI has as `facematch`, if it is installed."""
    try:
        return metadata.version("facematch")
    except metadata.PackageNotFoundError:
        return None


def _named_backends(target: Target, chosen: Mapping[str, Any]) -> set[str]:
    """Return the backends that are chosen, or named in the configuration file."""
    names = {chosen["backend"], *(member["backend"] for member in chosen["members"])}
    with contextlib.suppress(FaceMatchError):  # the report on the chosen backend has told it
        if target.loaded_config is not None:
            names |= {profile.backend for profile in target.loaded_config.profiles.values()}
    return names


def inspect_backends(named: Collection[str] = ()) -> list[dict[str, Any]]:
    """Return the installed backends as JSON. A broken backend has a `problem` and no abilities.

    A backend is `configured` if it is among `named`, has a variable in the environment, or comes
    from another package.
    """
    from facematch_core.backend import Backend
    from facematch_core.config.opening import VerifierSetup
    from facematch_core.config.plugins import available_backends, backend_class

    documents = []
    for info in available_backends():
        abilities: dict[str, Any] = dict.fromkeys(_abilities(Backend))
        problem = info.problem
        is_configured = info.name in named or info.distribution != "facematch-core"
        try:
            if problem is None:
                imported = backend_class(info.name)
                abilities = _abilities(imported)
                variables = imported.environment_variables.values()
                is_configured = is_configured or any(map(os.environ.get, variables))
                VerifierSetup.of(info.name).open_backend().close()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - show the other plug-ins, too
            problem = _problem(error)
        document = {
            "name": info.name,
            "distribution": info.distribution,
            "version": info.version,
            "configured": is_configured,
            "usable": problem is None,
            "problem": problem,
        }
        documents.append(document | abilities)
    return documents


def _abilities(cls: Any) -> dict[str, Any]:
    """Return what a backend can do, as `doctor --json` shows it."""
    capabilities = cls.capabilities
    operations = {each.value: each in capabilities.operations for each in Operation}
    return operations | {
        "session": cls.session_capabilities is not None,
        "keep": Retention.KEEP in capabilities.retention,
        "threshold_rule": capabilities.threshold_rule.value,
        "default_threshold": capabilities.default_threshold,
        "default_liveness_threshold": capabilities.default_liveness_threshold,
        "score_scale": capabilities.score_scale,
        "liveness_scale": capabilities.liveness_scale,
        "billed": sorted(operation.value for operation in capabilities.billed_operations),
    }


def show_value(value: object) -> str:
    """Return a setting as text; for a secret, only its origin."""
    if isinstance(value, Secret):
        return f"set (from {value.origin})"
    if value is None or value == ():
        return "not set"
    if isinstance(value, tuple):
        return ", ".join(map(show_value, value))
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


def _hide(value: object, secrets: Iterable[str]) -> Any:
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
    """Return which configuration file is read and why, and a hint at one that is not."""
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
    """Print the report: the chosen backend, then a table of those that are configured."""
    say(f"facematch {report['facematch']}, Python {report['python']}, {report['platform']}")
    if report["namesake"] is not None:
        say(
            f"note: the package facematch {report['namesake']} is another project, and its command "
            "replaces ours: uninstall it, then install facematch-core again."
        )
    say(f"configuration: {report['configuration']}")
    _show_with_members(report)
    configured = [backend for backend in report["backends"] if backend["configured"]]
    rows = []
    for backend in configured:
        usable = "yes" if backend["usable"] else "no"
        origin = ""
        if backend["distribution"] != "facematch-core":
            origin = f"{backend['distribution']} {backend['version']}"
        supported = threshold = "?"
        if backend["match"] is not None:
            abilities = ("match", "liveness", "session", "keep")
            supported = ", ".join(ability for ability in abilities if backend[ability])
            threshold = "no default"
            if not backend["match"]:
                # Without calls, it only has hosted sessions.
                threshold = "-"
            elif backend["default_threshold"] is not None:
                rule = backend["threshold_rule"].replace("_", " ")
                threshold = f"{rule} {format_number(backend['default_threshold'])}"
        rows.append((backend["name"], usable, supported, threshold, origin))
    columns = ("installed backend", "usable without a profile", "supports", "threshold", "from")
    print_table(columns, rows, prose=("supports",))
    for backend in configured:
        if backend["problem"] is not None and backend["name"] != report["backend"]:
            say(f"  {backend['name']}: {backend['problem']}")
    others = [backend["name"] for backend in report["backends"] if not backend["configured"]]
    if others:
        say(
            f"not configured: {', '.join(others)} "
            "(`facematch doctor --backend NAME` says what one needs)"
        )


def _show_with_members(report: Mapping[str, Any]) -> None:
    """Print the report on a backend, or on a failover and then on each member."""
    if not report["members"]:
        _show_chosen(report)
        return
    names = ", ".join(member["profile"] for member in report["members"])
    say(f"failover: {report['profile']}, of {names}")
    for member in report["members"]:
        _show_with_members(member)
    if not report["usable"]:
        say(f"cannot be used: {report['problem']}")


def _show_chosen(report: Mapping[str, Any]) -> None:
    """Print one backend or profile: whether it can be used, its settings, stores and diagnosis."""
    heading = f"backend: {report['backend'] or 'not known'}"
    if report["profile"] is not None:
        heading += f" (profile {report['profile']})"
    if report["problem"] is None:
        say(f"{heading}, usable")
    else:
        say(heading)
        say(f"  cannot be used: {report['problem']}")
    for note in report["hosts"]:
        say(f"  note: {note}")
    if report["missing_indexes"]:
        say("  note: the stores lack indexes, and are slow: run facematch tidy --days")
    rows = [
        (setting["name"], setting["value"], setting["origin"]) for setting in report["settings"]
    ]
    for name, value in report["verifier"].items():
        rows.append((name, show_value(value), "profile"))
    for name, text in (report["policies"] | report["stores"]).items():
        rows.append((name, text, "profile"))
    if rows:
        print_table(("setting", "value", "from"), rows, prose=("value", "from"))
    for name, value in report["diagnosis"].items():
        say(f"  {name}: {value}")
