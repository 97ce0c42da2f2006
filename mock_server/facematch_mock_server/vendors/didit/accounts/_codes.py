"""The codes that prove a mailbox."""

from __future__ import annotations

import math
import string

from facematch_mock_server.vendors.didit._records import records_of
from facematch_mock_server.vendors.didit._visit import Visit

from ._book import Account
from ._mails import Mail


def new_code(visit: Visit) -> str:
    """A code, by the ids of the world: the same seed repeats it."""
    told = visit.told
    alphabet = told["code.alphabet"] if told["code.letters"] else string.digits
    length = told["code.length"]
    number = int(visit.world.ids.uuid().replace("-", ""), 16)
    return "".join(alphabet[number // len(alphabet) ** n % len(alphabet)] for n in range(length))


def send(visit: Visit, email: str, code: str) -> None:
    """Put a mail into the mailbox."""
    records_of(visit.world).mails.add(Mail(at=visit.now, to=email, code=code))


def age_s(visit: Visit, account: Account) -> float:
    """How old the newest code is, in seconds."""
    return (visit.now - account.code_at).total_seconds()


def whole_s(seconds: float) -> int:
    """How long to wait, in whole seconds, at least 1."""
    return max(1, math.ceil(seconds))
