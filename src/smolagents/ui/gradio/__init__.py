"""A web page to talk with an agent."""
