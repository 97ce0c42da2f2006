"""Run every pair on every system exactly once; resume after a kill at any point."""
