"""Two vendors in production: what a call log says without labels, and with a few.

- A *call* here is a row of a `CallLog`. A *shadowed call* is an answered call whose pictures the
  candidate was also to be asked about; it is *compared* if both returned a result.
- A result is *accepted* if it is MATCH or LIVE, and REVIEW if the caller says so. Two results
  *disagree* if one is accepted and the other is not.
- A *label* is a person's verdict on a call: genuine (the same person, a live person) or not.
- A *false match* is an accepted call that is not genuine, a *false reject* a genuine call that is
  not accepted. *Saved* errors are those of the answering system minus those of the candidate.

The modules: `calls` (the rows of a log as a table), `labels` (the people who label), `judged` (what
labelled calls say), `shadow` (the comparison) with its `sentences`, `drift` (one system over
time) and `page`.
"""
