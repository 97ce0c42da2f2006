"""The script played to a target: each request once, in order, until the first bad sign.

What was kept is deleted, also after Ctrl-C. Above it stands all that drift needs of the mock.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote

import attrs

from facematch_core import Charged, ConfigurationError, Secret, VendorError
from facematch_core.http import (
    MOCK_HEADER,
    FilePart,
    HttpClient,
    HttpReply,
    HttpRequest,
    retry_after_s,
)
from facematch_mock_server import Claim, Control, Known, MockServer, VirtualClock
from facematch_mock_server.app import App
from facematch_mock_server.claims import Behaviours, Reply
from facematch_mock_server.http.client import MockAdapter
from facematch_mock_server.messages import CLAIMS_HEADER, Request, Response
from facematch_mock_server.recognition.recognizer import PictureRecognizer
from facematch_mock_server.vendors import all_claims, vendor_named
from facematch_mock_server.world import ServerState, World

from .pictures import Pictures
from .script import Chain, File, Heard, Script, Step

# What drift needs of the mock: all of it is in this block.

#: How claims are known, the surest first.
KNOWN = list(Known)


@attrs.frozen(eq=False)
class Change:
    """A claim that does not hold in a mock, and what the mock does instead.

    Attributes:
        claim, key: Its id, and what it decides.
        value: What is done instead.
        instead: The id of the claim that says so; None if none does.
    """

    claim: str
    key: str
    value: Any = attrs.field(repr=False)
    instead: str | None = None


def claims_of(vendor: str) -> dict[str, Claim]:
    """Every claim about a vendor, by id, also those that are in force in no edition."""
    return {claim.id: claim for claim in all_claims(vendor) if claim.vendor == vendor}


def editions_of(vendor: str) -> list[str]:
    """The editions of a vendor's documents, the oldest first."""
    return list(vendor_named(vendor).editions)


def changes_of(vendor: str, claim: Claim, seen: Heard | None = None) -> Iterator[Change]:
    """Every way in which a claim is overridden: none of a fact that plain code keeps.

    Args:
        vendor: Whom the claim is about.
        claim: The claim.
        seen: An answer that differs and rests on it: it may say what is done instead.
    """
    rivals = [one for one in claims_of(vendor).values() if one.key == claim.key]
    # Where two say the same, the newer document is named.
    others = {repr(one.value): one for one in rivals if one.value != claim.value}
    for other in others.values():
        yield Change(claim.id, claim.key, other.value, other.id)
    with contextlib.suppress(TypeError):
        contrary = _contrary(claim.value, seen)
        if all(contrary != one.value for one in rivals):
            yield Change(claim.id, claim.key, contrary)


def _contrary(value: Any, seen: Heard | None) -> Any:
    """What could be instead of a value that no other claim contradicts.

    Raises:
        TypeError: nothing obvious.
    """
    # Another refusal, in the words that were seen; that nothing is refused has other reasons.
    refusal = seen if seen is not None and seen.status >= 400 else None
    match value:
        case Reply(body=None):
            value = attrs.evolve(value, status=299 if refusal is None else refusal.status)
        case Reply(body=dict()) if refusal is not None and isinstance(refusal.body, dict):
            value = attrs.evolve(value, status=refusal.status, body=_mapped(_escaped, refusal.body))
        case Reply():
            value = attrs.evolve(value, body=_mapped(_reworded, value.body))
        case bool():
            value = not value
        case int() | float() | Decimal():
            value += 1
        case str():
            value = _reworded(value)
        case tuple() | list() if value:
            # Keys, as a rule: those that are there, if some are missing.
            body = str(None if seen is None else seen.body)
            there = [one for one in value if f"{one!r}:" in body]
            value = type(value)(there if 0 < len(there) < len(value) else value[:-1])
        case frozenset() | dict() if value:
            value = type(value)()
        case _:
            raise TypeError("nothing obvious")
    return value


def _mapped(change: Callable[[str], str], body: Any) -> Any:
    """A body with all its texts changed."""
    if isinstance(body, str):
        return change(body)
    if isinstance(body, dict):
        return {name: _mapped(change, value) for name, value in body.items()}
    return [_mapped(change, value) for value in body] if isinstance(body, list) else body


