"""Control of a mock: one table of operations, as Python methods and as an HTTP API."""

from typing import TYPE_CHECKING

from facematch_core.base.lazy import lazy_names

if TYPE_CHECKING:
    from .control import Control, NewAccount, operations_of

__all__ = ["Control", "NewAccount", "operations_of"]

# Imported when first used: most servers are only asked as a vendor.
__getattr__, __dir__ = lazy_names(__name__, {"control": "Control NewAccount operations_of"})
