"""Read score files and frames of many formats into `Answers`."""
