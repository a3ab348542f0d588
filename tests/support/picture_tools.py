"""Tools that make pictures."""

from __future__ import annotations

from typing import Any

import PIL.Image

from smolagents import Tool


class Draw(Tool):
    name = "draw"
    description = "Draws a picture."
    inputs = {"width": {"type": "integer", "description": "Its width."}}
    output_type = "image"

    def forward(self, width: int) -> Any:
        return PIL.Image.new("RGB", (width, 3), "red")
