"""The stories: what goes wrong in practice, each as short as it can be."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from facematch_mock_server.world.drilled import DrillFacts

#: What happens in each step, with the customer's name as {c}.
SENTENCES: Mapping[str, str] = {
    "begin": "{c} asks to be verified",
    "begin-twice": "{c} clicks twice at once",
    "begin-503": "{c} asks to be verified, while the vendor answers 503",
    "begin-lost": "{c} asks to be verified; the vendor starts a session, but its answer is lost",
    "begin-early": "{c} asks to be verified; the new session's webhook comes before the answer",
    "pass": "{c} passes at the vendor",
    "pass-first": "{c} passes at the vendor, in the tab opened first",
    "pass-all": "{c} passes at the vendor, in every open tab",
    "other": "another person shows {c}'s document",
    "document": "{c} shows somebody else's document",
    "spoof": "somebody shows a photograph of {c}",
    "fail": "{c} fails an attempt",
    "leave": "{c} leaves the vendor's page",
    "expire": "{c}'s session expires",
    "overturn": "a person at the vendor takes {c}'s yes back",
    "hook": "the oldest waiting webhook arrives",
    "hook-newest": "the newest waiting webhook arrives, before older ones",
    "hook-twice": "the oldest waiting webhook arrives twice",
    "hook-lost": "the oldest waiting webhook never arrives",
    "hooks": "all waiting webhooks arrive, in order",
    "hooks-twice": "each waiting webhook arrives twice",
    "hooks-race": "each waiting webhook arrives twice at the same moment",
    "hooks-reversed": "all waiting webhooks arrive, the newest first",
    "hooks-lost": "no waiting webhook ever arrives",
    "hooks-late": "all waiting webhooks arrive, hours after their events",
    "hooks-503": "all waiting webhooks arrive, while the vendor answers 503 to reads",
    "hooks-429": "all waiting webhooks arrive, while the vendor answers 429 to reads",
    "hooks-slow": "all waiting webhooks arrive, while the vendor takes 2 s for a read",
    "hooks-kill": "all waiting webhooks arrive; the application is killed once it has answered",
    "hooks-spaced": "all waiting webhooks arrive, their JSON written with unusual spaces",
    "unsigned": "somebody posts a webhook without a signature, which says that {c} passed",
    "forged": "somebody without the secret signs a webhook which says that {c} passed",
    "changed": "somebody changes a signed webhook, so that it says that {c} passed",
    "old": "a webhook arrives that was signed {age} s ago; the vendor's limit is {limit} s",
    "kill": "the application is killed and started again",
    "job": "the application's own job runs",
}
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
    "begin-503,begin,pass": "the vendor is down at the start",
    "begin-lost,begin,pass": "the answer to the start is lost",
    "begin-early,pass": "the first webhook comes before the answer to the start",
    "begin,kill,pass": "the application restarts while the person is at the vendor",
    "begin,fail,pass,hooks-reversed": "a failure, then a yes: webhooks newest first",
    "begin,other,pass,hooks-reversed": "another person, then the customer: webhooks newest first",
    "begin,other,hooks-reversed,begin,pass": "a no with webhooks newest first, then a new try",
    "begin,other,hooks,begin,pass,hooks-reversed": "a no, then a yes whose webhooks are reversed",
    "begin,expire,begin,pass,hooks-reversed": "a yes, then a webhook of the session before",
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
#: Steps that a day inserts into the stories.
INSERTED = ("hook", "hook", "hook-newest", "hook-twice", "forged", "job", "fail", "begin")
#: A simpler step to try in place of one.
SIMPLER: Mapping[str, str] = {
    "begin-twice": "begin",
    "begin-503": "begin",
    "begin-lost": "begin",
    "begin-early": "begin",
    "pass-first": "pass",
    "pass-all": "pass",
    "spoof": "other",
    "document": "other",
    "hook-newest": "hook",
    "hook-twice": "hook",
}

#: Steps of a person whom a right application may decline.
NOT_A_PASS = frozenset({"other", "document", "spoof", "fail", "leave", "expire", "overturn"})
#: Steps that need a face compared with something.
_COMPARING = frozenset({"other", "document"})


def find_obstacle(
    step: str, facts: DrillFacts, *, has_job: bool, has_program: bool, has_webhook: bool
) -> str | None:
    """Return the reason why a step cannot be played, or None."""
    is_webhook = step.startswith("hook") or step in ("unsigned", "forged", "changed", "old")
    if is_webhook and not has_webhook:
        return "needs --webhook"
    if step.endswith("kill") and not has_program:
        return "needs the command that starts the application"
    if step == "job" and not has_job:
        return "needs --job"
    if step.endswith("-lost") and step.startswith("hook") and not has_job:
        return "needs --job"
    if step == "begin-early" and not (facts.sends_creation and has_webhook):
        return "this vendor sends no webhook about a new session"
    if step == "overturn" and facts.revised_to is None:
        return "this vendor does not document that a yes is taken back"
    if step == "old" and facts.max_age_s is None:
        return "this vendor documents no greatest age of a webhook"
    if step in _COMPARING and not facts.compares_faces:
        return "this vendor's sessions compare no faces"
    return None


def split_story(story: str) -> list[str]:
    """Return the steps of a story. Raises ValueError for an unknown one."""
    steps = [word.strip() for word in story.split(",")]
    for step in steps:
        if step not in SENTENCES:
            raise ValueError(f"unknown step {step!r:.40}; the steps are {', '.join(SENTENCES)}")
    return steps


def playable(stories: Collection[str], obstacles: Mapping[str, str]) -> list[str]:
    """Return the stories without a step that has an obstacle."""
    return [story for story in stories if not obstacles.keys() & set(story.split(","))]
