"""The errors of batches, in a module of their own, because the commands' exit codes need them."""

from __future__ import annotations

from typing import ClassVar

from facematch_core.errors import ConfigurationError


class RecordInUse(ConfigurationError):
    """Another live process has locked the record. Nothing was sent."""

    retryable: ClassVar[bool] = True
