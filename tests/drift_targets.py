"""Targets for drift: mocks in this process of which some claims are false."""

from facematch_core.http import HttpReply
from facematch_mock_server.drift.judge import judge
from facematch_mock_server.drift.pictures import cards
from facematch_mock_server.drift.run import Mock, Player, Side, changes_of, claims_of
from facematch_mock_server.drift.script import script_named

SCRIPT = script_named("didit")
REF = "facematch-drift-0a1b2c3d"
CHAINS = {chain.name: chain for chain in SCRIPT.chains}
STEPS = {step.name: step for chain in SCRIPT.chains for step in chain.steps}
#: Editions, and whether the key is one of a sandbox.
WAYS = (("2026-03", False), ("2026-07", False), ("2026-11", False), ("2026-11", True))


class Target(Side):
    """A mock that is shown test cards; `instead` may answer in its place, or alter its answer.

    Args:
        edition, sandbox, change: As for `Mock`.
        instead: Called with the request and a function that gives the mock's own answer.
    """

    def __init__(
        self, edition="2026-11", *, sandbox=False, change=None, instead=None, script=SCRIPT
    ):
        self.mock = Mock(script.vendor, edition, sandbox=sandbox, change=change)
        self.sent, self.deleted, self.instead = [], [], instead
        super().__init__(
            self.mock.client,
            script,
            credentials=self.mock.credentials,
            base_url="https://target.invalid",
            pictures=cards(),
        )

    def ask(self, step, values):
        """The answer to one request."""
        self.sent.append(step)
        if self.instead is None:
            return super().ask(step, values)
        return self.instead(step, lambda: Side.ask(self, step, values))

    def delete(self, path, values):
        """Whether a session is gone."""
        self.deleted.append(path)
        return super().delete(path, values)


def answer(status, body=b'{"detail":"x"}', **headers):
    """A made-up answer."""
    return HttpReply(status=status, headers=headers, body=body)


def player(target, *, is_paid=True, script=SCRIPT, **more):
    """A player that does not wait."""
    more = {"sleep": lambda _seconds: None, **more}
    return Player(script, target, ref=REF, is_paid=is_paid, **more)


def played(edition="2026-11", chains=SCRIPT.chains, **more):
    """What targets answer, of which each is asked one chain, as the model is."""
    found = []
    for chain in chains:
        run = player(Target(edition, **more)).play([chain])
        found += run.played
        if run.stopped:
            break
    return found


def judged(answers, edition="2026-11", *, sandbox=False):
    """What differs from the model."""
    return judge(SCRIPT, answers, edition=edition, ref=REF, sandbox=sandbox)


def false(claim, instead=None):
    """A claim that does not hold: as another one says, or by its contrary."""
    every = changes_of(SCRIPT.vendor, claims_of(SCRIPT.vendor)[claim])
    return next(one for one in every if instead in (None, one.instead))


def named(finding):
    """The suspects of a finding."""
    return [change.claim for change in finding.suspects]


def missing(text, *parts):
    """Which of these a report does not have."""
    return [part for part in parts if part not in text]
