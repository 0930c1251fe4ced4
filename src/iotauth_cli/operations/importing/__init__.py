"""Fleets from a file: read twice, refused as a whole or written 25 rows at a time, and resumed where a run ended."""
