"""Traces of runs to look at: in the terminal, as one HTML page, and live in a browser."""
