"""Checks of uploaded pictures, each paid once for its case and used once: see `CheckStore`.

The modules: `store` (the public calls), `table` (what a verdict depends on, and why it counts),
`making` (find the stored verdict, or make the check), `erasing` (delete at the vendor, then here),
`rows` (the table; only this module imports SQLAlchemy), `aio` (the async classes).
"""
