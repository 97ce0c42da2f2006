"""First calls: what to ask a vendor of whom somebody has a key, and no program yet.

``python -m facematch_mock_server.first_calls VENDOR`` makes the calls in ``first_calls.toml``,
beside the vendor's module:

- ``pause_s``: Seconds before each call, for a vendor that limits the rate of calls; 0 if missing.
- ``[sizes]``: Pictures that have exactly so many bytes, such as the largest file that is allowed;
  none if missing.
- ``[each]``: The parts of each call that does not have them itself, among them ``url``, the
  vendor's address. The headers and the fields of forms are joined; an empty header is left out.
- ``[[call]]``: ``name``; ``method``; ``target`` and ``headers`` with one body, as in a recording
  (see `make_request`); ``client`` and ``secret``, the key that signs the request, which is not
  signed if ``secret`` is empty; ``keep``, the values of the answer for later calls, as a JSONPath
  by name; ``charged`` if the vendor may charge the call.
- ``[[at_mock]]``: A call as in ``[[call]]`` that is made at the mock alone, after these, to compare
  its answers with real ones that others recorded (``tests/recorded``): an older version, a state
  that a person brings about, or an operation of the control API under ``/__mock__/``.

In all texts, ``${DIDIT_API_KEY}`` is an environment variable, ``${p1}`` a picture in base64,
``${seconds}`` the Unix time, and ``${run}`` a number of this run. ``%Y`` and the like are the time
in UTC, as `time.strftime` writes it. The pictures are the ready cards, of which the user's own
files replace p1, p1-again and p2, those of ``[sizes]``, and ``text``, which is none.
"""
