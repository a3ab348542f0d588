"""The web agent: an agent that drives a real browser."""
