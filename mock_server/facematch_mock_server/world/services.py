"""The state that a world has at every vendor: credit, keys, rate limits, sessions, pictures."""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
import math
import threading
from collections import OrderedDict, deque
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

import attrs

from facematch_mock_server.base.state import Collection

#: The maximum number of stored charges.
MAX_CHARGES = 10_000


def amount(value: object) -> Decimal:
    """Parse an amount of money, 0 to 1e12, with at most four decimals. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, (Decimal, int, str)):
        raise ValueError(  # noqa: TRY004 - one error for all
            'an amount must be a decimal number as text, such as "0.02", or a whole number, '
            f"not {value!r:.40}"
        )
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError("an amount must be a decimal number as text") from None
    if not number.is_finite() or not 0 <= number <= Decimal("1e12"):
        raise ValueError("an amount must be between 0 and 1e12")
    if number != number.quantize(Decimal("0.0001")):
        raise ValueError("an amount can have at most four decimals")
    return number


@attrs.frozen(kw_only=True)
class Charge:
    """A charge for a call or session.

    Attributes:
        at: The time of the charge, UTC.
        what: The vendor's name for the service.
        amount: The amount in USD.
        request_id: The request id in the response, or None.
        balance: The remaining credit after the charge.
        number: The number of the charge, counted from 1.
    """

    at: dt.datetime
    what: str
    amount: Decimal
    request_id: str | None
    balance: Decimal
    number: int = 0


class Ledger:
    """The credit of one account at one vendor, never below zero. Thread-safe."""

    def __init__(self, start: Decimal) -> None:
        self._lock = threading.Lock()
        self._balance = start
        #: The newest 10,000 charges, in order.
        self.charges: Collection[Charge] = Collection(limit=MAX_CHARGES)

    @property
    def balance(self) -> Decimal:
        return self._balance

    @balance.setter
    def balance(self, value: Decimal) -> None:
        with self._lock:
            self._balance = amount(value)

    def charge(
        self, price: Decimal, *, at: dt.datetime, what: str, request_id: str | None = None
    ) -> Charge | None:
        """Deduct `price` and return the charge, or return None if the credit is insufficient."""
        with self._lock:
            if self._balance < price:
                return None
            self._balance = balance = self._balance - price
            return self.charges.append(
                Charge, at=at, what=what, amount=price, request_id=request_id, balance=balance
            )

    def refund(self, charge: Charge) -> None:
        """Undo the charge for a call that got no response, without changing later charges."""
        with self._lock:
            if self.charges.remove(str(charge.number)) is not None:
                self._balance += charge.amount


LIVE_KEY = "mock-live-key"
SANDBOX_KEY = "mock-sandbox-key"


class KeyKind(enum.StrEnum):
    """The environment of a key."""

    LIVE = "live"
    SANDBOX = "sandbox"

    @classmethod
    def _missing_(cls, value: object) -> NoReturn:
        raise ValueError(f"kind of a key must be {' or '.join(cls)}, not {value!r:.40}")


@attrs.frozen(kw_only=True)
class Key:
    """The attributes of a key, without its text.

    Attributes:
        kind: Live or sandbox.
        revoked: Whether the key was revoked.
        allowed: Whether the key has permission to make calls.
        expires: The key's last day, UTC; None if it never expires.
        client: The client id that the vendor requires with the key; None if it requires none.
    """

    kind: KeyKind = attrs.field(converter=KeyKind)
    revoked: bool = False
    allowed: bool = True
    expires: dt.date | None = None
    client: str | None = None

    def expired(self, now: dt.datetime) -> bool:
        """Return whether the key's last day has passed."""
        return self.expires is not None and now.date() > self.expires


#: A live and a sandbox key that are valid from the start.
FIRST_KEYS: Mapping[str, Key] = {
    LIVE_KEY: Key(kind=KeyKind.LIVE),
    SANDBOX_KEY: Key(kind=KeyKind.SANDBOX),
}


def name_keys(keys: Mapping[str, Key]) -> dict[str, str]:
    """Return an account's first keys by kind, and the client id, if any, as ``client``."""
    texts = {str(key.kind): text for text, key in keys.items()}
    client = next((key.client for key in keys.values()), None)
    return texts if client is None else {**texts, "client": client}


