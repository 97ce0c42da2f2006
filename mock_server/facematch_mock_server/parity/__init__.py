"""`facematch parity`: a vendor beside its mock, by the few calls that show what it claims."""
