"""One call while it is answered, and the paths as data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import attrs

from facematch_mock_server._keys import Key
from facematch_mock_server._ledger import FIRST_OWNER, Ledger
from facematch_mock_server._messages import Request, Response
from facematch_mock_server.claims import Told
from facematch_mock_server.forms import Upload
from facematch_mock_server.journal import SentFile
from facematch_mock_server.world import World


@attrs.define(kw_only=True)
class Call:
    """One call.

    Attributes:
        world, request, told: What it is answered with.
        route: Whom it is for.
        now: When it is answered.
        client: Whose token it has, once that was found good.
        key: The key, once it was found good.
        key_word: For the journal.
        texts, sent: For the journal: texts of the body that are no secret and no picture, and its
            files.
        values: What was read from the body, by name.
        outcome: What was seen in the pictures.
        found_id: The id of the answer, once one was needed.
    """

    world: World
    request: Request
    told: Told
    route: Route
    now: dt.datetime
    client: str | None = None
    key: Key | None = None
    key_word: str = "none"
    texts: list[tuple[str, str]] = attrs.field(factory=list)
    sent: list[SentFile] = attrs.field(factory=list)
    values: dict[str, Any] = attrs.field(factory=dict)
    outcome: Any = None
    found_id: str | None = None

    @property
    def transaction_id(self) -> str:
        """The id of the answer, with dashes; the same however often it is asked for."""
        if self.found_id is None:
            self.found_id = self.world.ids.uuid()
        return self.found_id

    @property
    def timestamp(self) -> int:
        """The time of the answer, as Deepvue tells it."""
        return int(self.now.timestamp() * self.told["answer.per_second"])

    @property
    def ledger(self) -> Ledger:
        """Who pays."""
        return self.world.ledgers.of(FIRST_OWNER if self.key is None else self.key.owner)

    def upload(self, name: str) -> Upload:
        """A file that was checked."""
        upload: Upload = self.values[name]
        return upload


Step = Callable[[Call], Response | None]


@attrs.frozen(kw_only=True)
class Route:
    """One path.

    Attributes:
        path, method: Of it.
        name: Prefix of its behaviours, ``match`` say.
        version: Prefix of those that another version of it has not.
        steps: What stands before the answer, by name; see `_steps.STEPS`.
        read: Reads the body; the refusal, or None.
        decide: Looks at the pictures; None for a path without any.
        finish: The answer.
    """

    path: str
    method: str = "POST"
    name: str
    version: str
    steps: tuple[str, ...]
    read: Step | None = None
    decide: Callable[[Call], Any] | None = None
    finish: Callable[[Call], Response]
