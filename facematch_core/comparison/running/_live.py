"""Which claims the threads of this process still work on.

A claim that is not among them was left behind, by a thread that failed: the next search takes it
back, as it takes those of processes that are gone. What a parent worked on says nothing in the
child of a fork, whose claims are its own.
"""

from __future__ import annotations

from typing import Final

#: Tokens of claims. To add, to take out and to look are one step each.
LIVE: Final[set[str]] = set()
