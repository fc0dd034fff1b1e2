"""One command per pipeline stage: files in, files out."""