def check_key(text: str) -> None:
    """Raise ValueError for a key that is empty or not allowed in a header."""
    if not text or not text.isascii() or not text.isprintable() or text != text.strip():
        raise ValueError("a key must be printable ASCII without leading or trailing spaces")


class Keys(Collection[Key]):
    """The keys of one world, by text. Thread-safe."""

    def __init__(self, first: Mapping[str, Key]) -> None:
        super().__init__()
        for text, key in first.items():
            self.put(text, key)

    def of_client(self, client: str) -> tuple[tuple[str, Key], ...]:
        """Return a client id's unrevoked keys, as pairs of text and key."""
        keys = self.items()
        return tuple((text, key) for text, key in keys if key.client == client and not key.revoked)


#: The maximum number of stored clients; the least recently seen client is dropped first.
CLIENTS = 10_000


@attrs.frozen
class Window:
    """The limit that a client exceeded. The next request is allowed at `reset` (Unix time)."""

    limit: int
    reset: int
    retry_after: int


class Rates:
    """The rate limits of one world; None means no limit. Thread-safe."""

    def __init__(self, limits: dict[str, int | None]) -> None:
        self._lock = threading.Lock()
        self._limits = dict(limits)
        #: The times of requests by scope and client, the least recently seen client first.
        self._times: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    @property
    def limits(self) -> dict[str, int | None]:
        with self._lock:
            return dict(self._limits)

    def set_limits(self, limits: Mapping[str, int | None]) -> None:
        """Change limits immediately. Raises ValueError for an unknown scope or invalid number."""
        for scope, limit in limits.items():
            if scope not in self._limits:
                names = ", ".join(self._limits)
                raise ValueError(f"there is no rate limit {scope}; the limits are {names}")
            if limit is not None and (type(limit) is not int or limit < 0):
                raise ValueError(
                    "a limit must be a whole number from 0, or null (None) for no limit"
                )
        with self._lock:
            self._limits.update(limits)

    def take(
        self, windows: Mapping[str, float], client: str, *, now: float
    ) -> tuple[str, Window] | None:
        """Count a client's request in each of these `windows` (seconds by scope), and return None.

        If a limit is exceeded, do not count the request; return the limit's scope and window.
        """
        with self._lock:
            counted = []
            for scope, window_s in windows.items():
                limit = self._limits[scope]
                if limit is None:
                    continue
                times = self._times.pop((scope, client), None) or deque()
                self._times[scope, client] = times
                if len(self._times) > CLIENTS:
                    self._times.popitem(last=False)
                while times and times[0] <= now - window_s:
                    times.popleft()
                if len(times) >= limit:
                    # The limit may have been lowered in the meantime.
                    while len(times) > max(limit, 1):
                        times.popleft()
                    reset = (times[0] if times else now) + window_s
                    wait_s = max(1, math.ceil(reset - now))
                    return scope, Window(limit, math.ceil(reset), wait_s)
                counted.append(times)
            for times in counted:
                times.append(now)
            return None


#: The maximum number of stored sessions.
MAX_SESSIONS = 10_000


@attrs.frozen(kw_only=True)
class Review:
    """A manual change of a session's status.

    Attributes:
        user: The author, as the vendor stores it.
        new_status: The vendor's name for the status.
        comment: The comment, or None.
        created_at: The time of the change, UTC.
    """

    user: str
    new_status: str
    comment: str | None
    created_at: dt.datetime


@attrs.frozen(kw_only=True)
class Hosted:
    """The attributes that only a hosted session has.

    Attributes:
        token: The secret in the URL of the session's page. Not in `repr`.
        kind: ``kyc`` (the face is compared with a document that the person shows) or ``biometric``
            (with an earlier reference).
        workflow, version: The session's workflow and its version, or None.
        callback: The URL to which the person is redirected, or None. Not in `repr`.
        language: The language of the page; None for the browser's.
        expires_at: The time of expiry, UTC.
        is_live: Whether the session was started with a live key.
        attempts: The number of attempts so far.
        scenario: The outcome requested in the sandbox; None to judge the pictures.
        reference: The SHA-256 of the picture to compare with, or None.
        document_fields: The values that the vendor reads from the person's document, by the
            vendor's names. Not in `repr`.
    """

    token: str = attrs.field(repr=False, metadata={"secret": True})
    kind: str = "biometric"
    workflow: str | None = None
    version: int | None = None
    callback: str | None = attrs.field(default=None, repr=False)
    language: str | None = None
    expires_at: dt.datetime
    is_live: bool = True
    attempts: int = 0
    scenario: str | None = None
    reference: str | None = None
    document_fields: Mapping[str, str] = attrs.field(factory=dict, repr=False)


