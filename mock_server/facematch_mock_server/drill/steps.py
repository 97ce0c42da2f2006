"""The steps of stories: what each says, does and needs."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import attrs

from facematch_mock_server.base.json_forms import JsonForm
from facematch_mock_server.world.drilled import DrillFacts
from facematch_mock_server.world.faults import Fault, Kind, Stage

from .letters import LetterWriter
from .run import HELD_S, Act, Application, Run

#: Seconds that a slow read takes; one that newer webhooks overtake; and one that a kill interrupts.
_SLOW_S = 2.0
_OVERTAKEN_S = 1.5
_INTERRUPTED_S = 0.3


class Need(enum.StrEnum):
    """What a step needs; a value that begins with "needs" is of an option that is missing."""

    WEBHOOK = "needs --webhook"
    PROGRAM = "needs the command that starts the application"
    JOB = "needs --job: without one, a webhook that is lost for good loses its yes"
    CREATION = "this vendor sends no webhook about a new session"
    REVIEW = "this vendor documents no review by a person"
    REVISION = "this vendor does not document that a yes is taken back"
    AGE = "this vendor documents no greatest age of a webhook"
    FACES = "this vendor's sessions compare no faces"

    def is_met(self, application: Application, facts: DrillFacts) -> bool:
        """Return whether an application, or its vendor, has it."""
        match self:
            case Need.WEBHOOK:
                return application.webhook is not None
            case Need.PROGRAM:
                return application.program is not None
            case Need.JOB:
                return application.job is not None
            case Need.CREATION:
                return facts.sends_creation
            case Need.REVIEW:
                return facts.review is not None
            case Need.REVISION:
                return facts.revised_to is not None
            case Need.AGE:
                return facts.max_age_s is not None
        return facts.compares_faces


@attrs.frozen
class Step:
    """A step of a story.

    Attributes:
        sentence: What happens, with the customer's name as {c}.
        action: Does it in a run; returns what came of it, None for nothing to tell.
        needs: What it needs, what is named first first.
        is_race: Whether its end depends on the time.
    """

    sentence: str
    action: Act
    needs: Sequence[Need]
    is_race: bool


def _step(
    sentence: str,
    do: Callable[..., str | None],
    *needs: Need,
    is_race: bool = False,
    **arguments: object,
) -> Step:
    """Return a step that acts with these arguments."""
    return Step(sentence, partial(do, **arguments), needs, is_race)


def _delivery(sentence: str, *needs: Need, **arguments: Any) -> Step:
    """Return a step in which webhooks arrive."""
    return _step(sentence, Run.deliver, Need.WEBHOOK, *needs, **arguments)


def _delay(call: str, seconds: float, times: int | None = None) -> Fault:
    """Return a fault by which the vendor carries a call out, and answers later."""
    return Fault(
        stage=Stage.AFTER_UPLOAD,
        kind=Kind.DELAY,
        seconds=seconds,
        executed=True,
        call=call,
        times=times,
    )


def _refusal(call: str, status: int) -> Fault:
    headers = {"Retry-After": 1} if status == 429 else None
    return Fault(
        stage=Stage.ANSWER, kind=Kind.STATUS, status=status, headers=headers, call=call, times=None
    )


_LOST_ANSWER = Fault(
    stage=Stage.AFTER_UPLOAD, kind=Kind.RESET, executed=True, call="session_start", times=1
)
_HELD_ANSWER = _delay("session_start", HELD_S, 1)
_OVERTAKEN = _delay("session_read", _OVERTAKEN_S, 1)

_PASS = partial(Run.show, face="p1", document="p1")

#: The steps, by name.
STEPS: Mapping[str, Step] = {
    "begin": _step("{c} asks to be verified", Run.begin),
    "begin-twice": _step(
        "{c} clicks twice at once", Run.begin, clicks=2, fault=_HELD_ANSWER, is_race=True
    ),
    "begin-503": _step(
        "{c} asks to be verified, while the vendor answers 503",
        Run.begin,
        fault=_refusal("session_start", 503),
    ),
    "begin-lost": _step(
        "{c} asks to be verified; the vendor starts a session, but its answer is lost",
        Run.begin,
        fault=_LOST_ANSWER,
    ),
    "begin-early": _step(
        "{c} asks to be verified; the new session's webhook comes before the answer",
        Run.begin,
        Need.CREATION,
        Need.WEBHOOK,
        fault=_HELD_ANSWER,
        is_early=True,
    ),
    "pass": _step("{c} passes at the vendor", _PASS),
    "pass-first": _step("{c} passes at the vendor, in the tab opened first", _PASS, tabs=slice(1)),
    "pass-all": _step("{c} passes at the vendor, in every open tab", _PASS, tabs=slice(None)),
    "pass-overtakes": _step(
        "{c} passes, while the vendor is slow to answer a read for the webhook before; the new "
        "webhooks overtake it",
        Run.overtake,
        Need.WEBHOOK,
        fault=_OVERTAKEN,
        act=_PASS,
    ),
    "other": _step(
        "another person shows {c}'s document", Run.show, Need.FACES, face="p2", document="p1"
    ),
    "document": _step(
        "{c} shows somebody else's document", Run.show, Need.FACES, face="p1", document="p2"
    ),
    "spoof": _step("somebody shows a photograph of {c}", Run.show, face="spoof", document="p1"),
    "fail": _step("{c} fails an attempt", Run.give_up, how="fail_attempt"),
    "leave": _step("{c} leaves the vendor's page", Run.give_up, how="abandon"),
    "expire": _step(
        "{c}'s session expires, and the vendor forgets its saved answers",
        Run.give_up,
        how="expire",
    ),
    "review": _step("{c} is done, and a person at the vendor has to look", Run.review, Need.REVIEW),
    "accept": _step("a person at the vendor says yes to {c}", Run.accept, Need.REVIEW),
    "accept-overtakes": _step(
        "a person at the vendor says yes to {c}, while the vendor is slow to answer a read for the "
        "webhook before; the new webhook overtakes it",
        Run.overtake,
        Need.REVIEW,
        Need.WEBHOOK,
        fault=_OVERTAKEN,
        act=Run.accept,
    ),
    "reject": _step("a person at the vendor says no to {c}", Run.reject, Need.REVIEW),
    "overturn": _step("a person at the vendor takes {c}'s yes back", Run.overturn, Need.REVISION),
    "hook": _delivery("the oldest waiting webhook arrives", number=1),
    "hook-newest": _delivery(
        "the newest waiting webhook arrives, before older ones",
        number=1,
        is_newest_first=True,
    ),
    "hook-twice": _delivery("the oldest waiting webhook arrives twice", number=1, times=2),
    "hook-lost": _step(
        "the oldest waiting webhook never arrives", Run.lose, Need.WEBHOOK, Need.JOB, number=1
    ),
    "hooks": _delivery("all waiting webhooks arrive, in order"),
    "hooks-twice": _delivery("each waiting webhook arrives twice", times=2),
    "hooks-race": _delivery(
        "each waiting webhook arrives twice at the same moment",
        times=2,
        at_once=True,
        is_race=True,
    ),
    "hooks-reversed": _delivery(
        "all waiting webhooks arrive, the newest first",
        is_newest_first=True,
    ),
    "hooks-tied": _step(
        "all waiting webhooks, of events in one second, arrive in another order",
        Run.deliver_tied,
        Need.WEBHOOK,
    ),
    "hooks-lost": _step("no waiting webhook ever arrives", Run.lose, Need.WEBHOOK, Need.JOB),
    "hooks-late": _delivery(
        "all waiting webhooks arrive, hours after their events",
        older_by=dt.timedelta(hours=3),
    ),
    "hooks-503": _delivery(
        "all waiting webhooks arrive, while the vendor answers 503 to reads",
        fault=_refusal("session_read", 503),
    ),
    "hooks-429": _delivery(
        "all waiting webhooks arrive, while the vendor answers 429 to reads",
        fault=_refusal("session_read", 429),
    ),
    "hooks-slow": _delivery(
        "all waiting webhooks arrive, while the vendor takes 2 s for a read",
        fault=_delay("session_read", _SLOW_S),
    ),
    "hooks-kill": _delivery(
        "all waiting webhooks arrive; the application is killed once it has answered",
        Need.PROGRAM,
        fault=_delay("session_read", _INTERRUPTED_S),
        then_kill=True,
        is_race=True,
    ),
    "hooks-spaced": _delivery(
        "all waiting webhooks arrive, their JSON written with unusual spaces",
        form=JsonForm.UNUSUAL,
    ),
    "unsigned": _step(
        "somebody posts a webhook without a signature, which says that {c} passed",
        Run.forge,
        Need.WEBHOOK,
        write=LetterWriter.write_unsigned,
    ),
    "forged": _step(
        "somebody without the secret signs a webhook which says that {c} passed",
        Run.forge,
        Need.WEBHOOK,
        write=LetterWriter.write_forged,
    ),
    "changed": _step(
        "somebody changes a signed webhook, so that it says that {c} passed",
        Run.forge,
        Need.WEBHOOK,
        write=LetterWriter.write_changed,
    ),
    "old": _step(
        "a webhook arrives that was signed {age} s ago; the vendor's limit is {limit} s",
        Run.replay,
        Need.AGE,
        Need.WEBHOOK,
    ),
    "kill": _step("the application is killed and started again", Run.kill, Need.PROGRAM),
    "job": _step("the application's own job runs", Run.run_job, Need.JOB),
}
