"""The default prompt templates: a system prompt for each kind of agent, and `shared.yaml`, which all of them use.

The compact variants are for small local models, which do better, and sooner, with less to read.
"""
