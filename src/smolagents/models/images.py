"""Images on their way to a model: bytes, base64 text, data URLs."""

from __future__ import annotations

import base64
import os
from io import BytesIO
from typing import Any

__all__ = ["encode_image_base64", "image_as_url", "image_bytes", "make_image_url"]

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
)


def image_bytes(image: Any) -> bytes:
    """The bytes of an image file.

    Args:
        image: A PIL image (or what behaves as one), the bytes of an image file, or the path of one.

    Raises:
        ValueError: the path cannot be read.
        TypeError: `image` is none of these.
    """
    if isinstance(image, (bytes, bytearray, memoryview)):
        return bytes(image)
    if isinstance(image, (str, os.PathLike)):
        try:
            with open(image, "rb") as file:
                return file.read()
        except (OSError, ValueError) as error:  # ValueError for a path with a null byte
            reason = getattr(error, "strerror", None) or error
            raise ValueError(f"the image {os.fspath(image)!r:.200} cannot be read: {reason}") from error
    if hasattr(image, "to_raw"):
        image = image.to_raw()
    save = getattr(image, "save", None)
    if not callable(save):
        raise TypeError(
            f"an image must be a PIL image, the bytes of an image file, a path or a URL, not {type(image).__name__}"
        )
    buffer = BytesIO()
    try:
        save(buffer, format="PNG")
    except Exception as error:  # a file that PIL opened and finds broken only now
        raise ValueError(f"the image {image!r:.200} cannot be read: {type(error).__name__}: {error}") from error
    return buffer.getvalue()


def encode_image_base64(image: Any) -> str:
    """The bytes of an image file as base64 text; a PIL image is encoded as PNG."""
    return base64.b64encode(image_bytes(image)).decode("ascii")


def make_image_url(base64_image: str) -> str:
    """A `data:` URL from the base64 text of a PNG file."""
    return f"data:image/png;base64,{base64_image}"


def image_as_url(image: Any) -> str:
    """The image as a URL: web and `data:` URLs as they are, all else as a `data:` URL of the right media type.

    Raises:
        ValueError: the image cannot be read, or is no image file of a known format.
        TypeError: `image` is no image at all.
    """
    if isinstance(image, str) and image.startswith(("http://", "https://", "data:")):
        return image
    data = image_bytes(image)
    media_type = next((name for start, name in _SIGNATURES if data.startswith(start)), None)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        media_type = "image/webp"
    elif data[4:8] == b"ftyp":
        media_type = "image/avif" if data[8:12] in (b"avif", b"avis") else "image/heic"
    if media_type is None:
        raise ValueError(
            f"an image of {len(data)} bytes is no PNG, JPEG, GIF, WebP, BMP, TIFF, HEIC or AVIF file: "
            f"it begins with {data[:8]!r}"
        )
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"
