"""One module for each vendor that can be asked, with its `SCRIPT`."""
