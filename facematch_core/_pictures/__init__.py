"""Pictures as bytes: what they are, what they tell, and how to make them fit.

One module per file format reads and strips it without decoding; none of them imports Pillow.
Only `_decode`, `_encode` and `_fit` do, when they are called. Nothing here is public: callers
use `facematch_core.Image`.
"""
