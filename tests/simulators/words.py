"""Parts that the simulators of several vendors share."""

import uuid

from facematch_core.testing import SessionWord

#: The id of a session that nobody has started.
OTHER_ID = str(uuid.UUID(int=(4 << 76) + (0b10 << 62) + 0x5E55))

NO_TIME = "Its answers do not say when a session was made."
NO_ENVIRONMENT = "It has no sandbox, and no answer names an environment."


def put(**values):
    return lambda body: body.update(values)


def words_at(place, page, means, *, yes):
    """Return the documented words at one place; `yes` is the one of a session that passed.

    `means` has the words by their meaning, with commas between them.
    """
    rows = [(word, kind) for kind, words in means.items() for word in words.split(", ")]
    return tuple(SessionWord(place, word, kind, page, word == yes) for word, kind in rows)
