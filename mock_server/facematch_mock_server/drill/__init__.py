"""Drill a whole application: does it believe the right thing after a bad day?

Words:
    story: A few steps, such as ``begin-twice,pass-first``: a customer at the application, the
        person at the vendor, webhooks that are late, doubled, reversed, lost or forged. A step is
        Ada's unless it names its customer, as in ``ben:begin``.
    belief: What the application says of a customer; the truth is what the vendor's mock says.
    verdict: What is wrong, such as ``a yes was lost``.
    day: Many customers, whose stories have further steps between theirs, all mixed.
    obstacle: Why a step cannot be played, such as that nothing may kill the application.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .application import ApplicationError, Target
from .judge import Belief, Failure, Verdict
from .player import Player
from .run import Application, Receive
from .stories import STORIES, split_story

if TYPE_CHECKING:
    from facematch_mock_server.server import MockServer, Served

__all__ = ["STORIES", "ApplicationError", "Belief", "Failure", "Verdict", "play"]


def play(
    story: str,
    *,
    mock: MockServer | Served,
    begin: Target,
    state: Target,
    webhook: str | Receive | None = None,
    secret: str | None = None,
    job: Target | None = None,
    words: Mapping[str, str] | None = None,
    once: Sequence[str] = (),
) -> list[Failure]:
    """Play one story in a test; return what is wrong, an empty list if the application is right.

    Each of `begin`, `state` and `job` is a URL (``POST http://...``), a command, or a function of
    the customer's name, which returns the answer's text, its JSON, or the status of a refusal. The
    application must already call the mock.

    Args:
        story: The steps, such as ``begin-twice,pass-first``; `STORIES` has the usual ones.
        mock: The mock that the application calls, of one vendor.
        begin: Starts a verification. Its answer has the link, or leads to it.
        state: Answers the word for the customer's state, or JSON with ``state`` or ``status``.
        webhook: The receiver's URL, or a function of the body and headers that returns the status.
            None if the vendor sends none.
        secret: The secret with which the receiver verifies.
        job: The application's own periodic job.
        words: What further words of its states mean: approved, declined, open or none.
        once: Fields of the state's JSON that count what must happen once.

    Raises:
        ApplicationError: the application has an unknown word for a state, no state that can be
            read or no field of `once`, or it cannot be run.
        ValueError: a step is unknown or cannot be played, or the mock has the switch
            ``document_name=as_requested``.
    """
    vendor = mock.control.world.vendor.name
    meanings = {word: Belief(meaning) for word, meaning in (words or {}).items()}
    application = Application(
        begin=begin,
        state=state,
        webhook=webhook,
        secret=secret,
        job=job,
        words=meanings,
        once=once,
    )
    steps = split_story(story)
    with Player(mock.of(vendor), application) as player:
        obstacles = player.find_obstacles()
        for _, step in steps:
            if step in obstacles:
                raise ValueError(f"the step {step} cannot be played: {obstacles[step]}")
        return list(player.play(steps).failures)
