"""Entry points to backends. Names are listed from metadata; a plug-in is imported when opened."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import attrs

from ._nearest import nearest
from .backend import API_VERSION, Backend
from .errors import BackendNotFound, BackendUnusable

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

#: The entry-point group that plug-ins join.
GROUP = "facematch.backends"

#: The distribution that these names are reserved for: a stranger's package must not receive the
#: keys and faces that were meant for them.
OWN = "facematch-core"
RESERVED = frozenset({"local", "didit", "deepvue"})


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
    for name, found in sorted(_by_name().items()):
        problem = _conflict(name, found)
        infos += [
            BackendInfo(
                name=name,
                target=point.value,
                distribution=_distribution(point),
                version=_version(point),
                problem=problem or _reserved(point),
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
    names = _by_name()
    found = names.get(name, [])
    if not found:
        raise BackendNotFound(_not_found(name, names))
    usable = [point for point in found if _reserved(point) is None]
    problem = _conflict(name, found) or (None if usable else _reserved(found[0]))
    if problem:
        raise BackendUnusable(problem)
    return _checked(_load(usable[0], alone=len(found) == 1), usable[0])


def _by_name() -> dict[str, list[EntryPoint]]:
    """Entry points by name; one distribution that is seen twice on the path counts once."""
    from importlib.metadata import entry_points

    found: dict[str, dict[tuple[str, str], EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, {}).setdefault((_distribution(point), point.value), point)
    return {name: list(points.values()) for name, points in found.items()}


def _distribution(point: EntryPoint) -> str:
    # An interrupted installation leaves metadata without a name.
    name = (point.dist and point.dist.name) or "an unnamed distribution"
    return name.lower().replace("_", "-")


def _version(point: EntryPoint) -> str:
    return (point.dist and point.dist.version) or ""


def _reserved(point: EntryPoint) -> str | None:
    if point.name in RESERVED and _distribution(point) != OWN:
        return (
            f"The name {point.name} is reserved for {OWN}, and {_distribution(point)} claims it: "
            f"uninstall {_distribution(point)} or ask its author for another name."
        )
    return None


def _conflict(name: str, found: Iterable[EntryPoint]) -> str | None:
    claims = sorted({_distribution(p) for p in found if _reserved(p) is None})
    if len(claims) < 2:
        return None
    return f"The name {name} is claimed by {' and '.join(claims)}: uninstall all but one."


def _not_found(name: object, names: Iterable[str]) -> str:
    return f"No backend is called {str(name)[:60]!r}: {nearest(str(name), names)}"


def _load(point: EntryPoint, *, alone: bool) -> object:
    try:
        return _through_stevedore(point) if alone else point.load()
    except Exception as error:  # noqa: BLE001 - whatever a plug-in's import raises is its own fault
        reason = f"{type(error).__name__}: {error}"[:300]
    raise BackendUnusable(
        f"The backend {point.name} of {_distribution(point)} cannot be imported ({reason})."
    )


def _through_stevedore(point: EntryPoint) -> object:
    from stevedore.named import NamedExtensionManager

    def failed(_manager: object, tried: EntryPoint, error: BaseException) -> None:
        if tried.value == point.value:
            raise error

    found: NamedExtensionManager[Any] = NamedExtensionManager(
        GROUP,
        [point.name],
        on_load_failure_callback=failed,
        on_missing_entrypoints_callback=lambda _names: None,
    )
    # stevedore remembers entry points, in the process and on disk (where it compares file times
    # coarsely), so it may know an older one or none. The entry point in hand is the truth.
    known = {extension.name: extension for extension in found}.get(point.name)
    if known is not None and known.entry_point.value == point.value:
        return known.plugin
    return point.load()


def _checked(loaded: object, point: EntryPoint) -> type[Backend]:
    if not (isinstance(loaded, type) and issubclass(loaded, Backend)):
        raise BackendUnusable(
            f"The backend {point.name} of {_distribution(point)} is no subclass of "
            "facematch_core.backend.Backend: report this to its author."
        )
    if loaded.api_version != API_VERSION:
        raise BackendUnusable(
            f"The backend {point.name} of {_distribution(point)} speaks version "
            f"{loaded.api_version} of the plug-in interface, this release version {API_VERSION}: "
            "update the older of the two."
        )
    if getattr(loaded, "name", None) != point.name:
        raise BackendUnusable(
            f"The backend {point.name} of {_distribution(point)} calls itself "
            f"{getattr(loaded, 'name', 'nothing')}: its class must carry the name of its entry "
            "point. Report this to its author."
        )
    return loaded
