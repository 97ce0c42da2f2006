"""The results of a comparison as plain values, and the formatting of their numbers."""
