"""From the bytes of a stranger to a JSON object: nothing that comes in makes it crash. Pure.

What no writer of JSON produces is refused, because two readers could take it for two things: a key
that stands twice, NaN, a number beyond every float, bytes that are no UTF-8.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

#: Deeper than this no delivery is; Python's own limit depends on the caller's stack.
MAX_DEPTH = 100

#: More digits than the greatest float has. Python reads digits in quadratic time.
MAX_DIGITS = 400


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`.

    Raises:
        ValueError: there is none. The sentence says what is wrong, and quotes nothing.
    """
    try:
        document = json.loads(
            body.decode(),
            object_pairs_hook=_unique,
            parse_int=_integer,
            parse_float=_finite,
            parse_constant=_constant,
        )
    except _Refused as refused:
        reason = str(refused)
    except UnicodeDecodeError:
        reason = "is not UTF-8"
    except RecursionError:
        reason = f"is nested more than {MAX_DEPTH} deep"
    except ValueError:
        reason = "is not JSON"
    else:
        if not isinstance(document, dict):
            reason = f"is a JSON {type(document).__name__}, not an object"
        elif _is_deep(document):
            reason = f"is nested more than {MAX_DEPTH} deep"
        else:
            return document
    # Outside of the except clauses: the exceptions of the decoders hold the body.
    raise ValueError(reason)


class _Refused(ValueError):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Refused("has an object with the same key twice")
    return found


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise _Refused(f"has a number of more than {MAX_DIGITS} digits")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _Refused("has a number that is too large")
    return number


def _constant(_: str) -> NoReturn:
    raise _Refused("has a number that is none")


def _is_deep(document: Any) -> bool:
    # By levels, not by recursion.
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for item in level
            for inner in (item.values() if isinstance(item, dict) else item)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return False
    return True
