"""How a claim is tested: cells, contrasts of cells, established tests, and how many seeds would settle it."""
