"""Run the command by `python -m facematch_core`, also if another package has replaced it."""

from facematch_core.cli import main

if __name__ == "__main__":
    main()
