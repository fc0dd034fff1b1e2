"""What tests/bench/gpu.py does on a GPU, part by part. It needs torch, NumPy, gin and this checkout."""
