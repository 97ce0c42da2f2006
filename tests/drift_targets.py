"""Targets for drift: mocks of which some claims are false, and people for them to look at."""

import functools

from facematch_mock_server.drift._judging import Judge
from facematch_mock_server.drift._model import NONE, Model, Turn, as_answer
from facematch_mock_server.drift._playing import Player, Run
from facematch_mock_server.drift._requests import STAND_IN_SIZES, STAND_INS, to_mock
from facematch_mock_server.drift._script import Picture
from facematch_mock_server.drift.didit import SCRIPT
from facematch_mock_server.engine import Engine
from facematch_mock_server.outcomes import LivenessOutcome, MatchOutcome, SeenFace, SeenPicture

REF = "facematch-drift-0a1b2c3d"
CHAINS = {chain.name: chain for chain in SCRIPT.chains}
STEPS = {step.name: step for chain in SCRIPT.chains for step in chain.steps}
#: Editions, and whether the key is one of a sandbox.
WAYS = (("2026-03", False), ("2026-07", False), ("2026-11", False), ("2026-11", True))

_PICTURES = {data: picture for picture, data in STAND_INS.items()}
_LARGE = SeenFace(box=(60, 50, 320, 460), confidence=0.74, age=34.12)
_SMALL = SeenFace(box=(50, 820, 290, 1080), confidence=0.71, age=29.4, gender="male")
_SEEN = {
    Picture.NOISE: SeenPicture(decodes=False),
    Picture.BLANK: SeenPicture(),
    Picture.TWO: SeenPicture(faces=(_LARGE, _SMALL)),
    Picture.TURNED: SeenPicture(faces=(_LARGE,), angle=90),
}
_LIVE = {Picture.OTHER: 22.34567, Picture.TWO: 95.6789, Picture.REFERENCE: 90.4567}


class People:
    """Decides by which stand-in it is shown; the other person is nobody to trust."""

    def match(self, probe, reference, **_):
        """One pair is alike."""
        one, two = (
            _SEEN.get(_PICTURES[p], SeenPicture(faces=(_LARGE,))) for p in (probe, reference)
        )
        is_other = _PICTURES[probe] is Picture.OTHER
        score = 12.34567 if is_other else 87.36123456
        both = one.faces and two.faces
        return MatchOutcome(
            probe=one, reference=two, score=score if both else None, review=is_other
        )

    def liveness(self, probe, **_):
        """All are live but one."""
        picture = _PICTURES[probe]
        seen = _SEEN.get(picture, SeenPicture(faces=(_LARGE,)))
        if not seen.faces:
            return LivenessOutcome(probe=seen, score=None)
        bad = picture is Picture.OTHER
        return LivenessOutcome(
            probe=seen,
            score=_LIVE.get(picture, 92.12345),
            attack=bad,
            quality=12.0 if bad else 71.8,
            luminance=95.0 if bad else 46.02,
            age_known=not bad,
            review=bad,
        )


class Target:
    """A mock in this process; `change` may make another answer of each, `instead` give one."""

    def __init__(self, model, turns=NONE, *, people=None, change=None, instead=None):
        self.engine = Engine(model.world(people or People(), turns))
        self._keys, self._change, self._instead = model._keys, change, instead
        self.sent, self.deleted, self.waits = [], [], None

    def send(self, asked):
        """The answer to one request."""
        self.sent.append(asked)
        early = self._instead(asked) if self._instead is not None else None
        if early is not None:
            return early
        key = self._keys.get(asked.key)
        answer = as_answer(self.engine.handle(to_mock(asked, key, SCRIPT.key_header)))
        return answer if self._change is None else self._change(asked, answer)

    def delete(self, path):
        """Whether a session is gone."""
        self.deleted.append(path)
        return True

    def wait_s(self, _):
        """As long as the answer says."""
        return self.waits


def player(target, *, model=None, **more):
    """A player that does not wait."""
    more = {"sleep": lambda _seconds: None, "price": model and model.price, **more}
    return Player(SCRIPT, target, ref=REF, sizes=STAND_IN_SIZES, **more)


def played(model, turns=NONE, chains=SCRIPT.chains, **more):
    """A run in which each chain meets a world of its own, as in a model."""
    run = Run()
    for chain in chains:
        alone = player(Target(model, turns, **more), model=model).play([chain])
        run.played += alone.played
        run.stopped = run.stopped or alone.stopped
        if run.stopped:
            break
    return run


class Proof:
    """One way of asking: the model, and what an unchanged target answers."""

    def __init__(self, edition, sandbox):
        self.model = Model(SCRIPT, edition, ref=REF, sandbox=sandbox)
        self.plain = played(self.model)
        self.judge = Judge(self.model, self.plain.played)

    @functools.cached_property
    def checked(self):
        """The claims that would be found, if they were false; in order."""
        return self.judge.checked(claim.id for claim in self.model.claims)

    def findings(self, turn):
        """What is found of a target of which one claim is false."""
        turned = frozenset({turn})
        touched = set(self.judge._resting_on(turn.claim, NONE))
        run = played(self.model, turned, [c for c in SCRIPT.chains if c.name in touched])
        # What rests on nothing that was turned answers as it did.
        rest = [one for one in self.plain.played if one.told.chain not in touched]
        return Judge(self.model, run.played + ([] if run.stopped else rest)).findings()


@functools.cache
def proof(edition, sandbox=False):
    """Made once for all tests of a process."""
    return Proof(edition, sandbox)


def named(finding):
    """The claims of a finding."""
    return [turn.claim for turn in finding.turns]


def false(claim, instead=None):
    """One claim taken for false."""
    return Turn(claim, instead)
