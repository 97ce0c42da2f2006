"""The report: a self-contained HTML page for buyers.

`report_html` returns it, `write_report` writes it, and `fragment` is its beginning for a notebook.
"""

from .page import fragment, report_html, write_report

__all__ = ["fragment", "report_html", "write_report"]
