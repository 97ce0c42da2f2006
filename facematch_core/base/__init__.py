"""What every room stands on: time, threads, files, addresses, and keeping secrets out of words."""
