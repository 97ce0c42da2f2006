"""Entry points to backends. Names are listed from metadata; a plug-in is imported when opened."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import attrs

from ._nearest import nearest
from ._points import OWN, Group, conflict, distribution, reserved, version
from .backend import API_VERSION, Backend
from .errors import BackendNotFound, BackendUnusable

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["GROUP", "OWN", "BackendInfo", "available_backends", "backend_class"]

#: The entry-point group that plug-ins join.
GROUP = "facematch.backends"
_BACKENDS = Group(GROUP, "backend")


@attrs.frozen(kw_only=True)
class BackendInfo:
    """A backend that some installed distribution offers.

    Attributes:
        name: What to open it by.
        target: ``module:Class``, as the distribution declares it.
        distribution, version: Who offers it.
        problem: Why it cannot be opened, as far as metadata tell; None if nothing speaks
            against it. Whether its import succeeds is known only once it is opened.
    """

    name: str
    target: str
    distribution: str
    version: str
    problem: str | None = None


def available_backends() -> tuple[BackendInfo, ...]:
    """The backends that are installed, by name. Reads metadata only: no plug-in is imported."""
    infos = []
    for name, found in sorted(_BACKENDS.by_name().items()):
        problem = conflict(name, found)
        infos += [
            BackendInfo(
                name=name,
                target=point.value,
                distribution=distribution(point),
                version=version(point),
                problem=problem or reserved(point),
            )
            for point in found
        ]
    return tuple(infos)


def backend_class(name: str) -> type[Backend]:
    """The class behind a name, imported now.

    Raises:
        BackendNotFound: no distribution offers it.
        BackendUnusable: two do, or its import fails, or it is no backend of this interface version.
    """
    names = _BACKENDS.by_name()
    found = names.get(name, [])
    if not found:
        raise BackendNotFound(_not_found(name, names))
    point = _BACKENDS.chosen(name, found)
    return _checked(_BACKENDS.load(point, alone=len(found) == 1), point)


def _not_found(name: object, names: Iterable[str]) -> str:
    return f"No backend is called {str(name)[:60]!r}: {nearest(str(name), names)}"


def _checked(loaded: object, point: EntryPoint) -> type[Backend]:
    if not (isinstance(loaded, type) and issubclass(loaded, Backend)):
        raise BackendUnusable(
            f"The backend {point.name} of {distribution(point)} is no subclass of "
            "facematch_core.backend.Backend: report this to its author."
        )
    if loaded.api_version != API_VERSION:
        raise BackendUnusable(
            f"The backend {point.name} of {distribution(point)} speaks version "
            f"{loaded.api_version} of the plug-in interface, this release version {API_VERSION}: "
            "update the older of the two."
        )
    if getattr(loaded, "name", None) != point.name:
        raise BackendUnusable(
            f"The backend {point.name} of {distribution(point)} calls itself "
            f"{getattr(loaded, 'name', 'nothing')}: its class must carry the name of its entry "
            "point. Report this to its author."
        )
    return loaded
