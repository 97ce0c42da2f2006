"""Plug-ins: listed from the metadata of what is installed, imported when they are used.

Names that our own distribution declares are ours: a stranger's package that claims one must not
receive the keys and faces that were meant for it. What two strangers claim is nobody's.
"""

from __future__ import annotations

import functools
from importlib import metadata
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any, Final

import attrs

if TYPE_CHECKING:
    from .backend import Backend

#: The distribution that this package is part of.
OWN: Final = "facematch-core"

#: The entry-point groups of backends and of commands.
BACKENDS: Final = "facematch.backends"
COMMANDS: Final = "facematch.commands"


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
    # Not above: lists and completion need neither.
    from .backend import API_VERSION, Backend
    from .errors import BackendUnavailable
    from .kinds import nearest

    found = load(BACKENDS, name, "backend")
    if found is None:
        raise BackendUnavailable(
            f"No backend is called {str(name)[:60]!r}: {nearest(str(name), installed(BACKENDS))}"
        )
    cls, point = found
    of = f"The backend {point.name} of {distribution(point)}"
    if not (isinstance(cls, type) and issubclass(cls, Backend)):
        raise BackendUnavailable(
            f"{of} is no subclass of facematch_core.backend.Backend: report this to its author."
        )
    if cls.api_version != API_VERSION:
        raise BackendUnavailable(
            f"{of} speaks version {cls.api_version} of the plug-in interface, this release version "
            f"{API_VERSION}: update the older of the two."
        )
    if getattr(cls, "name", None) != point.name:
        raise BackendUnavailable(
            f"{of} calls itself {getattr(cls, 'name', 'nothing')}: its class must carry the name "
            "of its entry point. Report this to its author."
        )
    check_settings(cls)
    return cls


def check_settings(cls: type[Backend]) -> None:
    """Refuse a backend whose settings could be arguments of `open_verifier`."""
    from .errors import BackendUnavailable

    taken = verifier_arguments() | {"backend", "profile", "config"}
    for field in attrs.fields(cls) if attrs.has(cls) else ():
        name = field.alias or field.name
        if field.init and name in taken:
            raise BackendUnavailable(
                f"The backend {cls.name} has a setting {name}, which is an argument of "
                "open_verifier: its author must give the setting another name."
            )


@functools.cache
def verifier_arguments() -> frozenset[str]:
    """The keywords of `open_verifier` that belong to `FaceVerifier`; all others are settings."""
    import inspect

    from .verifier import FaceVerifier

    return frozenset(inspect.signature(FaceVerifier).parameters) - {"backend"}


# Any group.


def installed(group: str) -> dict[str, list[EntryPoint]]:
    """The entry points of a group at this moment, by name, in alphabetical order."""
    found: dict[str, list[EntryPoint]] = {}
    for point in sorted(metadata.entry_points(group=group), key=lambda point: point.name):
        found.setdefault(point.name, []).append(point)
    return found


def problem(point: EntryPoint, all_of_name: list[EntryPoint]) -> str | None:
    """Why an entry point may not be used, among all of its name; None if nothing is against it."""
    claims = {distribution(one) for one in all_of_name}
    stranger = distribution(point)
    if not point.name.isascii():
        return (
            f"The name {point.name!a} of {stranger} has letters beyond ASCII, which can look like "
            "those of another name: ask its author for a plain one."
        )
    if OWN in claims and stranger != OWN:
        return (
            f"The name {point.name} is reserved for {OWN}, and {stranger} claims it: uninstall "
            f"{stranger} or ask its author for another name."
        )
    if OWN not in claims and len(claims) > 1:
        names = " and ".join(sorted(claims))
        return f"The name {point.name} is claimed by {names}: uninstall all but one."
    return None


def load(group: str, name: str, thing: str) -> tuple[Any, EntryPoint] | None:
    """What a name stands for, imported now, and who brings it; None if nobody does."""
    from .errors import BackendUnavailable

    points = installed(group).get(name)
    if points is None:
        return None
    point = next((one for one in points if problem(one, points) is None), None)
    if point is None:
        raise BackendUnavailable(str(problem(points[0], points)))
    try:
        return _loaded(point), point
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a plug-in's import raises is its own fault
        reason = f"{type(error).__name__}: {error}"[:300]
    raise BackendUnavailable(
        f"The {thing} {name} of {distribution(point)} cannot be imported ({reason})."
    )


def distribution(point: EntryPoint) -> str:
    """Name of the distribution that brings it."""
    # An interrupted installation leaves metadata without a name.
    name = (point.dist and point.dist.name) or "an unnamed distribution"
    return name.lower().replace("_", "-")


def version(point: EntryPoint) -> str:
    """Version of that distribution; empty if it is not known."""
    return (point.dist and point.dist.version) or ""


def _loaded(point: EntryPoint) -> Any:
    from stevedore import ExtensionManager

    class One(ExtensionManager):  # type: ignore[type-arg]  # generic for some versions only
        # stevedore's own list comes from a cache on disk that may be minutes old, and knows no
        # distributions: which entry point is meant was decided from the metadata themselves.
        def list_entry_points(self) -> list[EntryPoint]:
            return [point]

    def failed(_manager: object, _point: EntryPoint, error: BaseException) -> None:
        raise error

    (extension,) = One(point.group, on_load_failure_callback=failed)
    return extension.plugin
