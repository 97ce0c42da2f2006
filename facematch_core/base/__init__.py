"""What all rooms are built on: time, threads, files, addresses, and secrets kept out of words."""
