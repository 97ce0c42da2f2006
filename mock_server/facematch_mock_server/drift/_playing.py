"""The script asked of the target: in order, nothing paid twice, stopped at the first bad sign."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Protocol

import attrs

from ._model import Told
from ._observing import Observation
from ._script import Chain, Heard, Picture, Script, Shown, Step
from ._talking import Answer, Asked, Talk, in_plain_words

#: How often a request that was throttled, and so not carried out, is sent again.
_PATIENCE = 5
#: Seconds to wait where the answer does not say.
_WAIT_S = 60.0


class Unanswered(Exception):
    """No whole answer came; its words say why, without what was sent.

    Attributes:
        may_be_paid: Whether the request may have been carried out and charged.
    """

    def __init__(self, words: str, *, may_be_paid: bool) -> None:
        super().__init__(words)
        self.may_be_paid = may_be_paid


class Target(Protocol):
    """Who is asked."""

    def send(self, asked: Asked) -> Answer:
        """The answer to one request, sent once; `Unanswered` if there is none."""
        ...

    def delete(self, path: str) -> bool:
        """Whether what the path names is gone; never raises."""
        ...

    def wait_s(self, answer: Answer) -> float | None:
        """How long a 429 wants us to wait, if it says so."""
        ...


@attrs.frozen(kw_only=True)
class Played:
    """A chain as the target answered it.

    Attributes:
        chain: Which one.
        told: What the model is told.
        seen: What the answers look like, by the name of the step, in order.
        left_out: Steps that could not be asked, because an answer before lacked what they need.
    """

    chain: Chain = attrs.field(repr=False)
    # It holds what the target saw in the pictures.
    told: Told = attrs.field(repr=False)
    seen: Mapping[str, Observation]
    left_out: tuple[str, ...] = ()


@attrs.define(kw_only=True)
class Costs:
    """What the run cost, by the list prices.

    Attributes:
        calls: Paid calls, by operation.
        amount: In the currency of the script.
        unknown: Calls without an answer, which may have been charged.
    """

    calls: dict[str, int] = attrs.field(factory=dict)
    amount: Decimal = Decimal(0)
    unknown: int = 0


@attrs.define(kw_only=True)
class Run:
    """What was asked and answered.

    Attributes:
        played: The chains of which at least one step was answered.
        stopped: Why it ended early; None if it did not.
        kept: How many of our sessions could not be deleted.
        costs: What it cost.
    """

    played: list[Played] = attrs.field(factory=list)
    stopped: str | None = None
    kept: int = 0
    costs: Costs = attrs.field(factory=Costs)


class Player:
    """Asks the script of a target.

    Args:
        script: What is asked.
        target: Who is asked.
        ref: As for `Talk`.
        sizes: As for `Talk`.
        price: The list price of an operation; None where nothing is charged.
        sleep: Waits some seconds.
        tell: Is told how many steps were asked, and the name of the next one.
    """

    def __init__(
        self,
        script: Script,
        target: Target,
        *,
        ref: str,
        sizes: Mapping[Picture, tuple[int, int]],
        price: Callable[[str], Decimal] | None,
        sleep: Callable[[float], None],
        tell: Callable[[int, str], None] = lambda _number, _name: None,
    ) -> None:
        self._script, self._target, self._ref, self._sizes = script, target, ref, sizes
        self._price, self._sleep, self._tell = price, sleep, tell
        self._paths = {
            step.path: step.pays for one in script.chains for step in one.steps if step.pays
        }
        self._asked = 0
        self._ours: dict[str, None] = {}
        self._unsaved: list[str] = []
        self._keeps_all = False

    def play(self, chains: Sequence[Chain]) -> Run:
        """Ask these chains; what was kept is deleted, also after Ctrl-C."""
        run = Run()
        try:
            for chain in chains:
                played = self._chain(chain, run)
                if played.seen:
                    run.played.append(played)
                if run.stopped is not None:
                    break
        finally:
            run.kept = self._clean_up()
        return run

    def _chain(self, chain: Chain, run: Run) -> Played:
        talk = Talk(self._script, ref=self._ref, sizes=self._sizes)
        heard: list[Heard] = []
        seen: dict[str, Observation] = {}
        left_out = []
        for step in chain.steps:
            asked = talk.ask(step)
            if asked is None:
                left_out.append(step.name)
                continue
            self._tell(self._asked, step.name)
            self._asked += 1
            try:
                answer = self._answer(asked)
            except Unanswered as error:
                run.stopped = f"at the step “{step.name}”: {error}"
                run.costs.unknown += error.may_be_paid and step.pays is not None
                break
            run.stopped = _bad_sign(step, answer)
            if run.stopped is not None:
                # It says something of the account, and nothing of the documents.
                break
            seen[step.name] = talk.hear(step, asked, answer)
            heard.append(in_plain_words(step, asked, answer))
            self._count(step, answer, run.costs)
            self._remember(step, talk, answer)
        outcomes = self._script.seen(heard)
        told = Told(
            chain=chain.name,
            steps=tuple(seen),
            outcomes=tuple(outcomes.items()),
            shared=tuple(talk.shared.items()),
        )
        return Played(chain=chain, told=told, seen=seen, left_out=tuple(left_out))

    def _answer(self, asked: Asked) -> Answer:
        """The answer; only what was throttled, and so neither carried out nor paid, is repeated."""
        answer = self._target.send(asked)
        for _ in range(_PATIENCE):
            if answer.status != 429 or asked.key is not Shown.OWN:
                break
            self._sleep(min(_WAIT_S, self._target.wait_s(answer) or _WAIT_S))
            answer = self._target.send(asked)
        return answer

    def _count(self, step: Step, answer: Answer, costs: Costs) -> None:
        operation = self._paths.get(step.path)
        if answer.status != 200 or operation is None or self._price is None:
            return
        if step.key is Shown.OWN and step.method == "POST":
            costs.calls[operation] = costs.calls.get(operation, 0) + 1
            costs.amount += self._price(operation)

    def _remember(self, step: Step, talk: Talk, answer: Answer) -> None:
        """Which sessions there are to delete."""
        ids = [talk.own(name) for name in (step.keeps, step.removes) if name is not None]
        if step.keeps is not None:
            self._ours.update(dict.fromkeys(one for one in ids if one))
        elif step.removes is not None and answer.status < 300:
            for one in ids:
                self._ours.pop(one or "", None)
        elif step.pays is not None:
            body = answer.decoded()
            one = body.get("request_id") if isinstance(body, dict) else None
            self._unsaved += [one] if isinstance(one, str) else []
        if step.name == self._script.unsaved and answer.status == 200:
            self._keeps_all = True

    def _clean_up(self) -> int:
        ids = [*self._ours, *(self._unsaved if self._keeps_all else ())]
        paths = (self._script.delete.format(id=one) for one in ids)
        return sum(not self._target.delete(path) for path in paths)


def is_bad_sign(step: Step, status: int) -> bool:
    """Whether an answer says that the key or the credit is no good."""
    return step.key is Shown.OWN and status in (401, 402, 403)


def _bad_sign(step: Step, answer: Answer) -> str | None:
    """Why nothing more may be asked; None to go on."""
    if not is_bad_sign(step, answer.status):
        return None
    return (
        f"at the step “{step.name}” the key was refused, or there is no credit: the answer was "
        f"{answer.status}"
    )
