"""Control of a mock: one table of operations, as Python methods and as an HTTP API."""

from .control import Control, NewAccount, operations_of

__all__ = ["Control", "NewAccount", "operations_of"]
