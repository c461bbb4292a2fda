"""Try for hours to break what the README promises; print what happened as a table."""
