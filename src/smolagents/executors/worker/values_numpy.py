"""NumPy arrays and scalars, as tagged JSON: the bytes of the elements, their type and the shape."""
# ruff: noqa: ARG001 - encoders and decoders have one signature

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .values_base import TAG, Trouble, bytes_to_text, encode_text, expect, json_kind, shorten, text_to_bytes

if TYPE_CHECKING:
    from .values import Decoder, Encoder

# Element types whose bytes mean the same everywhere. Long doubles differ between processors and cross as text.
_PLAIN_TYPE = re.compile(
    r"[<>|](b1|[iu][1248]|f[248]|c8|c16|[SUV][0-9]{1,9}|[mM]8(\[[0-9]{0,9}(Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\])?)"
)
_MOST_DIMENSIONS = 32
_LARGEST_ELEMENT = 2**14
"""Bytes of an element in an array that has none."""
_LARGEST_EMPTY = 2**30
"""Bytes that an array without elements would have if its dimensions of length 0 were left out."""


def numpy() -> Any:
    """The library.

    Raises:
        Trouble: it is not installed here.
    """
    try:
        import numpy as np
    except ImportError:
        raise Trouble(
            "numpy is not there where the code runs, so that its arrays and scalars cannot arrive: it comes with "
            "additional_authorized_imports=['numpy'] where numpy is installed or can be"
        ) from None
    return np


def encoder_of(value: Any) -> Any:
    """The encoder, if the value is one of NumPy's."""
    # Its instances can exist only where it is imported already.
    np: Any = sys.modules.get("numpy")
    if isinstance(value, getattr(np, "ndarray", ())):
        return _masked_array if isinstance(value, np.ma.MaskedArray) else array
    if isinstance(value, getattr(np, "generic", ())):
        return _scalar
    if isinstance(value, getattr(np, "dtype", ())):
        return _dtype
    return None


# Element types


def write_dtype(dtype: Any) -> Any:
    """Write an element type: as text such as "<f8", or, if it is structured, its fields with their offsets."""
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return {"base": write_dtype(base), "shape": list(shape)}
    if dtype.names is not None:
        fields = []
        for name in dtype.names:
            of_field, offset, *titles = dtype.fields[name]
            titles = [encode_text(title) for title in titles if isinstance(title, str)]
            fields.append([encode_text(name), write_dtype(of_field), offset, *titles])
        return {"fields": fields, "size": dtype.itemsize}
    if not _PLAIN_TYPE.fullmatch(dtype.str):
        raise Trouble(f"an array with elements of type {dtype} cannot cross; convert it with .astype(...)")
    return dtype.str


def read_dtype(decoder: Decoder, data: Any, depth: int, largest: int) -> Any:
    """Read an element type whose elements take at most `largest` bytes."""
    np = numpy()
    if depth > decoder.max_depth:
        raise Trouble("a type of elements that is nested too deeply")
    if type(data) is str:
        if not _PLAIN_TYPE.fullmatch(data):
            raise Trouble(f"unknown type of elements {shorten(repr(data))}")
        size = int(data[2:]) * (4 if data[1] == "U" else 1) if data[1] in "SUV" else 0
        if size > largest:
            raise Trouble("the elements are larger than the data")
        return np.dtype(data)
    expect(data, dict, "a type of elements")
    if data.keys() == {"base", "shape"}:
        base = read_dtype(decoder, data["base"], depth + 1, largest)
        shape = read_shape(data["shape"])
        if product(shape) * max(base.itemsize, 1) > largest:
            raise Trouble("the elements are larger than the data")
        return np.dtype((base, shape))
    if data.keys() != {"fields", "size"}:
        raise Trouble("a structured type of elements needs its fields and its size")
    size = expect(data["size"], int, "the size of an element")
    if not 0 <= size <= largest:
        raise Trouble("the elements are larger than the data")
    names, formats, offsets, titles = [], [], [], []
    for field in expect(data["fields"], list, "the fields of an element"):
        if type(field) is not list or len(field) not in (3, 4):
            raise Trouble("a field must be its name, its type, its offset and perhaps its title")
        names.append(expect(decoder.item(field[0], depth + 1), str, "the name of a field"))
        formats.append(read_dtype(decoder, field[1], depth + 1, largest))
        offsets.append(expect(field[2], int, "the offset of a field"))
        titles.append(expect(decoder.item(field[3], depth + 1), str, "a title") if len(field) == 4 else None)
    for place, offset in enumerate(offsets):
        if not 0 <= offset <= size - formats[place].itemsize:
            raise Trouble("a field lies outside its element")
    layout = {"names": names, "formats": formats, "offsets": offsets, "itemsize": size}
    return np.dtype({**layout, "titles": titles} if any(titles) else layout)


