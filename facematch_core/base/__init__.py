"""Shared helpers: time, threads, files, URLs, tables, and masking of secrets.

- A secret's *forms* are the ways in which a response may echo it: as it is, percent-encoded or in
  base64. A *piece* of a picture is a long run of its base64 text. To *mask* is to replace them with
  ``***`` (`masking`).
- A *foreign* host is neither the vendor's own nor one that the user allows (`addresses`).
- The *links* of an exception are the exception and all others in its chain (`exceptions`).
- A *helper thread* does work that cannot be interrupted; the caller stops waiting (`threads`).
"""
