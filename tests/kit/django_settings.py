"""Django's settings, which last as long as the process."""
