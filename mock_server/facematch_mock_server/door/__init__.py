"""A door for programs that cannot be changed: a proxy that ends TLS for the vendors' hosts.

Words:
    door: A port. It takes proxy requests (``CONNECT``, absolute URLs) and connections that a hook
        or a name redirected, and hands those for a vendor's host to the mock.
    hook: A file that Python or Node loads at its start, for clients that ignore proxy variables.
    variables: The environment that brings a program to the door.
    refusal: A sentence that says which host or protocol the door refused, and what to do.
"""

from .door import Door

__all__ = ["Door"]
