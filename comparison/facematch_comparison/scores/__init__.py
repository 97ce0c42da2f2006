"""Read scores from files or frames in many formats into one frame."""
