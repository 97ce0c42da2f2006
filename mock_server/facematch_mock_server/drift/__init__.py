"""Whether a vendor still behaves as the claims of its mock say: the same requests to both.

A `Script` is played to the target (the real vendor, or a mock of it) and to the model: a mock in
this process that is shown what the target saw in the pictures and decides the rest by its claims.
Where the shapes of two answers differ, the claims that the model's answer rests on are the
suspects; each is changed in the model once, to see whether the two then agree.
"""
