"""Plug-ins: listed from the metadata of installed packages, imported when they are used.

A name that our own distribution declares is reserved: a stranger's package that claims it must not
receive keys and faces. A name that two strangers claim belongs to neither.
"""

from __future__ import annotations

import functools
import os
import sys
import time
from importlib import metadata
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any, Final

import attrs

if TYPE_CHECKING:
    from facematch_core.backend import Backend

#: The distribution that this package is part of.
CORE_DISTRIBUTION: Final = "facematch-core"

#: The entry-point groups of backends and of commands.
BACKENDS: Final = "facematch.backends"
COMMANDS: Final = "facematch.commands"

#: The group of other names that lead to a backend: none opens it, errors say what does.
ALIASES: Final = "facematch.aliases"
#: Libraries that compare on one's own machine.
LIBRARIES: Final = frozenset({"deepface", "dlib", "face_recognition", "insightface"})
#: From how much likeness on a name is a slip of the pen, and not that of another company.
SLIP: Final = 0.75

#: Folders that changed so lately are read at each look: something may still be written there.
_SETTLED_NS: Final = 5_000_000_000


@attrs.frozen(kw_only=True)
class BackendInfo:
    """A backend that some installed distribution offers.

    Attributes:
        name: What to open it by.
        target: ``module:Class``, as the distribution declares it.
        distribution, version: Who offers it.
        problem: Why it cannot be opened, as far as metadata show; None if they show no reason.
            Whether its import succeeds is known only once it is opened.
    """

    name: str
    target: str
    distribution: str
    version: str
    problem: str | None = None


def available_backends() -> tuple[BackendInfo, ...]:
    """The backends that are installed, by name. Reads metadata only: no plug-in is imported."""
    return tuple(
        BackendInfo(
            name=name,
            target=point.value,
            distribution=distribution(point),
            version=version(point),
            problem=problem(point, points),
        )
        for name, points in installed(BACKENDS).items()
        for point in points
    )


def backend_class(name: str) -> type[Backend]:
    """The class behind a name, imported now; `BackendUnavailable` if there is none to use."""
    # Not above: lists and completion need none of these.
    from facematch_core.backend import API_VERSION, Backend
    from facematch_core.errors import BackendUnavailable

    plugin = load(BACKENDS, name, "backend")
    if plugin is None:
        raise BackendUnavailable(f"No backend is called {str(name)[:60]!r}: {_hint(str(name))}")
    cls, point = plugin
    subject = f"The backend {point.name} of {distribution(point)}"
    if not (isinstance(cls, type) and issubclass(cls, Backend)):
        raise BackendUnavailable(
            f"{subject} is no subclass of facematch_core.backend.Backend: report this to its "
            "author."
        )
    if cls.api_version != API_VERSION:
        raise BackendUnavailable(
            f"{subject} speaks version {cls.api_version} of the plug-in interface, this release "
            f"version {API_VERSION}: update the older of the two."
        )
    if getattr(cls, "name", None) != point.name:
        raise BackendUnavailable(
            f"{subject} calls itself {getattr(cls, 'name', 'nothing')}: its class must carry the "
            "name of its entry point. Report this to its author."
        )
    reserved = verifier_arguments() | {"backend", "profile", "config"}
    for field in attrs.fields(cls) if attrs.has(cls) else ():
        name = field.alias or field.name
        if field.init and name in reserved:
            raise BackendUnavailable(
                f"The backend {cls.name} has a setting {name}, which is an argument of "
                "open_verifier: its author must give the setting another name."
            )
    return cls


def _hint(name: str) -> str:
    """What to open instead of a backend that is not there."""
    from facematch_core.backend.kinds import nearest

    word = name.lower().replace("-", "_")
    points = installed(ALIASES).get(word, [])
    for point in points:
        if problem(point, points) is None:
            return f"write {point.value}."
    if word in LIBRARIES:
        server = " For a DeepFace server there is a plug-in, docs/examples/deepface_backend."
        return (
            "that library runs on your own machine, as the backend local does."
            f"{server if word == 'deepface' else ''} docs/apps/migrate.md says what is called how."
        )
    return nearest(name, installed(BACKENDS), likeness=SLIP)


