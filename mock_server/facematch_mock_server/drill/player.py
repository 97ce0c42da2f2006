"""Plays stories at one vendor's mock and one application."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Self

import attrs

from facematch_mock_server.server import Served
from facematch_mock_server.world.hosted import takes_requested_name

from .judge import Failure
from .letters import LetterWriter
from .run import Application, Run, Seen
from .steps import STEPS, Need
from .stories import Taken


@attrs.frozen(kw_only=True)
class Played:
    """What came of a story.

    Attributes:
        failures: What is wrong.
        late: The customers whose state was right only later, with the seconds that it took.
        output: The last lines that the application wrote.
    """

    failures: Sequence[Failure]
    late: dict[str, float]
    output: Sequence[str]


class Player:
    """Plays stories at one vendor's mock and one application; a context manager.

    Args:
        mock: The mock at the vendor.
        application: The application.
    """

    def __init__(self, mock: Served, application: Application) -> None:
        """Prepare the mock for an application.

        It gets credit, no limits, and a destination that holds its webhooks. An application without
        webhooks gets none, and no forgeries are written. Raise ValueError if the mock's documents
        take the requests' names.
        """
        if takes_requested_name(mock.control.world):
            raise ValueError(
                "document_name=as_requested gives another person's document the right name: leave "
                "it out of a drill"
            )
        self._control = mock.control
        self._mock = mock
        self._facts = mock.control.world.vendor.drilled
        self._seen = Seen()
        self.application = application
        self._letters: LetterWriter | None = None
        # A right application must not fail by a limit of the mock's account.
        self._control.set_balance(10**6)
        for scope in self._control.limits():
            self._control.set_limit(scope, None)
        if application.document_name is not None:
            self._control.sessions.document(full_name=application.document_name)
        if application.webhook is not None:
            url = application.webhook
            url = url if isinstance(url, str) else "http://127.0.0.1:9/"
            events = self._control.world.outbox.rules.events if self._facts.all_events else None
            destination = self._control.webhooks.add(
                url, secret=application.secret, held=True, events=events
            )
            self._letters = LetterWriter(mock=mock, destination=destination)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Each destination gets each event of the mock.
        if self._letters is not None:
            self._control.webhooks.remove(self._letters.destination.uuid)

    def find_obstacles(self) -> dict[str, Need]:
        """Return what each step that cannot be played lacks."""
        obstacles = {}
        for name, step in STEPS.items():
            for need in step.needs:
                if name not in obstacles and not need.is_met(self.application, self._facts):
                    obstacles[name] = need
        return obstacles

    def play(
        self,
        steps: Iterable[Taken],
        tell: Callable[[str], object] | None = None,
        patience_s: float = 0.0,
    ) -> Played:
        """Play steps to their end, and return what came of it.

        `tell` is called with each line of the story, if it is to be told. A state that becomes
        right within `patience_s` is late. Raises ApplicationError.
        """
        run = Run(self._mock, self.application, self._letters, self._seen, tell)
        for customer, name in steps:
            run.take(customer, STEPS[name].sentence, STEPS[name].action)
        run.finish(patience_s)
        return Played(failures=list(run.failures.values()), late=run.late, output=run.output)