def _reworded(text: str) -> str:
    return f"{text} (otherwise)"


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def list_price(script: Script, operation: str) -> Decimal:
    """The list price of an operation, as its claim has it."""
    price: Decimal = claims_of(script.vendor)[script.prices[operation]].value
    return price


@functools.cache
def credentials_of(vendor: str, *, sandbox: bool) -> Mapping[str, Secret]:
    """Those that every mock knows, by the names of `Script.credentials`."""
    served = MockServer(vendor=vendor).of(vendor)
    key = served.sandbox_key if sandbox else None
    return {"key": Secret(key or served.live_key), "client": Secret(served.client_id or "none")}


class _ChangedApp(App):
    def handle(self, request: Request) -> Response:
        """As any mock's, but what a change breaks that nobody thought of is a plain 500."""
        try:
            return super().handle(request)
        except Exception:  # noqa: BLE001 - whatever rests on a value that was never meant
            return Response(status=500)


class Mock:
    """A mock in this process, without a socket; it always does the same.

    Attributes:
        client: Asks it, at any address of https.
        control: What it sees can be set here.
        claims: Ids of the claims in force.
        credentials: As `credentials_of`.
    """

    _pictures = PictureRecognizer()

    def __init__(
        self, vendor: str, edition: str, *, sandbox: bool = False, change: Change | None = None
    ) -> None:
        state = ServerState(
            # What the cards are is remembered from one mock to the next.
            self._pictures.beside(),
            clock=VirtualClock(dt.datetime(2026, 7, 2, 9, 15, 27, 104233, tzinfo=dt.UTC)),
            seed=7,
            control=False,
        )
        world = World(state, vendor_named(vendor), edition=edition)
        app: type[App] = App
        if change is not None:
            app = _ChangedApp
            chosen, settings = vendor_named(vendor).choose(edition, {})
            settings[change.key] = change.value
            world.claims = Behaviours(all_claims(vendor), chosen, settings=settings)
        self.client, self.control = HttpClient(), Control(world)
        self.client.mount("https://", MockAdapter(app(state), now=self.control.now))
        self.claims = frozenset(claim.id for claim in self.control.claims())
        self.credentials = credentials_of(vendor, sandbox=sandbox)

    @staticmethod
    def claims_behind(headers: Mapping[str, str]) -> tuple[str, ...]:
        """Ids of the claims that an answer rests on."""
        return tuple(one for one in headers.get(CLAIMS_HEADER.lower(), "").split(", ") if one)


# One side that is asked

#: Longest wait for one answer; a call that is given up may have been charged.
_DEADLINE_S = 180.0
#: How often a request that was throttled, and so not carried out, is sent again.
_PATIENCE = 5
#: Longest wait before that, and the one where the answer does not say, in seconds.
_WAIT_S = 60.0
#: The key that no vendor ever gave out.
WRONG_KEY = "facematch-drift-wrong-key"


