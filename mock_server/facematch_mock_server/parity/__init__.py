"""`facematch parity`: a vendor beside its mock, by the few calls that show what the mock claims.

`calls` has the calls and what each vendor has of its own, `observing` reduces an answer to what may
be kept of it, `running` makes the calls and survives its own end, `judging` compares both sides and
writes the record, and `command` is what people type.
"""
