"""Captures on disk: one reader per layout, and what all readers share."""
