"""Sound on its way to a model."""

from __future__ import annotations

import base64
import os
from typing import Any

__all__ = ["audio_as_input"]

_SIGNATURES = ((b"ID3", "mp3"), (b"\xff\xfb", "mp3"), (b"\xff\xf3", "mp3"), (b"fLaC", "flac"), (b"OggS", "ogg"))


def audio_as_input(audio: Any) -> dict[str, str]:
    """A sound as OpenAI's API takes it: `{"data": <base64>, "format": "wav"}`.

    Args:
        audio: The bytes of a sound file, the path of one, or an `AgentAudio`.

    Raises:
        ValueError: the path cannot be read, or the bytes are no sound file of a known format.
        TypeError: `audio` is none of these.
    """
    if hasattr(audio, "samplerate") and hasattr(audio, "to_string"):
        audio = audio.to_string()
    if isinstance(audio, (str, os.PathLike)):
        try:
            with open(audio, "rb") as file:
                data = file.read()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ValueError(f"the sound {os.fspath(audio)!r:.200} cannot be read: {reason}") from error
    elif isinstance(audio, (bytes, bytearray, memoryview)):
        data = bytes(audio)
    else:
        raise TypeError(f"a sound must be the bytes of a file, a path or an AgentAudio, not {type(audio).__name__}")
    form = next((name for start, name in _SIGNATURES if data.startswith(start)), None)
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        form = "wav"
    elif data[4:8] == b"ftyp":
        form = "m4a"
    if form is None:
        raise ValueError(
            f"a sound of {len(data)} bytes is no WAV, MP3, FLAC, Ogg or M4A file: it begins with {data[:8]!r}"
        )
    return {"data": base64.b64encode(data).decode("ascii"), "format": form}
