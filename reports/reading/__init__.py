"""What is read: declarations, tidy results, the paper's numbers, and the records that the commands leave each other."""
