"""Wrong about settings."""

from __future__ import annotations

import functools

import attrs

from facematch_core import ConfigurationError
from facematch_core.http import check_base_url

from ._http_paragon import HttpParagon, HttpParagonDouble
from ._paragon import KEY, ParagonBackend
from ._registry import caught_by

#: All of them need settings.
caught = functools.partial(caught_by, double=HttpParagonDouble)


@caught_by("R31")
class HasAThresholdOfItsOwn(ParagonBackend):
    """A setting bears the name of an argument of the verifier."""

    def __init__(self, vendor, key=KEY, threshold=50.0):
        super().__init__(vendor, key)


@caught("R46")
class SwallowsWhatItDoesNotKnow(HttpParagon):
    """A misspelt setting is taken, and forgotten."""

    def __init__(self, *, api_key, **settings):
        known = {field.name for field in attrs.fields(HttpParagon)}
        rest = {name: settings[name] for name in settings if name in known}
        super().__init__(api_key=api_key, **rest)


@caught("R46")
class ShowsTheKeyThatIsOdd(HttpParagon):
    """A key of another form is refused, and quoted."""

    def check_key(self):
        key = self.api_key.reveal()
        if not key.startswith("paragon-key-"):
            raise ConfigurationError(f"{key!r} is no key of Paragon's.")


@caught("R46")
class ShowsTheKeyWithTheAddress(HttpParagon):
    """A foreign address is refused, with everything that was set."""

    def check_address(self):
        try:
            super().check_address()
        except ConfigurationError as error:
            key = self.api_key.reveal()
            raise ConfigurationError(f"{error} (api_key={key!r})") from None


@caught("R46")
class ShowsTheValue(HttpParagon):
    """What is no number is told by float() itself, value and all."""

    def check_patience(self):
        float(self.patience_s if isinstance(self.patience_s, str) else 1)


@caught("R46")
class TakesAnyAddress(HttpParagon):
    """Key and faces go wherever base_url says."""

    def check_address(self):
        check_base_url(self.base_url, allowed_hosts=self.allowed_hosts, allow_base_url=True)


@caught("R46")
class TravelsInTheOpen(HttpParagon):
    """Key and faces may go to the vendor without TLS."""

    def check_address(self):
        check_base_url(self.base_url, allowed_hosts=self.allowed_hosts, allow_insecure=True)


@caught("R46")
class DeclaresNoHosts(HttpParagon):
    """Does not say which hosts are the vendor's, so that none can be told from a stranger's."""

    allowed_hosts = frozenset()

    def check_address(self):
        check_base_url(self.base_url, allowed_hosts=(), allow_base_url=True)
