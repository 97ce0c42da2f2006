"""Find plug-ins by entry point, and import them on first use.

Our own names are reserved, so that no other package can use them to receive keys and faces: those
in the metadata of facematch-core, and those in `SEPARATE_PACKAGES`, installed or not. A name that
two other packages claim is rejected.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
from importlib import metadata
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

if TYPE_CHECKING:
    from facematch_core.backend import Backend

#: The distribution that contains this package.
CORE_DISTRIBUTION: Final = "facematch-core"

#: The entry-point groups of backends and of commands.
BACKENDS: Final = "facematch.backends"
COMMANDS: Final = "facematch.commands"

#: The entry-point group of backend aliases, which are used only in error messages.
ALIASES: Final = "facematch.aliases"

#: The distribution of each name of ours that is not in facematch-core. The name is reserved in each
#: group of entry points, also where the distribution is not installed.
SEPARATE_PACKAGES: Final = {"local": "facematch-local"}
#: Libraries that compare faces on the local machine, for error messages.
LIBRARIES: Final = frozenset({"dlib", "face_recognition", "insightface"})
#: Minimum similarity, 0-1, for suggesting a name. A less similar name may be another company's.
SUGGESTED_SIMILARITY: Final = 0.75


@attrs.frozen(kw_only=True)
class BackendInfo:
    """An installed backend.

    Attributes:
        name: The name for `open_verifier`.
        target: The entry point's value, ``module:Class``.
        distribution, version: The distribution that contains the backend.
        problem: The reason why the backend's name cannot be used, or None.
    """

    name: str
    target: str
    distribution: str
    version: str
    problem: str | None = None


def available_backends() -> tuple[BackendInfo, ...]:
    """Return the installed backends, sorted by name. Reads only metadata; imports no plug-in.

    Example:
        >>> sorted(backend.name for backend in available_backends())[:3]
        ['alibaba', 'azure', 'baidu']
    """
    backends = []
    for name, claims in entry_points_by_name(BACKENDS).items():
        for point in claims:
            version = None if point.dist is None else point.dist.version
            backends.append(
                BackendInfo(
                    name=name,
                    target=point.value,
                    distribution=distribution(point),
                    version=version or "",  # metadata may have none
                    problem=problem_of_claim(point, claims),
                )
            )
    return tuple(backends)


def backend_class(name: str) -> type[Backend]:
    """Import a backend and return its class; raise `BackendUnavailable` if it is unusable."""
    # Imported here, because listing and shell completion do not need it.
    from facematch_core.errors import BackendUnavailable

    plugin = import_plugin(BACKENDS, name, "backend")
    if plugin is None:
        raise BackendUnavailable(f"Unknown backend {str(name)[:60]!r}: {_suggestion(str(name))}")
    point = plugin.entry_point
    problem = _problem_of_class(plugin.value, point)
    if problem is not None:
        raise BackendUnavailable(f"The backend {point.name} of {distribution(point)} {problem}.")
    cls: type[Backend] = plugin.value
    return cls


def _problem_of_class(cls: object, point: EntryPoint) -> str | None:
    """Return why an object cannot be used as a backend, as the end of a sentence; else None."""
    from facematch_core.backend import API_VERSION, Backend

    if not (isinstance(cls, type) and issubclass(cls, Backend)):
        return "is not a subclass of facematch_core.backend.Backend: report this to its author"
    if cls.api_version != API_VERSION:
        return (
            f"uses version {cls.api_version} of the plug-in interface, and facematch uses version "
            f"{API_VERSION}: update the older of the two"
        )
    class_name = getattr(cls, "name", "nothing")
    if class_name != point.name:
        return (
            f"has the name {class_name} in its class, which differs from its entry point: report "
            "this to its author"
        )
    fields = attrs.fields(cls) if attrs.has(cls) else ()
    settings = {field.alias or field.name for field in fields if field.init}
    taken = settings & {*face_verifier_arguments(), "backend", "profile", "config"}
    if taken:
        return (
            f"has a setting {min(taken)}, which is an argument of open_verifier: its author must "
            "rename the setting"
        )
    return None


def _suggestion(name: str) -> str:
    """Return a suggestion for an unknown backend."""
    from facematch_core.backend.kinds import suggest_name

    alias = name.lower().replace("-", "_")
    if alias in SEPARATE_PACKAGES:
        return install_hint(SEPARATE_PACKAGES[alias])
    claims = entry_points_by_name(ALIASES).get(alias, [])
    for point in claims:
        if problem_of_claim(point, claims) is None:
            return f"use {point.value!r}."
    if alias in LIBRARIES:
        return (
            "that library runs on your own machine, like the backend local. docs/apps/migrate.md "
            "maps its names to ours."
        )
    return suggest_name(name, entry_points_by_name(BACKENDS), min_similarity=SUGGESTED_SIMILARITY)


@functools.cache
def face_verifier_arguments() -> frozenset[str]:
    """Return `FaceVerifier`'s argument names. Other keywords of `open_verifier` are settings."""
    import inspect

    from facematch_core.verifier.verifier import FaceVerifier

    return frozenset(inspect.signature(FaceVerifier).parameters) - {"backend"}


