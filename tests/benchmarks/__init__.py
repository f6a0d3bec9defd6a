"""Measured comparisons: ratios to something run in the same minute, never asserted."""
