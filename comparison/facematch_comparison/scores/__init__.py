"""Scores in: a file or a frame of any form, read into one frame."""
