"""What the mock's pytest fixtures change in the process of their test."""

from __future__ import annotations

from facematch_core.models import Environment

#: The environment that `open_sessions` requires by default, by backend, instead of PRODUCTION. Only
#: a fixture fills it, for its vendor and its test: no variable, argument or file does.
REQUIRED_OF_SESSIONS: dict[str, Environment] = {}
