"""Texts, images and sounds that tools take and return.

Each type behaves as its content (an `AgentText` is a `str`, an `AgentImage` has the methods of a PIL image) and can
be written down as text: an image or a sound as the path of a file that holds it.
"""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = [
    "AgentAudio",
    "AgentImage",
    "AgentText",
    "AgentType",
    "handle_agent_input_types",
    "handle_agent_output_types",
]


class AgentType:
    """Base of the types a tool returns to an agent.

    Args:
        value: What is wrapped.
    """

    def __init__(self, value: Any) -> None:
        self._value = value

    def __str__(self) -> str:
        return self.to_string()

    def to_raw(self) -> Any:
        """The value itself, as Python code works with it."""
        return self._value

    def to_string(self) -> str:
        """The value as text; for what has no text, the path of a file that holds it."""
        return str(self._value)


class AgentText(AgentType, str):
    """Text returned by a tool. It is a `str`."""

    def __new__(cls, value: Any = "") -> AgentText:
        return str.__new__(cls, value)

    def __init__(self, value: Any = "") -> None:
        super().__init__(str(value))

    def __getnewargs__(self) -> tuple[str]:
        return (self.to_string(),)

    def to_raw(self) -> str:
        return str.__str__(self)

    def to_string(self) -> str:
        return str.__str__(self)


class AgentImage(AgentType):
    """An image returned by a tool. It has every attribute and method of a PIL image.

    Args:
        value: A `PIL.Image.Image`, another `AgentImage`, a path, the bytes of an image file, or an array or tensor of
            pixels, height by width by channels or channels by height by width. Floats are taken as 0 to 1, integers
            as 0 to 255.

    Raises:
        TypeError: `value` is none of these.
    """

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        self._raw: Any = None
        self._path: str | None = None
        self._pixels: Any = None
        if isinstance(value, AgentImage):
            self._raw, self._path, self._pixels = value._raw, value._path, value._pixels
        elif isinstance(value, (str, os.PathLike)):
            self._path = os.fspath(value)
        elif isinstance(value, (bytes, bytearray)):
            from io import BytesIO

            self._raw = _pil_image("AgentImage").open(BytesIO(value))
        elif _is_pil_image(value):
            self._raw = value
        elif _is_array(value):
            self._pixels = value
        else:
            raise TypeError(
                f"AgentImage cannot be made from {type(value).__name__}; "
                "give a PIL image, a path, the bytes of an image file, or an array of pixels"
            )

    def to_raw(self) -> Any:
        """The PIL image.

        Raises:
            FileNotFoundError: it was given by path, and there is no such file.
        """
        if self._raw is None:
            image = _pil_image("AgentImage")
            if self._path is not None:
                self._raw = image.open(self._path)
            else:
                self._raw = image.fromarray(_pixels_as_bytes(self._pixels))
        return self._raw

    def to_string(self) -> str:
        """The path of a file that holds the image; a PNG file is written if there is none."""
        if self._path is None:
            path = _new_file("png")
            self.to_raw().save(path, format="png")
            self._path = path
        return self._path

    def save(self, output_bytes: Any, format: str | None = None, **params: Any) -> None:
        """Write the image.

        Args:
            output_bytes: A path, or a binary file to write to.
            format: Such as "png" or "jpeg"; by default told from the path's suffix, PNG for a file object.
            **params: Passed on to `PIL.Image.Image.save`.
        """
        if format is None and not isinstance(output_bytes, (str, os.PathLike)):
            format = "png"
        self.to_raw().save(output_bytes, format=format, **params)

    def _repr_png_(self) -> bytes:
        from io import BytesIO

        buffer = BytesIO()
        self.save(buffer, format="png")
        return buffer.getvalue()

    def __getattr__(self, name: str) -> Any:
        # Reached for names that AgentImage lacks. Private names are not passed on: copying and pickling ask for them
        # on an object that is not yet filled.
        if name.startswith("_") and name != "__array_interface__":
            raise AttributeError(f"'AgentImage' object has no attribute {name!r}")
        return getattr(self.to_raw(), name)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, AgentImage):
            other = other.to_raw()
        return bool(self.to_raw() == other)

    __hash__ = AgentType.__hash__


