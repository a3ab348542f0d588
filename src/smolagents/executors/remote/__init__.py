"""The host's side of executors that run code elsewhere."""