class Side:
    """Somebody who can be asked: the vendor, a mock on this machine, or the model.

    Args:
        client: Sends; its rules of addresses, time-outs and secrets hold.
        script: What is asked.
        credentials: As `Script.credentials` names them.
        base_url: Where to ask, checked, without a slash at its end.
        pictures: What is sent as files.
        only_mock: Whether only a mock may answer.

    Attributes:
        is_mock: Whether a mock answered; None before the first answer.
    """

    def __init__(
        self,
        client: HttpClient,
        script: Script,
        *,
        credentials: Mapping[str, Secret],
        base_url: str,
        pictures: Pictures,
        only_mock: bool = False,
    ) -> None:
        self._client, self._script, self._base_url = client, script, base_url
        self._credentials, self._pictures = dict(credentials), pictures
        self._only_mock = only_mock
        self.is_mock: bool | None = None

    def ask(self, step: Step, values: Mapping[str, str]) -> HttpReply:
        """The answer to a request, sent once.

        Raises:
            VendorError: there is none; it says whether the request may have been charged.
            ConfigurationError: nothing can be sent, or what answers should be a mock and is none.
        """
        secrets = dict(self._credentials)
        if step.key == "wrong":
            secrets["key"] = Secret(WRONG_KEY)
        known = {**values, **{name: secret.reveal() for name, secret in secrets.items()}}
        named = {f"{{{name}}}": secret for name, secret in secrets.items()}
        headers = {}
        for name, text in self._script.headers.items() if step.key != "none" else ():
            with contextlib.suppress(KeyError):
                headers[name] = Secret(text.format_map(known))
        request = HttpRequest(
            method=step.method,
            url=self._base_url + step.path,
            headers=headers,
            params=step.query,
            fields={name: named.get(text, text) for name, text in step.fields.items()},
            files=[self._part(file) for file in step.files],
            json=step.json,
        )
        reply = self._client.send(request, backend=self._script.vendor, deadline_s=_DEADLINE_S)
        is_mock = any(name.lower() == MOCK_HEADER.lower() for name in reply.headers)
        if self._only_mock and not is_mock:
            raise ConfigurationError(
                "What answers on this machine does not say that it is a mock, and may lead to the "
                "real vendor: nothing more was sent. Start the mock, or ask the vendor with --live."
            )
        self.is_mock = is_mock
        return reply

    def _part(self, file: File) -> FilePart:
        extension, data = self._pictures[file.picture]
        if file.data is not None:
            extension, data = "png", file.data
        return FilePart(
            name=file.field,
            filename=file.name or f"{file.field}.{extension}",
            content_type=f"image/{extension}",
            data=data,
        )

    def delete(self, path: str, values: Mapping[str, str]) -> bool:
        """Whether what the path names is gone; never raises."""
        with contextlib.suppress(VendorError, ConfigurationError):
            status = self.ask(Step(name="cleaning up", path=path, method="DELETE"), values).status
            return status < 300 or status == 404
        return False


def heard_of(step: Step, reply: HttpReply, values: dict[str, str], own: list[str]) -> Heard:
    """What was answered; `values` and `own` learn from it what later requests need."""
    headers = {name.lower(): value for name, value in reply.headers.items()}
    body: Any = None
    if reply.body.strip():
        try:
            body = json.loads(reply.body)
        except (ValueError, RecursionError):
            body = reply.body[:1000].decode(errors="replace")
    change = None
    if reply.status < 300 and isinstance(body, dict):
        for name, read in {**step.reads, **step.shares}.items():
            found = read(body)
            if found is not None:
                values[name] = found
        if step.keeps is not None and step.keeps in values:
            own.append(values[step.keeps])
        amount = body.get(step.change or "")
        if isinstance(amount, str):
            before, values[f"last {step.change}"] = values.get(f"last {step.change}"), amount
            with contextlib.suppress(InvalidOperation):
                less = None if before is None else Decimal(before) - Decimal(amount)
                change = (
                    None if less is None else f"{less.normalize():f} less" if less else "as before"
                )
    return Heard(
        step=step,
        status=reply.status,
        headers=headers,
        body=body,
        own=frozenset(own),
        change=change,
        claims=Mock.claims_behind(headers),
    )


# The target


@attrs.frozen(kw_only=True)
class Played:
    """A chain as the target answered it.

    Attributes:
        chain: Which one.
        heard: The answers, in order.
        shared: The values that the model is asked with, too.
        left_out: Steps that could not be asked, because an answer before lacked what they need.
    """

    chain: Chain = attrs.field(repr=False)
    heard: tuple[Heard, ...] = attrs.field(repr=False)
    shared: Mapping[str, str] = attrs.field(repr=False)
    left_out: tuple[str, ...] = ()


@attrs.define(kw_only=True)
class Run:
    """What was asked of the target, and what that cost.

    Attributes:
        played: The chains of which at least one step was answered.
        stopped: Why it ended early; None if it did not.
        kept: How many of our sessions could not be deleted.
        paid: Paid calls, by operation.
        amount: What they cost by the list prices.
        unknown: Calls without an answer, which may have been charged.
    """

    played: list[Played] = attrs.field(factory=list)
    stopped: str | None = None
    kept: int = 0
    paid: dict[str, int] = attrs.field(factory=dict)
    amount: Decimal = Decimal(0)
    unknown: int = 0


