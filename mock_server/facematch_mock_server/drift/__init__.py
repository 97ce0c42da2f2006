"""Whether a vendor still behaves as the claims say: the same questions to it and to a model.

A `Script` is asked of the target, which is the real vendor or another mock, and of the model: a
mock in this process, of a chosen edition, that is told what the target found in the pictures and
decides by its own rules. Where their answers differ in shape, claims of the model are turned until
they agree again: those claims are false, each with its document.
"""
