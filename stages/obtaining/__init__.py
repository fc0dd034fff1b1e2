"""Where data sets come from, and how what was obtained is held to its declaration; only `prepare` needs this."""
