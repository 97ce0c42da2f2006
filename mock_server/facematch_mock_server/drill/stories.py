"""The stories: what goes wrong in practice, each as short as it can be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from .steps import STEPS

#: A customer's name in a story, and the name of a step.
Taken: TypeAlias = tuple[str, str]

#: The customer of a step that names none.
FIRST_CUSTOMER = "Ada"

#: The stories, with their titles.
STORIES: Mapping[str, str] = {
    "begin,pass": "passes",
    "begin,fail,hooks,pass": "fails an attempt, then passes",
    "begin,other": "another person's face",
    "begin,document": "somebody else's document",
    "begin,spoof": "a photograph instead of a face",
    "begin,leave,hooks,begin,pass": "leaves, comes back and passes",
    "begin,expire,hooks,begin,pass": "the session expires, the next one passes",
    "begin,other,hooks,begin,pass": "a no, then a new try passes",
    "begin-twice,pass": "clicks twice at once, passes in the second tab",
    "begin-twice,pass-first": "clicks twice at once, passes in the first tab",
    "begin-twice,pass-all": "clicks twice at once, passes in both tabs",
    "begin,ada:begin,ADA:begin,ada:pass": "three customers whose names differ only in case, with "
    "one {email}",
    "begin-503,begin,pass": "the vendor is down at the start",
    "begin-lost,begin,pass": "the answer to the start is lost",
    "begin-early,pass": "the first webhook comes before the answer to the start",
    "begin,kill,pass": "the application restarts while the person is at the vendor",
    "begin,review": "done, but not decided",
    "begin,review,hooks,accept": "a person at the vendor decides: yes",
    "begin,review,hooks,reject": "a person at the vendor decides: no",
    "begin,fail,pass,hooks-reversed": "a failure, then a yes: webhooks newest first",
    "begin,other,pass,hooks-reversed": "another person, then the customer: webhooks newest first",
    "begin,other,hooks-reversed,begin,pass": "a no with webhooks newest first, then a new try",
    "begin,other,hooks,begin,pass,hooks-reversed": "a no, then a yes whose webhooks are reversed",
    "begin,expire,begin,pass,hooks-reversed": "a yes, then a webhook of the session before",
    "begin,review,accept,hooks-reversed": "a review, then a yes: webhooks newest first",
    "begin,fail,pass-overtakes": "a slow read is overtaken by a yes",
    "begin,review,accept-overtakes": "a slow read is overtaken by a reviewer's yes",
    "begin,fail,pass,hooks-tied": "events in one second: their whole seconds give no order",
    "begin,pass,hooks-twice": "webhooks come twice",
    "begin,pass,hooks-race": "webhooks come twice at the same moment",
    "begin,pass,hooks-late": "webhooks come hours late",
    "begin,pass,hooks-lost": "webhooks are lost",
    "begin,pass,hooks-503": "the vendor is down when webhooks come",
    "begin,pass,hooks-429": "the vendor limits reads when webhooks come",
    "begin,pass,hooks-slow": "the vendor is slow when webhooks come",
    "begin,pass,hooks-kill": "the application is killed right after its 200",
    "begin,pass,hooks-spaced": "webhooks with unusual spaces in the JSON",
    "begin,unsigned": "a webhook without a signature",
    "begin,forged": "a webhook signed with another secret",
    "begin,changed": "a signed webhook that was changed",
    "begin,pass,old": "a signed webhook that is too old",
    "begin,pass,hooks,overturn": "the vendor takes a yes back",
    "begin,pass,overturn,hooks-reversed": "a yes taken back: webhooks newest first",
}
#: The stories that a receiver of webhooks is judged by alone, from the statuses that it answers.
OF_A_RECEIVER = (
    "begin,pass",
    "begin,unsigned",
    "begin,forged",
    "begin,changed",
    "begin,pass,old",
    "begin,pass,hooks-twice",
    "begin,pass,hooks-spaced",
)


def split_story(story: str) -> list[Taken]:
    """Return each step of a story with its customer. Raises ValueError for an unknown step."""
    taken = []
    for word in story.split(","):
        customer, _, step = word.strip().rpartition(":")
        if step not in STEPS:
            raise ValueError(f"unknown step {step!r:.40}; the steps are {', '.join(STEPS)}")
        taken.append((customer or FIRST_CUSTOMER, step))
    return taken


def join_story(steps: Iterable[Taken]) -> str:
    """Return the text of steps, as `split_story` reads it."""
    words = []
    for customer, step in steps:
        words.append(step if customer == FIRST_CUSTOMER else f"{customer}:{step}")
    return ",".join(words)


def find_obstacle(story: str, obstacles: Mapping[str, str]) -> str | None:
    """Return why a story cannot be played, by its first step with an obstacle; None if it can."""
    for _, step in split_story(story):
        if step in obstacles:
            return obstacles[step]
    return None