class AgentAudio(AgentType):
    """A sound returned by a tool. NumPy takes it for an array of its samples.

    Args:
        value: A path, another `AgentAudio`, a pair of sample rate and samples, or the samples (array, tensor or list
            of floats from -1 to 1).
        samplerate: Samples per second.

    Raises:
        TypeError: `value` is none of these.
    """

    def __init__(self, value: Any, samplerate: int = 16_000) -> None:
        super().__init__(value)
        self.samplerate = samplerate
        self._path: str | None = None
        self._samples: Any = None
        if isinstance(value, AgentAudio):
            self.samplerate, self._path, self._samples = value.samplerate, value._path, value._samples
        elif isinstance(value, (str, os.PathLike)):
            self._path = os.fspath(value)
        elif isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], int):
            self.samplerate, self._samples = value
        elif _is_array(value) or isinstance(value, list):
            self._samples = value
        else:
            raise TypeError(
                f"AgentAudio cannot be made from {type(value).__name__}; "
                "give a path, samples, or a pair (sample rate, samples)"
            )

    def to_raw(self) -> Any:
        """The samples: as they were given, or a NumPy array, samples by channels if several, read from the file.

        Reading a file also sets `samplerate` to the file's.

        Raises:
            FileNotFoundError: it was given by path, and there is no such file.
            MissingExtraError: the file is no WAV file of 16-bit samples, and the extra `audio` is not installed.
        """
        if self._samples is None:
            assert self._path is not None
            found = _read_wav(self._path)
            if found is None:
                found = _require("soundfile", "audio", "AgentAudio").read(self._path)
            self._samples, self.samplerate = found
        return self._samples

    def to_string(self) -> str:
        """The path of a file that holds the sound; a WAV file is written if there is none."""
        if self._path is None:
            path = _new_file("wav")
            _write_wav(path, _as_numpy(self._samples), self.samplerate)
            self._path = path
        return self._path

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        return _as_numpy(self.to_raw()).__array__(*args, **kwargs)

    def _repr_html_(self) -> str:
        """A player for notebooks."""
        import mimetypes
        from base64 import b64encode

        path = Path(self.to_string())
        kind = mimetypes.guess_type(path.name)[0] or "audio/wav"
        return f'<audio controls src="data:{kind};base64,{b64encode(path.read_bytes()).decode()}"></audio>'


def handle_agent_input_types(*args: Any, **kwargs: Any) -> tuple[list[Any], dict[str, Any]]:
    """Replace agent types among the arguments by what they wrap."""
    return (
        [value.to_raw() if isinstance(value, AgentType) else value for value in args],
        {name: value.to_raw() if isinstance(value, AgentType) else value for name, value in kwargs.items()},
    )


def handle_agent_output_types(output: Any, output_type: str | None = None) -> Any:
    """Wrap what a tool returned in the agent type that fits it.

    Args:
        output: What the tool returned. Returned as it is when no agent type fits, so is None.
        output_type: The tool's declared output type. It decides where it is "string", "image" or "audio" and the
            output can be one; else the output's own type decides.
    """
    if output is None or isinstance(output, AgentType):
        return output
    if output_type in _BY_OUTPUT_TYPE:
        if output_type == "string" and not isinstance(output, str):
            return output
        return _BY_OUTPUT_TYPE[output_type](output)
    if isinstance(output, str):
        return AgentText(output)
    if _is_pil_image(output):
        return AgentImage(output)
    if output_type in (None, "any") and _is_tensor(output):
        return AgentAudio(output)
    return output


_BY_OUTPUT_TYPE: Mapping[str | None, type[AgentType]] = {"string": AgentText, "image": AgentImage, "audio": AgentAudio}


def _require(module: str, extra: str, needed_for: str) -> Any:
    from smolagents._imports import require

    return require(module, extra=extra, needed_for=needed_for)


def _pil_image(needed_for: str) -> Any:
    return _require("PIL.Image", "vision", needed_for)


def _is_pil_image(value: Any) -> bool:
    # An instance can exist only where its library is already imported, so nothing is imported to find out.
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(value, module.Image)


def _is_tensor(value: Any) -> bool:
    module = sys.modules.get("torch")
    return module is not None and isinstance(value, module.Tensor)


def _is_array(value: Any) -> bool:
    module = sys.modules.get("numpy")
    return (module is not None and isinstance(value, module.ndarray)) or _is_tensor(value)


def _as_numpy(value: Any) -> Any:
    numpy = _require("numpy", "audio", "AgentAudio and AgentImage")
    if _is_tensor(value):
        value = value.detach().cpu().numpy()
    return numpy.asarray(value)


def _pixels_as_bytes(pixels: Any) -> Any:
    array = _as_numpy(pixels)
    # Tensors are channels first by custom, arrays channels last; a shape that allows only one of them decides.
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and (_is_tensor(pixels) or array.shape[2] not in (1, 3, 4)):
        array = array.transpose(1, 2, 0)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.dtype.kind == "f":
        array = (array.clip(0.0, 1.0) * 255).round()
    elif array.dtype.kind == "b":
        array = array * 255
    return array.clip(0, 255).astype("uint8")


def _read_wav(path: str) -> tuple[Any, int] | None:
    """Samples from -1 to 1 and their rate; None for a file that is no WAV file of 16-bit samples."""
    import wave

    try:
        with wave.open(path, "rb") as file:
            channels, width, rate, frames, *_ = file.getparams()
            if width != 2:
                return None
            data = file.readframes(frames)
    except (wave.Error, EOFError):
        return None
    numpy = _require("numpy", "audio", "AgentAudio")
    samples = numpy.frombuffer(data, dtype="<i2") / 32_768
    return (samples if channels == 1 else samples.reshape(-1, channels)), rate


def _write_wav(path: str, samples: Any, rate: int) -> None:
    """Write samples, frames by channels if several, as 16-bit numbers."""
    import wave

    if samples.dtype.kind == "f":
        samples = (samples.clip(-1.0, 1.0) * 32_767).round()
    with wave.open(path, "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.clip(-32_768, 32_767).astype("<i2").tobytes())


def _new_file(suffix: str) -> str:
    import tempfile

    return str(Path(tempfile.mkdtemp(prefix="smolagents-")) / f"{uuid.uuid4()}.{suffix}")
