"""The report: a self-contained HTML page for buyers, and files of answers."""
