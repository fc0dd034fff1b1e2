"""Judging and drawing: what the runs measured, tested and shown beside what the paper printed."""
