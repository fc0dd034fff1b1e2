"""Readers of declarations, tidy results, the paper's numbers, and the records that commands leave for each other."""
