"""Images of PIL, and the types that tools return: text, images and sounds of an agent."""
# ruff: noqa: ARG001 - encoders and decoders have one signature

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .values_base import TAG, Trouble, bytes_to_text, encode_text, expect, json_kind, shorten, text_to_bytes

if TYPE_CHECKING:
    from .values import Decoder, Encoder

_AGENT_TYPES = "smolagents.types.agent_types"

_BITS = {
    **dict.fromkeys(["1"], 1),
    **dict.fromkeys(["L", "P"], 8),
    **dict.fromkeys(["LA", "La", "PA", "I;16", "I;16L", "I;16B"], 16),
    **dict.fromkeys(["RGB", "YCbCr", "LAB", "HSV"], 24),
    **dict.fromkeys(["RGBA", "RGBX", "RGBa", "CMYK", "I", "F"], 32),
}
"""Bits of a pixel in each mode of an image, as `Image.tobytes` writes it; rows begin at a byte."""
# Pillow keeps a pointer for each row, also where the rows are empty.
_LONGEST_EMPTY_SIDE = 64


def encoder_of(value: Any) -> Any:
    """The encoder, if the value is an image or one of the agent types."""
    types = sys.modules.get(_AGENT_TYPES)
    if types is not None:
        for name, encode in (("AgentText", _agent_text), ("AgentImage", _agent_image), ("AgentAudio", _agent_audio)):
            if isinstance(value, getattr(types, name, ())):
                return encode
    if isinstance(value, getattr(sys.modules.get("PIL.Image"), "Image", ())):
        return _image
    return None


def _image(encoder: Encoder, value: Any, depth: int) -> Any:
    mode = value.mode
    if mode not in _BITS:
        raise Trouble(f"an image of mode {mode!r} cannot cross; convert it with .convert('RGB')")
    width, height = value.size
    if not (width and height) and max(width, height) > _LONGEST_EMPTY_SIDE:
        raise Trouble(f"an image of {width} by {height} pixels cannot cross; pass None where there is no image")
    written: dict[str, Any] = {
        TAG: "image",
        "mode": mode,
        "size": [width, height],
        "v": bytes_to_text(value.tobytes()) if width and height else "",
    }
    if mode in ("P", "PA") and value.palette is not None:
        colours = "RGBA" if value.palette.mode == "RGBA" else "RGB"
        written["palette"] = [colours, bytes_to_text(bytes(value.getpalette(colours)))]
    transparency = value.info.get("transparency")
    if type(transparency) is bytes:
        written["transparency"] = bytes_to_text(transparency)
    elif type(transparency) is int:
        written["transparency"] = transparency
    elif type(transparency) is tuple and all(type(part) is int for part in transparency):
        written["transparency"] = list(transparency)
    return written


def _read_image(decoder: Decoder, data: Any, depth: int) -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise Trouble(
            "pillow is not there where the code runs, so that images cannot arrive: it comes with "
            "additional_authorized_imports=['PIL'] where pillow is installed or can be"
        ) from None
    mode = expect(data["mode"], str, "the mode of an image")
    if mode not in _BITS:
        raise Trouble(f"unknown mode of an image {shorten(repr(mode))}")
    size = expect(data["size"], list, "the size of an image")
    if len(size) != 2 or any(type(side) is not int or side < 0 for side in size):
        raise Trouble("the size of an image must be its width and its height")
    width, height = size
    raw = text_to_bytes(data["v"])
    if (width * _BITS[mode] + 7) // 8 * height != len(raw):
        raise Trouble(f"an image of {width} by {height} pixels cannot have {len(raw)} bytes")
    if raw:
        image = Image.frombytes(mode, (width, height), raw)
    elif max(size) <= _LONGEST_EMPTY_SIDE:
        image = Image.new(mode, (width, height))
    else:
        raise Trouble("an image without pixels has a side that is too long")
    if "palette" in data:
        _set_palette(image, data["palette"])
    if "transparency" in data:
        image.info["transparency"] = _transparency(data["transparency"])
    return image


def _set_palette(image: Any, data: Any) -> None:
    if type(data) is not list or len(data) != 2 or data[0] not in ("RGB", "RGBA") or image.mode not in ("P", "PA"):
        raise Trouble("a palette must be 'RGB' or 'RGBA' and its colours, of an image that has one")
    colours = text_to_bytes(data[1])
    if len(colours) > 256 * len(data[0]) or len(colours) % len(data[0]):
        raise Trouble("a palette must have at most 256 whole colours")
    image.putpalette(colours, data[0])


def _transparency(data: Any) -> Any:
    if type(data) is str:
        return text_to_bytes(data)
    if type(data) is list and len(data) <= 4 and all(type(part) is int for part in data):
        return tuple(data)
    return expect(data, int, "the transparency of an image")


# Agent types. Where the package is not loaded they arrive as what they wrap.


def _agent_text(encoder: Encoder, value: Any, depth: int) -> Any:
    return {TAG: "agent_text", "v": encode_text(value)}


def _read_agent_text(decoder: Decoder, data: Any, depth: int) -> Any:
    text = expect(decoder.item(data["v"], depth + 1), str, "a text")
    types = sys.modules.get(_AGENT_TYPES)
    return text if types is None else types.AgentText(text)


def _agent_image(encoder: Encoder, value: Any, depth: int) -> Any:
    return {TAG: "agent_image", "v": encoder.item(value.to_raw(), depth + 1)}


def _read_agent_image(decoder: Decoder, data: Any, depth: int) -> Any:
    image = decoder.item(data["v"], depth + 1)
    # Not a path or the bytes of a file, which AgentImage would open.
    if not isinstance(image, getattr(sys.modules.get("PIL.Image"), "Image", ())):
        raise Trouble(f"an image is expected, not {type(image).__name__}")
    types = sys.modules.get(_AGENT_TYPES)
    return image if types is None else types.AgentImage(image)


def _agent_audio(encoder: Encoder, value: Any, depth: int) -> Any:
    samples = value.to_raw()  # reading a file sets the rate
    if type(samples).__module__ == "torch" and hasattr(samples, "detach"):
        samples = samples.detach().cpu().numpy()
    return {
        TAG: "agent_audio",
        "v": encoder.item(samples, depth + 1),
        "rate": int(value.samplerate),
    }


def _read_agent_audio(decoder: Decoder, data: Any, depth: int) -> Any:
    samples, rate = decoder.item(data["v"], depth + 1), data["rate"]
    if type(rate) is not int or rate <= 0:
        raise Trouble(f"a sample rate must be a positive integer, not {json_kind(data['rate'])}")
    # Not a path, which AgentAudio would open.
    if type(samples) is not list and not isinstance(samples, getattr(sys.modules.get("numpy"), "ndarray", ())):
        raise Trouble(f"samples must be an array or a list, not {type(samples).__name__}")
    types = sys.modules.get(_AGENT_TYPES)
    return (rate, samples) if types is None else types.AgentAudio(samples, samplerate=rate)


DECODERS: dict[str, tuple[Callable[[Any, Any, int], Any], str, str]] = {
    "image": (_read_image, "mode size v", "palette transparency"),
    "agent_text": (_read_agent_text, "v", ""),
    "agent_image": (_read_agent_image, "v", ""),
    "agent_audio": (_read_agent_audio, "v rate", ""),
}
"""By tag: the decoder, the keys that its object has, and those it may have."""
