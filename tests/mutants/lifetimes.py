"""Mutants that are wrong beyond one call: threads, settings, records, removal, logins."""

import os
import tempfile
import threading
import time
from typing import ClassVar

from mutants.faults import evolve, quiet, remember
from mutants.making import caught_by
from mutants.reference import (
    KEY,
    LoginReference,
    ReferenceBackend,
    can,
)
from mutants.vendors import (
    ForgetsTheVariable,
    KnowsItsKey,
    KnowsTheDay,
    ScoresOneNumber,
)

import facematch_core as fm
from facematch_core.base.deadline import Deadline

#: Held by a mutant while it logs in.
LOGIN_LOCK = threading.Lock()


# R28: Calls do not mix, nor pile up.


@caught_by("R28")
class WarmsUpEachThread(ReferenceBackend):
    """The first call of each thread is made, and paid, twice."""

    def exchange(self, call):
        warm_threads = remember(self, "warm threads", set())
        if threading.get_ident() not in warm_threads:
            warm_threads.add(threading.get_ident())
            super().exchange(quiet(call))
        return super().exchange(call)


@caught_by("R28")
class SharedBetweenThreads(ReferenceBackend):
    """The call is kept on the object while it is made."""

    def exchange(self, call):
        self.current = call
        time.sleep(0.0005)
        return super().exchange(self.current)


@caught_by("R28", ScoresOneNumber)
class DeclaresAScaleInThreads(ReferenceBackend):
    """In threads, too, no result has a score."""

    def score(self, call, number):
        return None

    def unscored(self, call, decision):
        return decision


@caught_by("R28")
class BillsByTheCounter(ReferenceBackend):
    """A call is said to have cost what the vendor's counter shows more after it."""

    def answer(self, call):
        charges_before = self.vendor.charges
        result = super().answer(call)
        time.sleep(0.002)
        charges = self.vendor.charges - charges_before
        bill = fm.Billing(fm.Charged.YES, "the vendor's counter", charges=charges)
        return evolve(result, billing=bill)


# R30: Closing is final, and of one's own.


@caught_by("R30")
class OneSessionForAll(ReferenceBackend):
    """Closing one backend closes the session that all share."""

    def close(self):
        self.vendor.is_closed = True

    def exchange(self, call):
        if hasattr(self.vendor, "is_closed"):
            return None, None, fm.VendorUnavailable("The session is closed.")
        return super().exchange(call)


@caught_by("R30", KnowsItsKey)
class PrefersTheEnvironment(ReferenceBackend):
    """A key in the environment wins over the one it was given."""

    environment_variables: ClassVar = {"key": "REFERENCE_KEY"}

    def request(self, call):
        key = os.environ.get("REFERENCE_KEY", self.key.reveal())
        return super().request(call) | {"key": key}


@caught_by("R30", ForgetsTheVariable)
class SetsAVariable(ReferenceBackend):
    """A call sets an environment variable."""

    def request(self, call):
        os.environ["REFERENCE_KEY"] = "set"
        return super().request(call)


@caught_by("R30", KnowsItsKey)
class TheNewestKeyForAll(ReferenceBackend):
    """The key is kept by the class, so all backends send the newest one."""

    newest_key = None

    def __init__(self, vendor, key=KEY):
        super().__init__(vendor, key)
        type(self).newest_key = self.key

    def request(self, call):
        return super().request(call) | {"key": self.newest_key.reveal()}


@caught_by("R30", KnowsTheDay)
class SignsWithTheLocalDay(ReferenceBackend):
    """The day in a signature is that of the machine's time zone."""

    def request(self, call):
        return super().request(call) | {"day": time.localtime().tm_mday}


# R31: Settings are held.


@caught_by("R31")
class DiagnoseWritesItDown(ReferenceBackend):
    """Writes what it has found to a file as well."""

    def diagnose(self):
        with tempfile.TemporaryFile() as file:
            file.write(b"key: set")
        return super().diagnose()


@caught_by("R31")
class DiagnoseAsks(ReferenceBackend):
    """Makes a call to see whether the key works."""

    def diagnose(self):
        self.vendor.ask({"key": self.key.reveal()}, 1.0)
        return {**super().diagnose(), "key": "tried"}


@caught_by("R31")
class TakesAnySetting(ReferenceBackend):
    """A misspelt setting is ignored."""

    def __init__(self, vendor, key=KEY, **unknown_settings):
        super().__init__(vendor, key)


@caught_by("R31")
class ShowsAnUnknownSetting(ReferenceBackend):
    """The error for an unknown setting has its value."""

    def __init__(self, vendor, key=KEY, **unknown_settings):
        if unknown_settings:
            raise TypeError(f"{unknown_settings}")
        super().__init__(vendor, key)


@caught_by("R31")
class DiagnoseShowsTheKey(ReferenceBackend):
    """What it says of itself has the key."""

    def diagnose(self):
        return {**super().diagnose(), "key": self.key.reveal()}


