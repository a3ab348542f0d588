"""Messages, usage and errors: plain data that every other part of the library speaks in."""
