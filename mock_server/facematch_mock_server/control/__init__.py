"""Control of a mock from tests: the same operations as Python methods and as an HTTP API."""

from .control import Control, NewAccount, operations_of

__all__ = ["Control", "NewAccount", "operations_of"]