def _dtype(encoder: Encoder, value: Any, depth: int) -> Any:
    return {TAG: "numpy.dtype", "v": "|O" if value.hasobject and value.names is None else write_dtype(value)}


def _read_dtype(decoder: Decoder, data: Any, depth: int) -> Any:
    if data["v"] == "|O":
        return numpy().dtype(object)
    return read_dtype(decoder, data["v"], depth, _LARGEST_ELEMENT)


# Arrays


def array(encoder: Encoder, value: Any, depth: int) -> Any:
    np = numpy()
    value = np.asarray(value)
    written: dict[str, Any] = {TAG: "numpy.array", "shape": list(value.shape)}
    kind = value.dtype.kind
    if kind == "O" and value.dtype.names is None:
        return {**written, "dtype": "object", "v": _elements(encoder, value, depth)}
    if kind == "T":  # text of any length
        missing = getattr(value.dtype, "na_object", None)
        items = ["" if item is missing else item for item in value.ravel().tolist()]
        if items != value.ravel().tolist():
            raise Trouble("an array of text with missing values cannot cross; convert it with .astype(object)")
        return {**written, "dtype": "text", "v": encoder.items(items, depth)}
    if _is_long_double(value.dtype):
        texts = [_long_text(item) for item in value.ravel()]
        return {**written, "dtype": "longdouble" if kind == "f" else "clongdouble", "v": texts}
    dtype = write_dtype(value.dtype)
    if value.dtype.itemsize == 0 and value.size:
        raise Trouble("an array whose elements have no bytes cannot cross")
    return {**written, "dtype": dtype, "v": bytes_to_text(value.tobytes())}


def _elements(encoder: Encoder, value: Any, depth: int) -> list[Any]:
    np = numpy()
    written = []
    for index, item in enumerate(value.ravel()):
        try:
            written.append(encoder.item(item, depth + 1))
        except Trouble as trouble:
            place = ", ".join(str(n) for n in np.unravel_index(index, value.shape)) if value.ndim else "()"
            trouble.segments.append(f"[{place}]")
            raise
    return written


def _is_long_double(dtype: Any) -> bool:
    np = numpy()
    return dtype.kind in "fc" and dtype.type in (np.longdouble, np.clongdouble) and dtype.str[2:] not in ("8", "16c")


def _long_text(item: Any) -> str:
    np = numpy()
    if item.dtype.kind == "c":
        return f"{_long_text(item.real)} {_long_text(item.imag)}"
    return str(np.format_float_scientific(item)) if np.isfinite(item) else str(item)


def _long_value(text: Any, kind: str) -> Any:
    np = numpy()
    if type(text) is not str or len(text) > 200:
        raise Trouble("a long double must be a number as text")
    if kind == "longdouble":
        return np.longdouble(text)
    real, _, imaginary = text.partition(" ")
    value = np.zeros((), np.clongdouble)
    value.real, value.imag = np.longdouble(real), np.longdouble(imaginary)
    return value[()]


def read_shape(data: Any) -> tuple[int, ...]:
    if type(data) is not list or len(data) > _MOST_DIMENSIONS or any(type(n) is not int or n < 0 for n in data):
        raise Trouble(f"a shape must be at most {_MOST_DIMENSIONS} lengths, not {json_kind(data)}")
    return tuple(data)


def product(shape: Any) -> int:
    count = 1
    for length in shape:
        count *= length
    return count


def _check_shape(shape: tuple[int, ...], size: int) -> int:
    """The number of elements. An array without any must still have a shape of a reasonable size."""
    if product([n for n in shape if n]) * max(size, 1) > _LARGEST_EMPTY and 0 in shape:
        raise Trouble("an array without elements has a shape that is too large")
    return product(shape)


