"""The images that runs see: prepared data sets, their splits, and photographs read from disk."""