class Player:
    """Plays a script to the target: nothing that is paid is sent twice.

    Args:
        script: What is asked.
        target: Who is asked.
        ref: What ``{ref}`` stands for: how our own calls are found again.
        is_paid: Whether calls cost anything.
        sleep: Waits some seconds.
        progress: Receives how many steps were asked, and the name of the next one.
    """

    def __init__(
        self,
        script: Script,
        target: Side,
        *,
        ref: str,
        is_paid: bool,
        sleep: Callable[[float], None],
        progress: Callable[[int, str], None] = lambda _number, _name: None,
    ) -> None:
        self._script, self._target, self._ref = script, target, ref
        self._is_paid, self._sleep, self._progress = is_paid, sleep, progress
        self._paths = {s.path: s.pays for one in script.chains for s in one.steps if s.pays}
        self._asked = 0
        self._kept: dict[str, None] = {}
        self._unsaved: list[str] = []
        self._keeps_all = False
        self._values: dict[str, str] = {}

    def play(self, chains: Sequence[Chain]) -> Run:
        """Ask these chains; what was kept is deleted, also after Ctrl-C."""
        run = Run()
        try:
            for chain in chains:
                played = self._chain(chain, run)
                if played.heard:
                    run.played.append(played)
                if run.stopped is not None:
                    break
        finally:
            ids = [*self._kept, *(self._unsaved if self._keeps_all else ())]
            paths = (self._script.delete.format(id=quote(one, safe="")) for one in ids)
            run.kept = sum(not self._target.delete(path, self._values) for path in paths)
        return run

    def _chain(self, chain: Chain, run: Run) -> Played:
        values = self._values = first_values(self._script, self._ref)
        heard: list[Heard] = []
        own: list[str] = []
        left_out = []
        for step in chain.steps:
            request = step.filled(values)
            if request is None:
                left_out.append(step.name)
                continue
            self._progress(self._asked, step.name)
            self._asked += 1
            try:
                reply = self._answer(request, values)
            except VendorError as error:
                run.stopped = f"at the step “{step.name}”: {error.message}"
                may_be_paid = error.billing.charged is not Charged.NO
                run.unknown += may_be_paid and step.pays is not None
                break
            if step.key == "own" and reply.status in (401, 402, 403):
                # It says something of the account, and nothing of the documents.
                run.stopped = (
                    f"at the step “{step.name}” the key was refused, or there is no credit: the "
                    f"answer was {reply.status}"
                )
                break
            heard.append(heard_of(step, reply, values, own))
            self._note(heard[-1], values, run)
        shares = {name for step in chain.steps for name in step.shares} & values.keys()
        return Played(
            chain=chain,
            heard=tuple(heard),
            shared={name: values[name] for name in shares},
            left_out=tuple(left_out),
        )

    def _answer(self, request: Step, values: Mapping[str, str]) -> HttpReply:
        """The answer; only what was throttled, and so neither carried out nor paid, is repeated."""
        for _ in range(_PATIENCE):
            reply = self._target.ask(request, values)
            if reply.status != 429 or request.key != "own":
                return reply
            wanted = retry_after_s(reply, dt.datetime.now(dt.UTC))
            self._sleep(min(_WAIT_S, wanted or _WAIT_S))
        return self._target.ask(request, values)

    def _note(self, heard: Heard, values: Mapping[str, str], run: Run) -> None:
        """What it cost, and which sessions there are to delete."""
        step = heard.step
        operation = self._paths.get(step.path)
        if heard.status == 200 and operation and step.key == "own" and step.method == "POST":
            if self._is_paid:
                run.paid[operation] = run.paid.get(operation, 0) + 1
                run.amount += list_price(self._script, operation)
            found = heard.body.get(self._script.session) if isinstance(heard.body, dict) else None
            if step.keeps is not None:
                self._kept |= dict.fromkeys(heard.own)
            elif isinstance(found, str) and step.pays is None:
                # It should have been refused, and nobody asked it not to be kept.
                self._kept[found] = None
            elif isinstance(found, str):
                self._unsaved.append(found)
        if step.removes is not None and heard.status < 300:
            self._kept.pop(values[step.removes], None)
        self._keeps_all |= step.name == self._script.unsaved and heard.status == 200


def first_values(script: Script, ref: str) -> dict[str, str]:
    """What is known before the first answer of a chain."""
    # What a request says of credentials is filled in when it is sent.
    return {"ref": ref, "part": ref[:-2], **{name: f"{{{name}}}" for name in script.credentials}}
