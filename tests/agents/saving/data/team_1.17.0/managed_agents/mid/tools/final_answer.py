from typing import Any, Optional
from smolagents.tools import Tool

class Answer(Tool):
    name = "final_answer"
    description = "Gives the final answer."
    inputs = {'answer': {'type': 'any', 'description': 'The answer.'}}
    output_type = "any"

    def forward(self, answer):
        return answer

    def __init__(self, *args, **kwargs):
        self.is_initialized = False
