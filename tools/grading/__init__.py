"""Grading: the student's copy of the notebooks, and a table of what was handed in."""
