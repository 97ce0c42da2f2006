"""Vendors whose keys are canaries, and calls that are watched from all sides."""

import attrs
from kit import canaries, traces

from facematch_core import FaceMatchError, Retention
from facematch_deepvue import DeepvueBackend
from facematch_didit import DiditBackend


@attrs.frozen(kw_only=True)
class WatchedVendor:
    name: str
    kind: type
    keys: dict
    #: The beginnings of the paths of its paid calls.
    paths: tuple
    #: Whether it can be asked to keep a call.
    keeps: bool
    #: An option that it cannot pass on.
    unsupported: dict

    def backend(self, url, **more):
        return self.kind(**self.keys, base_url=url, **more)

    def limits(self):
        return self.kind.capabilities.image_limits


VENDORS = {
    "didit": WatchedVendor(
        name="didit",
        kind=DiditBackend,
        keys={"api_key": canaries.API_KEY},
        paths=("/v3/face-match/", "/v3/passive-liveness/"),
        keeps=True,
        unsupported={"caller_ref": "\u00a0"},
    ),
    "deepvue": WatchedVendor(
        name="deepvue",
        kind=DeepvueBackend,
        keys={"client_id": canaries.CLIENT_ID, "client_secret": canaries.CLIENT_SECRET},
        paths=("/v1/facematch", "/v1/liveness-check"),
        keeps=False,
        unsupported={"retention": Retention.KEEP},
    ),
}

#: The methods of a verifier.
METHODS = ("verify", "check_liveness", "verify_live")
#: A call with everything that is a caller's.
CALLERS_DATA = {"caller_ref": canaries.CALLER_REF, "metadata": canaries.METADATA}
KEPT = {"retention": Retention.KEEP}
#: What is the caller's, and is found in results and nowhere else.
CALLERS = {
    "caller_ref": (canaries.CALLER_REF.encode(),),
    "metadata": (canaries.METADATA["branch"].encode(),),
}
#: The places where what is the caller's may not be either.
NOT_OF_CALLERS = ("events", "log", "objects", "output")


def echo(vendor):
    """What a careless vendor answers: everything that it was given, in every field it has."""
    piece = canaries.pieces()["probe as sent"][0].hex()
    text = " ".join([*vendor.keys.values(), canaries.MEDIA, piece])
    fields = ("detail", "error", "message", "status", "request_id")
    return {
        **dict.fromkeys(fields, text),
        "user_image": [text],
        "errors": [{"loc": ["body", text], "msg": text, "input": text}],
        "source_image": canaries.MEDIA,
    }


def tokens(backend):
    login_token = getattr(backend, "login_token", None)
    # What is looked for is what no public name gives.
    login = None if login_token is None else login_token._account.latest  # noqa: SLF001
    token = None if login is None else login.token
    return {} if token is None else {"token": (token.reveal().encode(),)}


def watch(verifier, events, name="verify", *, pictures=None, **options):
    """Make a call; return its result or error, and every text that it left behind but the log.

    `events` is the list to which the verifier's `on_event` appends.
    """
    probe, reference = pictures or (canaries.probe(), canaries.reference())
    arguments = (probe, reference) if name.startswith("verify") else (probe,)
    try:
        ended = getattr(verifier, name)(*arguments, **options)
    except (FaceMatchError, KeyboardInterrupt) as error:
        ended = error
        texts = traces.of_error(error)
    else:
        texts = traces.of_result(ended)
    texts |= traces.of_events(events)
    open_now = [verifier, *vars(verifier).values()]
    backend = getattr(verifier, "backend", None)
    open_now += [backend, getattr(backend, "client", None)]
    return ended, texts | traces.of_objects(*open_now)


def hits(texts, *, backend=None, limits=canaries.SENT):
    """Every canary that is in a text where it may not be: {} for none."""
    leaks = canaries.leaks(texts, canaries.canaries(limits) | tokens(backend))
    strict = {p: t for p, t in texts.items() if p.startswith(NOT_OF_CALLERS)}
    return leaks | canaries.leaks(strict, CALLERS)
