"""Parts that the simulators of several vendors share."""

import datetime as dt
import itertools
import uuid

from facematch_core import Charged
from facematch_core.testing import Refusal, SessionWord

#: The id of a session that nobody has started.
OTHER_ID = str(uuid.UUID(int=(4 << 76) + (0b10 << 62) + 0x5E55))

NO_TIME = "Its answers do not say when a session was made."
NO_ENVIRONMENT = "It has no sandbox, and no answer names an environment."


def put(**values):
    return lambda body: body.update(values)


def at(path):
    """Return the keys and indexes of a place, written `output.0.status`, as a tuple."""
    return tuple(int(part) if part.isdigit() else part for part in path.split("."))


def all_of(*groups):
    """Return the items of several groups as one tuple."""
    return tuple(itertools.chain.from_iterable(groups))


def a_day_earlier(text):
    """Return a time of ISO 8601, a day earlier."""
    return (dt.datetime.fromisoformat(text) - dt.timedelta(days=1)).isoformat()


def words_at(place, page, means, *, yes=None, asked_back=()):
    """Return the documented words at one place; `yes` is the one of a session that passed.

    `means` has the words by their meaning, with commas between them. With the words `asked_back`,
    the vendor waits for its person.
    """
    session_words = []
    for kind, words in means.items():
        for word in words.split(", "):
            session_words.append(
                SessionWord(
                    place, word, kind, page, is_yes=word == yes, is_asked_back=word in asked_back
                )
            )
    return session_words


def free_refusals(error, status, bodies, headers=None):
    """Return refusals with these bodies and one meaning, of which none costs anything."""
    refusals = []
    for body in bodies:
        refusals.append(
            Refusal(
                status=status,
                body=body,
                error=error,
                charged=Charged.NO,
                headers=headers or {},
            )
        )
    return refusals