# R32: Another call is never found.


@caught_by("R32")
class ForgetsWhatItKept(ReferenceBackend):
    """Of calls, those can be found that were not kept."""

    def reconcilable(self, call):
        return not super().reconcilable(call)


@caught_by("R32")
class FindsNoCallAtAll(ReferenceBackend):
    """Looks into the records, and asks for no call."""

    capabilities = can(retention=frozenset({fm.Retention.MINIMAL}))

    def reconcilable(self, call):
        return False


@caught_by("R32")
class FindsByTheEndOfTheId(ReferenceBackend):
    """Compares the end of the id, which people read out."""

    def record(self, call):
        for call_id, kept in self.vendor.records.items():
            if call_id[-12:] == call.id[-12:]:
                return kept
        return None


@caught_by("R32")
class LooksByAPaidCall(ReferenceBackend):
    """The error of a search says that it may have been charged."""

    def record(self, call):
        kept = super().record(call)
        if kept is None:
            raise fm.OutcomeUnknown("No answer.")
        return kept


@caught_by("R32")
class FindsItFree(ReferenceBackend):
    """What is found says that the vendor charged nothing."""

    def record(self, call):
        kept = super().record(call)
        if kept is None:
            return None
        return evolve(kept, billing=fm.Billing(fm.Charged.NO, "it was only looked up"))


@caught_by("R32")
class LookingCosts(ReferenceBackend):
    """Looks by a call that the vendor charges."""

    def record(self, call):
        self.vendor.charges += 1
        return super().record(call)


@caught_by("R32")
class FindsItUnderAnotherId(ReferenceBackend):
    """What is found is reported for another call."""

    def reconcile(self, call, **how):
        return evolve(
            super().reconcile(call, **how),
            call=evolve(call, id="00000000-0000-4000-8000-000000000000"),
        )


@caught_by("R32")
class GivesTheBareResult(ReferenceBackend):
    """A look gives the result, in place of what it found out."""

    def reconcile(self, call, **how):
        return super().reconcile(call, **how).result


@caught_by("R32")
class FindsItWithoutItsId(ReferenceBackend):
    """What is found does not name the call."""

    def record(self, call):
        kept = super().record(call)
        if kept is None:
            return None
        return evolve(kept, ids=evolve(kept.ids, call=None))


# R63: A login ends at the deadline.


@caught_by("R63")
class LoginIsASetting(LoginReference):
    """A login without an answer is an error of the settings."""

    def token(self, call, deadline):
        try:
            return super().token(call, deadline)
        except fm.VendorError:
            raise fm.ConfigurationError("No token.") from None


@caught_by("R63")
class WaitsForTheLock(LoginReference):
    """Whoever needs a token waits for the lock of who logs in."""

    def token(self, call, deadline):
        with LOGIN_LOCK:
            return super().token(call, deadline)


@caught_by("R63")
class LogsInWithoutALimit(LoginReference):
    """A login lasts as long as the vendor likes."""

    def token(self, call, deadline):
        return super().token(call, Deadline.after(25.0))


@caught_by("R63")
class PaysForAFailedLogin(LoginReference):
    """The outcome of a call without a token is unknown."""

    def token(self, call, deadline):
        try:
            return super().token(call, deadline)
        except fm.VendorError:
            raise fm.OutcomeUnknown("It may be charged.") from None


@caught_by("R63")
class PaysForAGatewayError(LoginReference):
    """After a gateway's error in place of a token, the outcome of the call is unknown."""

    def token(self, call, deadline):
        try:
            return super().token(call, deadline)
        except fm.VendorError as error:
            if error.status_code == 502:
                raise fm.OutcomeUnknown("It may be charged.") from None
            raise


@caught_by("R63")
class BlamesTheSettingsMeanwhile(LoginReference):
    """While another thread logs in, a call fails with an error of the settings."""

    def token(self, call, deadline):
        lock = remember(self, "login lock", threading.Lock())
        # So long may a login go on after its deadline; each deadline of the rule is longer.
        if not lock.acquire(timeout=0.05):
            raise fm.ConfigurationError("It is not logged in.")
        try:
            return super().token(call, deadline)
        finally:
            lock.release()


@caught_by("R63")
class CallsWithoutAToken(LoginReference):
    """Without a token the picture is sent all the same."""

    def token(self, call, deadline):
        try:
            return super().token(call, deadline)
        except fm.VendorError:
            return fm.Secret("no-token")


@caught_by("R63")
class NeverLogsInAgain(LoginReference):
    """The error of a login is the answer to every later call."""

    failure = None

    def token(self, call, deadline):
        if self.failure is not None:
            raise self.failure
        try:
            return super().token(call, deadline)
        except fm.VendorError as error:
            self.failure = error
            raise