@attrs.frozen(kw_only=True)
class Session:
    """A saved call, or a hosted session.

    Attributes:
        id: The request id in the response.
        number: The session's number in the world, counted from 1.
        internal_id: A second id, shown in lists.
        service: The vendor's name for the service; None for a hosted session.
        status: The vendor's name for the status; updates change it.
        created_at: The time of the start, UTC.
        vendor_data, metadata: The values as sent; None if not sent.
        pictures: The SHA-256 of the pictures, by the vendor's names.
        result: The part of the response that the service returned; for a hosted session, one part
            for each feature that ran, by feature.
        reviews: The manual changes of the status, oldest first.
        hosted: The attributes of a hosted session; None for a saved call.
    """

    id: str
    number: int = 0
    internal_id: str = ""
    service: str | None = None
    status: str
    created_at: dt.datetime
    vendor_data: str | None = None
    metadata: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    pictures: Mapping[str, str | None] = attrs.field(factory=dict)
    result: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    reviews: tuple[Review, ...] = ()
    hosted: Hosted | None = None


class Sessions(Collection[Session]):
    """The newest 10,000 sessions of one world, by id. Thread-safe."""

    def __init__(self) -> None:
        super().__init__(limit=MAX_SESSIONS)

    def add(self, session_id: str, **fields: Any) -> Session:
        """Store a session with the next number; `fields` are fields of `Session`."""
        return self.append(Session, session_id, id=session_id, **fields)


#: The maximum total size of stored pictures in bytes.
MAX_BYTES = 64 * 1024 * 1024


class Pictures:
    """LRU cache of pictures, keyed by SHA-256. Thread-safe."""

    #: A sample covers a picture's first `long` bytes.
    long = 64 * 1024

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._pictures: OrderedDict[str, bytes] = OrderedDict()
        #: The SHA-256 of each picture, by sample.
        self._digests: dict[tuple[int, bytes], str] = {}
        self.kept_bytes = 0

    def keep(self, contents: Mapping[str, bytes]) -> None:
        """Store pictures, or mark stored ones as the newest."""
        with self._lock:
            for digest, content in contents.items():
                if digest not in self._pictures:
                    self._pictures[digest] = bytes(content)
                    self._digests[_sample(content, 0, len(content))] = digest
                    self.kept_bytes += len(content)
                self._pictures.move_to_end(digest)
            while self.kept_bytes > self._max_bytes:
                _, content = self._pictures.popitem(last=False)
                self.kept_bytes -= len(content)
                self._digests.pop(_sample(content, 0, len(content)), None)

    def find(self, digest: str | None) -> bytes | None:
        """Return the picture with this SHA-256; None if it is not stored."""
        return self._pictures.get(digest or "")

    def find_at(
        self, body: bytes | bytearray, start: int, size: int | None = None
    ) -> tuple[str, bytes] | None:
        """Return the SHA-256 and content of the stored picture at `start` in `body`, or None."""
        # Comparing with a stored picture is about twenty times as fast as hashing.
        digest = self._digests.get(_sample(body, start, size or self.long), "")
        try:
            # Each step is atomic, so no lock is needed.
            self._pictures.move_to_end(digest)
            content = self._pictures[digest]
        except KeyError:
            return None
        is_same = (size is None or size == len(content)) and body.startswith(content, start)
        return (digest, content) if is_same else None

    def digest(
        self, body: bytes | bytearray, start: int = 0, end: int | None = None
    ) -> tuple[str, bytes]:
        """Store the picture between two offsets of `body`, and return its SHA-256 and content."""
        end = len(body) if end is None else end
        kept = self.find_at(body, start, end - start)
        if kept is None:
            content = bytes(memoryview(body)[start:end])
            kept = hashlib.sha256(content).hexdigest(), content
            self.keep(dict([kept]))
        return kept


def _sample(body: bytes | bytearray, start: int, size: int) -> tuple[int, bytes]:
    """Return a sample of a picture's bytes: at most about 256 of its first `Pictures.long`."""
    size = min(size, Pictures.long)
    return size, bytes(body[start : start + size : size // 256 or 1])