@functools.cache
def verifier_arguments() -> frozenset[str]:
    """The keywords of `open_verifier` that belong to `FaceVerifier`; all others are settings."""
    import inspect

    from facematch_core.verifier.verifier import FaceVerifier

    return frozenset(inspect.signature(FaceVerifier).parameters) - {"backend"}


def installed(group: str) -> dict[str, list[EntryPoint]]:
    """The entry points of a group at this moment, by name, in alphabetical order."""
    points_by_name: dict[str, list[EntryPoint]] = {}
    folders = _folders()
    newest_ns = max((changed_ns for _, changed_ns in folders), default=0)
    # What is being installed now shows in the time of its folder before its files are written.
    has_settled = time.time_ns() - newest_ns > _SETTLED_NS
    read = _read_points if has_settled else _read_points.__wrapped__
    for point in read(group, folders):
        points_by_name.setdefault(point.name, []).append(point)
    return points_by_name


def _folders() -> tuple[tuple[str, int], ...]:
    """Where packages are installed, and when one was last added or removed there."""
    changed = []
    for folder in sys.path:
        try:
            changed.append((folder, os.stat(folder or ".").st_mtime_ns))  # noqa: PTH116 - any entry
        except (OSError, ValueError):
            changed.append((folder, 0))
    return tuple(changed)


# It opens a file of each distribution there is, and a service may open a verifier for every call.
@functools.lru_cache(maxsize=16)
def _read_points(group: str, _folders: tuple[tuple[str, int], ...]) -> tuple[EntryPoint, ...]:
    return tuple(sorted(metadata.entry_points(group=group), key=lambda point: point.name))


def problem(point: EntryPoint, points: list[EntryPoint]) -> str | None:
    """Why one of the entry points of a name may not be used; None if it may."""
    claims = {distribution(claim) for claim in points}
    stranger = distribution(point)
    if not point.name.isascii():
        return (
            f"The name {point.name!a} of {stranger} has letters beyond ASCII, which can look like "
            "those of another name: ask its author for a plain one."
        )
    if CORE_DISTRIBUTION in claims and stranger != CORE_DISTRIBUTION:
        return (
            f"The name {point.name} is reserved for {CORE_DISTRIBUTION}, and {stranger} claims it: "
            f"uninstall {stranger} or ask its author for another name."
        )
    if CORE_DISTRIBUTION not in claims and len(claims) > 1:
        names = " and ".join(sorted(claims))
        return f"The name {point.name} is claimed by {names}: uninstall all but one."
    return None


def load(group: str, name: str, noun: str) -> tuple[Any, EntryPoint] | None:
    """What a name stands for, imported now, and its entry point; None if there is none."""
    from facematch_core.errors import BackendUnavailable

    points = installed(group).get(name)
    if points is None:
        return None
    usable = [point for point in points if problem(point, points) is None]
    if not usable:
        raise BackendUnavailable(str(problem(points[0], points)))
    point = usable[0]
    from stevedore import ExtensionManager

    class SinglePlugin(ExtensionManager):  # type: ignore[type-arg]  # generic for some versions only
        # stevedore's own list comes from a cache on disk that may be minutes old, and knows no
        # distributions: which entry point is meant was decided from the metadata themselves.
        def list_entry_points(self) -> list[EntryPoint]:
            return [point]

    def raise_error(_manager: object, _point: EntryPoint, error: BaseException) -> None:
        raise error

    try:
        (extension,) = SinglePlugin(group, on_load_failure_callback=raise_error)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a plug-in's import raises is its own fault
        reason = f"{type(error).__name__}: {error}"[:300]
    else:
        return extension.plugin, point
    raise BackendUnavailable(
        f"The {noun} {name} of {distribution(point)} cannot be imported ({reason})."
    )


def distribution(point: EntryPoint) -> str:
    """Name of the distribution that declares an entry point."""
    # An interrupted installation leaves metadata without a name.
    name = (point.dist and _read_name(point.dist)) or "an unnamed distribution"
    return name.lower().replace("_", "-")


# It parses the whole of the metadata.
@functools.lru_cache(maxsize=256)
def _read_name(distribution: metadata.Distribution) -> str | None:
    return distribution.name


def version(point: EntryPoint) -> str:
    """Version of that distribution; empty if it is not known."""
    return (point.dist and point.dist.version) or ""
