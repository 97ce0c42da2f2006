"""Entry points that plug-ins bring: listed from metadata, imported when they are used.

What two distributions claim, what a stranger claims of ours, and what cannot be imported is told in
one sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from .errors import BackendUnusable

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

#: The distribution that these names are reserved for: a stranger's package must not receive the
#: keys and faces that were meant for them.
OWN = "facematch-core"
RESERVED = frozenset({"local", "didit", "deepvue", "simulated"})


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
        from importlib.metadata import entry_points

        found: dict[str, dict[tuple[str, str], EntryPoint]] = {}
        for point in entry_points(group=self.name):
            key = (distribution(point), point.value)
            found.setdefault(point.name, {}).setdefault(key, point)
        return {name: list(points.values()) for name, points in found.items()}

    def chosen(self, name: str, found: Sequence[EntryPoint]) -> EntryPoint:
        """The one of `found`, which all have this name, that may be used.

        Raises:
            BackendUnusable: two distributions claim the name, or only a stranger claims ours.
        """
        usable = [point for point in found if reserved(point) is None]
        problem = conflict(name, found) or (None if usable else reserved(found[0]))
        if problem:
            raise BackendUnusable(problem)
        return usable[0]

    def load(self, point: EntryPoint, *, alone: bool) -> object:
        """What an entry point names, imported now.

        Args:
            point: The entry point.
            alone: No other one has its name.

        Raises:
            BackendUnusable: its import fails.
        """
        try:
            return _through_stevedore(self.name, point) if alone else point.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a plug-in's import raises is its own fault
            reason = f"{type(error).__name__}: {error}"[:300]
        raise BackendUnusable(
            f"The {self.thing} {point.name} of {distribution(point)} cannot be imported ({reason})."
        )


def distribution(point: EntryPoint) -> str:
    """Name of the distribution that brings it."""
    # An interrupted installation leaves metadata without a name.
    name = (point.dist and point.dist.name) or "an unnamed distribution"
    return name.lower().replace("_", "-")


def version(point: EntryPoint) -> str:
    """Version of that distribution; empty if it is not known."""
    return (point.dist and point.dist.version) or ""


def reserved(point: EntryPoint) -> str | None:
    """What is wrong with a stranger's claim to a name of ours; None if nothing is."""
    if point.name in RESERVED and distribution(point) != OWN:
        return (
            f"The name {point.name} is reserved for {OWN}, and {distribution(point)} claims it: "
            f"uninstall {distribution(point)} or ask its author for another name."
        )
    return None


def conflict(name: str, found: Iterable[EntryPoint]) -> str | None:
    """What is wrong if several distributions claim one name; None if nothing is."""
    claims = sorted({distribution(p) for p in found if reserved(p) is None})
    if len(claims) < 2:
        return None
    return f"The name {name} is claimed by {' and '.join(claims)}: uninstall all but one."


def _through_stevedore(group: str, point: EntryPoint) -> object:
    from stevedore.named import NamedExtensionManager

    def failed(_manager: object, tried: EntryPoint, error: BaseException) -> None:
        if tried.value == point.value:
            raise error

    found: NamedExtensionManager[Any] = NamedExtensionManager(
        group,
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
