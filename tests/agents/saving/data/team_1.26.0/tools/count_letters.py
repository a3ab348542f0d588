from smolagents import Tool
from typing import Any, Optional

class SimpleTool(Tool):
    name = "count_letters"
    description = "Counts how often a letter is in a word."
    inputs = {'word': {'type': 'string', 'description': 'The word to look at.'}, 'letter': {'type': 'string', 'nullable': True, 'description': 'The letter to count.'}}
    output_type = "integer"

    def forward(self, word: str, letter: str = 'r') -> int:
        """Counts how often a letter is in a word.

        Args:
            word: The word to look at.
            letter: The letter to count.
        """
        import re
        return len(re.findall(letter, word))