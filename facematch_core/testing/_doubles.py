"""Entry points to doubles: who plays the vendor of an installed backend."""

from __future__ import annotations

import attrs

from facematch_core.errors import BackendUnavailable
from facematch_core.plugins import Group, distribution, version

from ._double import VendorDouble

#: The entry-point group that doubles join: name of the backend to a subclass of `VendorDouble`,
#: which is called without arguments.
GROUP = "facematch.doubles"
_DOUBLES = Group(GROUP, "double")


@attrs.frozen(kw_only=True)
class FoundDouble:
    """The double of one backend.

    Attributes:
        cls: Its class.
        distribution, version: Who offers it; None if it was handed over and not found.
    """

    cls: type[VendorDouble]
    distribution: str | None = None
    version: str | None = None

    @property
    def told(self) -> str:
        """Whose it is, for messages."""
        return self.cls.__name__ + (f" of {self.distribution}" if self.distribution else "")


def double_of(name: str) -> FoundDouble | None:
    """The double for the backend of this name, imported now; None if nobody offers one.

    Raises:
        BackendUnavailable: two distributions offer one, a stranger offers one for a backend of
            ours, its import fails, or it is no `VendorDouble`.
    """
    found = _DOUBLES.load(name)
    if found is None:
        return None
    loaded, point = found
    if not (isinstance(loaded, type) and issubclass(loaded, VendorDouble)):
        raise BackendUnavailable(
            f"The double {name} of {distribution(point)} is no subclass of "
            "facematch_core.testing.VendorDouble: report this to its author."
        )
    return FoundDouble(cls=loaded, distribution=distribution(point), version=version(point))