def entry_points_by_name(group: str) -> dict[str, list[EntryPoint]]:
    """Return a group's entry points by name, in alphabetical order."""
    points_by_name: dict[str, list[EntryPoint]] = {}
    for point in sorted(metadata.entry_points(group=group), key=lambda point: point.name):
        points_by_name.setdefault(point.name, []).append(point)
    return points_by_name


# Cached, because a scan opens a file per distribution, and a service may open many verifiers.
@functools.lru_cache(maxsize=16)
def _installed_on(group: str, _path: tuple[str, ...]) -> dict[str, list[EntryPoint]]:
    return entry_points_by_name(group)


def find_beside(module: str, file_name: str) -> Path | None:
    """Return a file in the folder of a module; None if there is no such file or module.

    Nothing is imported, because a plug-in may need what is not installed.
    """
    package, *modules = module.split(".")
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent.joinpath(*modules)
    file = (folder if folder.is_dir() else folder.parent) / file_name
    return file if file.is_file() else None


def problem_of_claim(point: EntryPoint, claims: list[EntryPoint]) -> str | None:
    """Return why an entry point cannot have its name, which all `claims` claim; else None."""
    claimants = {distribution(claim) for claim in claims}
    claimant = distribution(point)
    if not point.name.isascii():
        return (
            f"The name {point.name!a} of {claimant} has non-ASCII letters, which can imitate "
            "another name: ask its author for an ASCII name."
        )
    separate = SEPARATE_PACKAGES.get(point.name)
    # An entry point of facematch-core may name a class of the separate package.
    owners = {CORE_DISTRIBUTION, separate} if separate else {CORE_DISTRIBUTION} & claimants
    if owners and claimant not in owners:
        remedy = f" To use {point.name}: {install_hint(separate)}" if separate else ""
        return (
            f"The name {point.name} is reserved for {separate or CORE_DISTRIBUTION}, and "
            f"{claimant} claims it: uninstall {claimant} or ask its author for another name."
            f"{remedy}"
        )
    if not owners and len(claimants) > 1:
        names = " and ".join(sorted(claimants))
        return f"The name {point.name} is claimed by {names}: uninstall all but one."
    if separate and importlib.util.find_spec(point.module.partition(".")[0]) is None:
        return f"The backend {point.name} is not installed; {install_hint(separate)}"
    return None


def install_hint(distribution: str) -> str:
    """Return how to install a distribution of ours, as the end of a sentence about its name."""
    command = f"pip install ./backends/{distribution.replace('-', '_')}"
    return f"it is in the package {distribution}: run `{command}` in a checkout of facematch."


@attrs.frozen
class Plugin:
    """An imported plug-in: the object that its entry point names, and the entry point."""

    value: Any
    entry_point: EntryPoint


def import_plugin(group: str, name: str, noun: str) -> Plugin | None:
    """Import a plug-in by name; return None if it is not installed. `noun` is for errors."""
    from facematch_core.errors import BackendUnavailable

    claims = _installed_on(group, tuple(sys.path)).get(name)
    if claims is None:  # it may have been installed in the meantime
        _installed_on.cache_clear()
        claims = _installed_on(group, tuple(sys.path)).get(name)
    if claims is None:
        return None
    usable = [point for point in claims if problem_of_claim(point, claims) is None]
    if not usable:
        raise BackendUnavailable(str(problem_of_claim(claims[0], claims)))
    point = usable[0]
    from stevedore import ExtensionManager

    class SinglePlugin(ExtensionManager):  # type: ignore[type-arg]  # generic for some versions only
        # stevedore's own list is cached on disk and may be minutes old.
        def list_entry_points(self) -> list[EntryPoint]:
            return [point]

    def raise_error(_manager: object, _point: EntryPoint, error: BaseException) -> None:
        raise error

    try:
        (extension,) = SinglePlugin(group, on_load_failure_callback=raise_error)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - an import may raise anything
        reason = f"{type(error).__name__}: {error}"[:300]
    else:
        return Plugin(extension.plugin, point)
    raise BackendUnavailable(
        f"The {noun} {name} of {distribution(point)} cannot be imported ({reason})."
    )


def distribution(point: EntryPoint) -> str:
    """Return the name of an entry point's distribution."""
    name = None if point.dist is None else _read_name(point.dist)
    if not name:  # metadata may have no name after an interrupted installation
        name = "an unnamed distribution"
    return name.lower().replace("_", "-")


# Cached, because reading the name parses the whole metadata file.
@functools.lru_cache(maxsize=256)
def _read_name(distribution: metadata.Distribution) -> str | None:
    return distribution.name