def _read_array(decoder: Decoder, data: Any, depth: int) -> Any:
    np = numpy()
    shape = read_shape(data["shape"])
    dtype = data["dtype"]
    if dtype in ("object", "text", "longdouble", "clongdouble"):
        items = expect(data["v"], list, "the elements of an array")
        if _check_shape(shape, 8) != len(items):
            raise Trouble(f"an array of shape {shape} cannot have {len(items)} elements")
        if dtype == "object":
            return _object_array(decoder.items(items, depth)).reshape(shape)
        if dtype == "text":
            texts = decoder.items(items, depth)
            if any(type(text) is not str for text in texts):
                raise Trouble("an array of text has an element that is not text")
            strings = getattr(getattr(np, "dtypes", None), "StringDType", None)
            return np.array(texts, dtype=strings() if strings else object).reshape(shape)
        return np.array([_long_value(text, dtype) for text in items], dtype=getattr(np, dtype)).reshape(shape)
    raw = text_to_bytes(data["v"])
    dtype = read_dtype(decoder, dtype, depth, max(len(raw), _LARGEST_ELEMENT))
    count = _check_shape(shape, dtype.itemsize)
    if count * dtype.itemsize != len(raw) or (dtype.itemsize == 0 and count):
        raise Trouble(f"an array of shape {shape} and type {shorten(str(dtype))} cannot have {len(raw)} bytes")
    if count == 0:
        return np.empty(shape, dtype)
    built = np.frombuffer(bytearray(raw), dtype).reshape(shape)
    _check_elements(built)
    return built


def _object_array(items: list[Any]) -> Any:
    np = numpy()
    built = np.empty(len(items), dtype=object)
    for index, item in enumerate(items):
        built[index] = item
    return built


def _check_elements(value: Any) -> None:
    """Refuse bytes that are no booleans and no characters: NumPy relies on them.

    Raises:
        Trouble: there are such bytes.
    """
    np = numpy()
    dtype = value.dtype
    if dtype.names is not None:
        for name in dtype.names:
            if value[name].size:
                _check_elements(value[name])
    elif dtype.kind == "b" and value.view(np.uint8).max() > 1:
        raise Trouble("a boolean must be 0 or 1")
    elif dtype.kind == "U" and dtype.itemsize:
        codes = np.ascontiguousarray(value).reshape(-1).view(np.dtype("u4").newbyteorder(dtype.byteorder))
        if codes.max() > sys.maxunicode:
            raise Trouble("not a character")


def _masked_array(encoder: Encoder, value: Any, depth: int) -> Any:
    np = numpy()
    return {
        TAG: "numpy.masked",
        "v": encoder.item(np.asarray(value.data), depth + 1),
        "mask": encoder.item(np.ma.getmaskarray(value), depth + 1),
    }


def _read_masked_array(decoder: Decoder, data: Any, depth: int) -> Any:
    np = numpy()
    value, mask = decoder.item(data["v"], depth + 1), decoder.item(data["mask"], depth + 1)
    if type(value) is not np.ndarray or type(mask) is not np.ndarray or value.shape != mask.shape:
        raise Trouble("a masked array must be two arrays of one shape")
    return np.ma.MaskedArray(value, mask=mask)


# Scalars


def _scalar(encoder: Encoder, value: Any, depth: int) -> Any:
    np = numpy()
    written: dict[str, Any] = {TAG: "numpy.scalar"}
    # An array would cut zeros off the end of these.
    if isinstance(value, np.str_):
        return {**written, "dtype": "str", "v": encode_text(value)}
    if isinstance(value, np.bytes_):
        return {**written, "dtype": "bytes", "v": bytes_to_text(value)}
    if _is_long_double(value.dtype):
        return {**written, "dtype": "longdouble" if value.dtype.kind == "f" else "clongdouble", "v": _long_text(value)}
    return {**written, "dtype": write_dtype(value.dtype), "v": bytes_to_text(value.tobytes())}


def _read_scalar(decoder: Decoder, data: Any, depth: int) -> Any:
    np = numpy()
    dtype = data["dtype"]
    if dtype == "str":
        return np.str_(expect(decoder.item(data["v"], depth + 1), str, "a text"))
    if dtype in ("longdouble", "clongdouble"):
        return _long_value(data["v"], dtype)
    raw = text_to_bytes(data["v"])
    if dtype == "bytes":
        return np.bytes_(raw)
    dtype = read_dtype(decoder, dtype, depth, len(raw))
    if dtype.itemsize != len(raw) or not raw or dtype.subdtype is not None:
        raise Trouble(f"a scalar of type {shorten(str(dtype))} cannot have {len(raw)} bytes")
    built = np.frombuffer(bytearray(raw), dtype)
    _check_elements(built)
    return built[0]


DECODERS: dict[str, tuple[Callable[[Any, Any, int], Any], str, str]] = {
    "numpy.array": (_read_array, "dtype shape v", ""),
    "numpy.masked": (_read_masked_array, "v mask", ""),
    "numpy.scalar": (_read_scalar, "dtype v", ""),
    "numpy.dtype": (_read_dtype, "v", ""),
}
"""By tag: the decoder, the keys that its object has, and those it may have."""
