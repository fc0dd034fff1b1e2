"""The page of a scale: its contents, the board of verdicts, the numbers with the runs that made them."""
