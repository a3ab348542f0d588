from typing import Any, Optional
from smolagents.tools import Tool

class Greeter(Tool):
    name = "greeter"
    description = "Greets a person."
    inputs = {'who': {'type': 'string', 'description': 'Name of the person.', 'nullable': True}}
    output_type = "string"

    def forward(self, who: str = None) -> str:
        return f"Hello {who}"

    def __init__(self, *args, **kwargs):
        self.is_initialized = False
