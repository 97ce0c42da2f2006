"""Test sets: labelled pairs of pictures, read from a file or drawn from a folder."""
