"""Agents that think in code."""
