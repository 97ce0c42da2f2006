"""Ask every system about every pair exactly once; resume after a kill at any point."""
