"""The log of calls and their results, for comparisons of vendors in production.

- A *logged call* is a row: one call of one *side*, without pictures, names or keys.
- The side *answered* is what the caller got. The side *shadow* is a second vendor's answer to the
  same pictures, which nobody got (`facematch_core.verifier.shadow`). Both rows have one `call_id`.
- A *system* is what answered: a backend, or the member of a failover or a share.
- A *person* is a keyed digest of `share_key`, or without one of `caller_ref`. Rows of one person
  cannot be told by who lacks the key, and can be found and deleted by who has the reference and the
  key.

The modules: `rows` (what a row says), `log` (`CallLog`, which writes rows in the background),
`tables` (the tables and statements). Only `tables` imports SQLAlchemy.
"""

from .log import CallLog, read_call_columns, read_call_log
from .rows import UNFINISHED, LoggedCall, NotAsked, Side

__all__ = [
    "UNFINISHED",
    "CallLog",
    "LoggedCall",
    "NotAsked",
    "Side",
    "read_call_columns",
    "read_call_log",
]
