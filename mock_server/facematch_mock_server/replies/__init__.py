"""Own replies: written by the user, or recorded at a vendor. They answer what the mock lacks.

The format is a part of WireMock's. A file has ``{"mappings": [...]}``, or one mapping. A mapping
has ``request``, ``response``, and optionally ``metadata``, ``priority`` (1 is first, default 5),
``scenarioName``, ``requiredScenarioState``, ``newScenarioState``, ``name``, and what WireMock's
exports have: ``id``, ``uuid``, ``persistent``.

- ``request``: ``method`` (``ANY`` by default); one of ``urlPath``, ``urlPathTemplate``
  (``/v1/{id}``) and ``urlPathPattern`` (a regular expression), all without the query, or ``url``
  and ``urlPattern``, with it; ``headers``, ``queryParameters`` and ``formParameters``, each with
  conditions by name; ``bodyPatterns``, a list of conditions of the body's text, of
  ``{"equalToJson": ...}`` (with ``ignoreArrayOrder``, ``ignoreExtraElements``), and of
  ``{"matchesJsonPath": "$.a"}`` or ``{"matchesJsonPath": {"expression": "$.a", ...}}`` with a
  condition. A condition is one of ``equalTo``, ``contains``, ``matches`` (a whole match) and
  ``absent``.
- ``response``: ``status`` (200 by default), ``headers``, one of ``jsonBody``, ``body``,
  ``base64Body`` and ``bodyFileName``, ``fault``, ``fixedDelayMilliseconds``. Their texts may
  contain templates (see `templates`).
- ``metadata``: ``vendor`` (None: any), ``instead`` (true: answers also what the mock imitates). A
  recording has ``recorded`` (the day, ISO 8601), and then ``host``, ``sent`` (the request, for a
  comparison), ``pictures`` and ``salt``: the digests of the request's pictures, by
  `digest_pictures`.

Anything else is refused, with its place: ``own.json #2 request.cookies``.

A recording answers only a request with the same pictures, and none with pictures if it has none.

Words:
    own reply: `OwnReply`, a mapping that was read. One with ``recorded`` is a *recorded reply*.
    recording: A file of recorded replies. A `Recorder` forwards the calls, a `Reduction` hides what
        is private, and `vocabulary` says what is kept and why.
    stand-in: A text in place of a private one, in the same form.
    source: The place of a mapping: ``own.json #2``, or ``control #1`` if a test added it.
"""

from .account import Replies
from .own_reply import MAPPING_NAMES, OwnReply, RecordedCall
from .pictures import digest_pictures, pictures_in
from .reading import read_mappings, read_replies
from .templates import Filling

__all__ = [
    "MAPPING_NAMES",
    "Filling",
    "OwnReply",
    "RecordedCall",
    "Replies",
    "digest_pictures",
    "pictures_in",
    "read_mappings",
    "read_replies",
]
