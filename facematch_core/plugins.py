"""Plug-ins: listed from the metadata of what is installed, imported when they are used.

Names that our own distribution declares are ours: a stranger's package that claims one must not
receive the keys and faces that were meant for it. What two strangers claim is nobody's.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterable
from importlib import metadata
from importlib.machinery import PathFinder
from importlib.metadata import EntryPoint
from typing import Any, Final

import attrs

from .backend import API_VERSION, Backend
from .errors import BackendUnavailable
from .kinds import nearest
from .verifier import FaceVerifier

#: The distribution that this package is part of.
OWN: Final = "facematch-core"

#: The entry-point group of backends.
BACKENDS: Final = "facematch.backends"


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
    group = Group(BACKENDS, "backend")
    return tuple(
        BackendInfo(
            name=name,
            target=point.value,
            distribution=distribution(point),
            version=version(point),
            problem=group.problem(point, points),
        )
        for name, points in sorted(group.by_name().items())
        for point in points
    )


def backend_class(name: str) -> type[Backend]:
    """The class behind a name, imported now.

    Raises:
        BackendUnavailable: no distribution offers it, or several do; its import fails; it is no
            backend of this interface version; or a setting of it has the name of an argument of
            `open_verifier`.
    """
    group = Group(BACKENDS, "backend")
    found = group.load(name)
    if found is None:
        raise BackendUnavailable(
            f"No backend is called {str(name)[:60]!r}: {nearest(str(name), group.by_name())}"
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
    """Refuse a backend whose settings could be arguments of `open_verifier`.

    Raises:
        BackendUnavailable: a setting has the name of one; the message is for the backend's author.
    """
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
    return frozenset(inspect.signature(FaceVerifier).parameters) - {"backend"}


@attrs.frozen
class Group:
    """One group of entry points.

    Attributes:
        name: As distributions declare it.
        thing: What its members are called, for messages.
    """

    name: str
    thing: str

    def by_name(self) -> dict[str, list[EntryPoint]]:
        """Entry points by name; one distribution that is seen twice on the path counts once."""
        found: dict[str, dict[tuple[str, str], EntryPoint]] = {}
        for point in _installed(metadata.entry_points, self.name, _state_of_path()):
            key = (distribution(point), point.value)
            found.setdefault(point.name, {}).setdefault(key, point)
        return {name: list(points.values()) for name, points in found.items()}

    def problem(self, point: EntryPoint, all_of_name: list[EntryPoint]) -> str | None:
        """Why an entry point may not be used; None if nothing speaks against it.

        Args:
            point: The entry point.
            all_of_name: Every one of its name, itself among them.
        """
        name, own = point.name, distribution(point) == OWN
        if name in self._own_names():
            return None if own else self._taken(point)
        claims = sorted({distribution(one) for one in all_of_name})
        if len(claims) > 1:
            return f"The name {name} is claimed by {' and '.join(claims)}: uninstall all but one."
        return None

    def load(self, name: str) -> tuple[Any, EntryPoint] | None:
        """What a name stands for, imported now, and who brings it; None if nobody does.

        Raises:
            BackendUnavailable: two distributions claim the name, only a stranger claims one of
                ours, or the import fails.
        """
        points = self.by_name().get(name)
        if not points:
            return None
        usable = [point for point in points if self.problem(point, points) is None]
        if not usable:
            raise BackendUnavailable(str(self.problem(points[0], points)))
        point = usable[0]
        try:
            return _loaded(point), point
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a plug-in's import raises is its own fault
            reason = f"{type(error).__name__}: {error}"[:300]
        raise BackendUnavailable(
            f"The {self.thing} {name} of {distribution(point)} cannot be imported ({reason})."
        )

    def _own_names(self) -> frozenset[str]:
        return _own_names(self.name, _state_of_path())

    def _taken(self, point: EntryPoint) -> str:
        stranger = distribution(point)
        return (
            f"The name {point.name} is reserved for {OWN}, and {stranger} claims it: uninstall "
            f"{stranger} or ask its author for another name."
        )


@functools.lru_cache(maxsize=16)
def _installed(
    read: Callable[..., Iterable[EntryPoint]], group: str, _state: object
) -> tuple[EntryPoint, ...]:
    """The entry points of a group; reading those of 200 distributions takes 10 ms of a call."""
    return tuple(read(group=group))


@functools.lru_cache(maxsize=16)
def _own_names(group: str, _state: object) -> frozenset[str]:
    try:
        points = metadata.distribution(OWN).entry_points
    except metadata.PackageNotFoundError:  # run from its folder: there is nothing to protect
        return frozenset()
    return frozenset(point.name for point in points.select(group=group))


def _state_of_path() -> object:
    """Something that changes with every installation, so that a new plug-in is found at once."""
    found = [finder for finder in sys.meta_path if hasattr(finder, "find_distributions")]
    if found != [PathFinder]:
        return object()  # who else finds distributions cannot be asked whether they changed
    return tuple(map(_state_of_folder, sys.path))


def _state_of_folder(folder: str) -> object:
    try:
        now = os.stat(folder or ".")  # noqa: PTH116 - pathlib is slow, and this is for speed
    except OSError:
        return folder
    # An installation makes or renames a folder in it.
    return folder, now.st_dev, now.st_ino, now.st_mtime_ns


def distribution(point: EntryPoint) -> str:
    """Name of the distribution that brings it."""
    return _about(point.dist)[0]


def version(point: EntryPoint) -> str:
    """Version of that distribution; empty if it is not known."""
    return _about(point.dist)[1]


@functools.lru_cache(maxsize=512)
def _about(dist: metadata.Distribution | None) -> tuple[str, str]:
    # An interrupted installation leaves metadata without a name.
    name = (dist and dist.name) or "an unnamed distribution"
    return name.lower().replace("_", "-"), (dist and dist.version) or ""


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
