"""Hosted sessions: the person is verified on the vendor's own page.

    plan                     a record: who, for what, and what must be shown; sends nothing
        start                the vendor's session, and the person's access to it
            read, read       readings, each judged by the record and today's settings
                delete       the vendor's copy of the person's data

- A *record* (`SessionRecord`) is what the caller stores, from `plan` on.
- A *reading* (`SessionReading`) is a session as a plug-in read it. It is not yet judged.
- A *check* is a match or a liveness check that a record expects. A reading has one or more *items*
  of each (`SessionCheck`), and the worst decides.
- A *result* (`SessionResult`) is a judged reading. `is_verified_for` is the only way to a yes.
- The *access* (`SessionAccess`) has the link or token with which the person enters the session.
- A *vendor's copy* (`VendorCopy`) is a field of the record that the vendor stores, too. It shows
  that a session is the record's.
- A *row* is a session in the table of a `SessionStore`. Its *case* (`VerificationCase`) is the
  subject, the purpose and `about`: a case has one open row. A *lease* is a row's reading that is
  under way.
- The *holder* of a document is compared with the `Person` that the caller expects.

The modules: `sessions` (the calls), `verdicts` (judge a reading; no I/O), `holders` (compare a
person with the holders of documents), `store` (the public calls), `beginning` and
`looking` (its two halves: start a session, read it), `table` and `rows` (what both write; only
`rows` imports SQLAlchemy), `aio` (the async classes).
"""
