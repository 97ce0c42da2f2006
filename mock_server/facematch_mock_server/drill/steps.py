"""The steps of stories: what each says, does and needs."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import attrs

from facematch_mock_server.base.json_forms import JsonForm
from facematch_mock_server.world.drilled import DrillFacts
from facematch_mock_server.world.faults import Fault, Kind, Stage

from .run import HELD_S, Application, Customer, Run

#: Seconds that a slow read takes; one that newer webhooks overtake; and one that a kill interrupts.
_SLOW_S = 2.0
_OVERTAKEN_S = 1.5
_INTERRUPTED_S = 0.3


class Need(enum.StrEnum):
    """What a step needs; the value says why it cannot be played without."""

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


#: The needs that the vendor decides: no option of the drill can meet them.
OF_THE_VENDOR = frozenset({Need.CREATION, Need.REVIEW, Need.REVISION, Need.AGE, Need.FACES})


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
    action: Callable[[Run, Customer], str | None]
    needs: Sequence[Need] = ()
    is_race: bool = False


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
_HOOK = partial(Run.deliver, number=1)

_WEBHOOK = (Need.WEBHOOK,)
_COMPARED = (Need.FACES,)
_REVIEWED = (Need.REVIEW,)
_JOB = (Need.WEBHOOK, Need.JOB)

#: The steps, by name.
STEPS: Mapping[str, Step] = {
    "begin": Step("{c} asks to be verified", Run.begin),
    "begin-twice": Step(
        "{c} clicks twice at once", partial(Run.begin, clicks=2, fault=_HELD_ANSWER), is_race=True
    ),
    "begin-503": Step(
        "{c} asks to be verified, while the vendor answers 503",
        partial(Run.begin, fault=_refusal("session_start", 503)),
    ),
    "begin-lost": Step(
        "{c} asks to be verified; the vendor starts a session, but its answer is lost",
        partial(Run.begin, fault=_LOST_ANSWER),
    ),
    "begin-early": Step(
        "{c} asks to be verified; the new session's webhook comes before the answer",
        partial(Run.begin, fault=_HELD_ANSWER, is_early=True),
        (Need.CREATION, Need.WEBHOOK),
    ),
    "pass": Step("{c} passes at the vendor", _PASS),
    "pass-first": Step(
        "{c} passes at the vendor, in the tab opened first", partial(_PASS, tabs=slice(1))
    ),
    "pass-all": Step(
        "{c} passes at the vendor, in every open tab", partial(_PASS, tabs=slice(None))
    ),
    "pass-overtakes": Step(
        "{c} passes, while the vendor is slow to answer a read for the webhook before; the new "
        "webhooks overtake it",
        partial(Run.overtake, fault=_OVERTAKEN, act=_PASS),
        _WEBHOOK,
    ),
    "other": Step(
        "another person shows {c}'s document",
        partial(Run.show, face="p2", document="p1"),
        _COMPARED,
    ),
    "document": Step(
        "{c} shows somebody else's document",
        partial(Run.show, face="p1", document="p2"),
        _COMPARED,
    ),
    "spoof": Step(
        "somebody shows a photograph of {c}", partial(Run.show, face="spoof", document="p1")
    ),
    "fail": Step(
        "{c} fails an attempt",
        partial(Run.give_up, do=lambda sessions, key: sessions.fail_attempt(key)),
    ),
    "leave": Step(
        "{c} leaves the vendor's page",
        partial(Run.give_up, do=lambda sessions, key: sessions.abandon(key)),
    ),
    "expire": Step("{c}'s session expires, and the vendor forgets its saved answers", Run.expire),
    "review": Step(
        "{c} is done, and a person at the vendor has to look",
        Run.review,
        _REVIEWED,
    ),
    "accept": Step("a person at the vendor says yes to {c}", Run.accept, _REVIEWED),
    "accept-overtakes": Step(
        "a person at the vendor says yes to {c}, while the vendor is slow to answer a read for the "
        "webhook before; the new webhook overtakes it",
        partial(Run.overtake, fault=_OVERTAKEN, act=Run.accept),
        (Need.REVIEW, Need.WEBHOOK),
    ),
    "reject": Step(
        "a person at the vendor says no to {c}",
        Run.reject,
        _REVIEWED,
    ),
    "overturn": Step("a person at the vendor takes {c}'s yes back", Run.overturn, (Need.REVISION,)),
    "hook": Step("the oldest waiting webhook arrives", _HOOK, _WEBHOOK),
    "hook-newest": Step(
        "the newest waiting webhook arrives, before older ones",
        partial(_HOOK, is_newest_first=True),
        _WEBHOOK,
    ),
    "hook-twice": Step(
        "the oldest waiting webhook arrives twice", partial(_HOOK, times=2), _WEBHOOK
    ),
    "hook-lost": Step(
        "the oldest waiting webhook never arrives", partial(Run.lose, number=1), _JOB
    ),
    "hooks": Step("all waiting webhooks arrive, in order", Run.deliver, _WEBHOOK),
    "hooks-twice": Step(
        "each waiting webhook arrives twice", partial(Run.deliver, times=2), _WEBHOOK
    ),
    "hooks-race": Step(
        "each waiting webhook arrives twice at the same moment",
        partial(Run.deliver, times=2, at_once=True),
        _WEBHOOK,
        is_race=True,
    ),
    "hooks-reversed": Step(
        "all waiting webhooks arrive, the newest first",
        partial(Run.deliver, is_newest_first=True),
        _WEBHOOK,
    ),
    "hooks-tied": Step(
        "all waiting webhooks, of events in one second, arrive in another order",
        Run.deliver_tied,
        _WEBHOOK,
    ),
    "hooks-lost": Step("no waiting webhook ever arrives", Run.lose, _JOB),
    "hooks-late": Step(
        "all waiting webhooks arrive, hours after their events",
        partial(Run.deliver, older_by=dt.timedelta(hours=3)),
        _WEBHOOK,
    ),
    "hooks-503": Step(
        "all waiting webhooks arrive, while the vendor answers 503 to reads",
        partial(Run.deliver, fault=_refusal("session_read", 503)),
        _WEBHOOK,
    ),
    "hooks-429": Step(
        "all waiting webhooks arrive, while the vendor answers 429 to reads",
        partial(Run.deliver, fault=_refusal("session_read", 429)),
        _WEBHOOK,
    ),
    "hooks-slow": Step(
        "all waiting webhooks arrive, while the vendor takes 2 s for a read",
        partial(Run.deliver, fault=_delay("session_read", _SLOW_S)),
        _WEBHOOK,
    ),
    "hooks-kill": Step(
        "all waiting webhooks arrive; the application is killed once it has answered",
        partial(Run.deliver, fault=_delay("session_read", _INTERRUPTED_S), then_kill=True),
        (Need.WEBHOOK, Need.PROGRAM),
        is_race=True,
    ),
    "hooks-spaced": Step(
        "all waiting webhooks arrive, their JSON written with unusual spaces",
        partial(Run.deliver, form=JsonForm.UNUSUAL),
        _WEBHOOK,
    ),
    "unsigned": Step(
        "somebody posts a webhook without a signature, which says that {c} passed",
        partial(Run.forge, kind="unsigned"),
        _WEBHOOK,
    ),
    "forged": Step(
        "somebody without the secret signs a webhook which says that {c} passed",
        partial(Run.forge, kind="forged"),
        _WEBHOOK,
    ),
    "changed": Step(
        "somebody changes a signed webhook, so that it says that {c} passed",
        partial(Run.forge, kind="changed"),
        _WEBHOOK,
    ),
    "old": Step(
        "a webhook arrives that was signed {age} s ago; the vendor's limit is {limit} s",
        Run.replay,
        (Need.AGE, Need.WEBHOOK),
    ),
    "kill": Step("the application is killed and started again", Run.kill, (Need.PROGRAM,)),
    "job": Step("the application's own job runs", Run.run_job, (Need.JOB,)),
}
