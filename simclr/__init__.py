"""SimCLR: the method, as an importable PyTorch library that knows nothing of files or pipelines."""
