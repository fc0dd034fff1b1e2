"""Ink and judgement: what a run measured, drawn beside what the paper printed."""
