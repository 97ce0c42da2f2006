"""What an answer may have repeated of a request's secrets, masked in what is handed out of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import attrs

from facematch_core._basics import Secret
from facematch_core.backend import MAX_DEPTH
from facematch_core.errors import RequestRejected, VendorError
from facematch_core.models import Environment, Result, ResultWarning

from ._words import fit, masker, without_pieces

R = TypeVar("R", bound=Result)

_NUMBERS = frozenset({int, float, bool})


def masked_result(
    result: R, secrets: tuple[Secret, ...], environment: Environment | None = None
) -> R:
    """`result` without secrets and pieces of pictures in the texts that come from its body.

    Args:
        result: What was read.
        secrets: Those of the request.
        environment: Where the answer says that it came from; None to leave what `result` says.
    """
    masked = masker(secrets)

    def unsaid(value: Any, depth: int = 0) -> Any:
        if isinstance(value, str):
            return without_pieces(masked(value))
        # Before the question for a Mapping, which is slow to answer.
        if type(value) in _NUMBERS or value is None:
            return value
        if isinstance(value, (dict, list, tuple, Mapping)) and depth == MAX_DEPTH:
            return "(left out: too deep)"
        if isinstance(value, (dict, Mapping)):
            return {unsaid(key): unsaid(item, depth + 1) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [unsaid(item, depth + 1) for item in value]
        return value

    def silenced(warning: ResultWarning) -> ResultWarning:
        said = warning.tag, warning.text
        tag, text = unsaid(warning.tag), unsaid(warning.text)
        return warning if (tag, text) == said else attrs.evolve(warning, tag=tag, text=text)

    return attrs.evolve(
        result,
        environment=environment or result.environment,
        ids=attrs.evolve(
            result.ids, vendor=unsaid(result.ids.vendor), session=unsaid(result.ids.session)
        ),
        model=unsaid(result.model),
        vendor_status=unsaid(result.vendor_status),
        raw=unsaid(result.raw),
        warnings=tuple(silenced(warning) for warning in result.warnings),
    )


def mask_error(error: VendorError, secrets: tuple[Secret, ...]) -> None:
    """Take secrets out of the message of `error`, and all that `excerpt` would out of its fields.

    A vendor that says what is wrong with a picture may quote it.
    """
    masked = masker(secrets)
    error.message = without_pieces(masked(error.message))
    error.args = (error.message,)
    if error.ids.vendor is not None:
        error.ids = attrs.evolve(error.ids, vendor=without_pieces(masked(error.ids.vendor)))
    if isinstance(error, RequestRejected):
        fields: dict[str, tuple[str, ...]] = {}
        for name, texts in error.field_errors.items():
            # Names that are alike by now share an entry.
            place = fit(name, secrets)
            fields[place] = (*fields.get(place, ()), *(fit(text, secrets) for text in texts))
        error.field_errors = fields
