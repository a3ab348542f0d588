"""What runs inside of the interpreter, before the code: the other end of tools and values.

This is the first thing that a session runs. It is Python that Monty knows; nothing outside of the interpreter imports
it. Values leave the interpreter as JSON in the form of the codec, so that nothing that the code makes up is turned
into objects of the host unchecked. Names that the code could change are kept in the scope of the function.
"""

from __future__ import annotations

from typing import Any


def open_session(host: Any, token: str, most_elements: int, most_characters: int) -> Any:
    """Make the functions that the code and its host meet by.

    Args:
        host: Calls the host with the name of what is called and JSON; answers with the result.
        token: Marks, in values that come from the host, what stands for a tool or a named tuple.
        most_elements: Elements that a value of a piece of code may have; 16 characters count as one.
        most_characters: Characters of the text that is told of a value that has no form outside.

    Returns:
        Three functions: one makes the tool of a name, one tells the value of a piece of code, one puts into a
        value from the host what is marked in it.
    """
    import json
    from base64 import b64encode
    from collections import Counter, defaultdict, deque, namedtuple
    from dataclasses import is_dataclass
    from datetime import date, datetime, time, timedelta, timezone
    from decimal import Decimal
    from pathlib import Path

    dumps = json.dumps
    limit = 2**63
    plain = {str, bool, type(None)}
    numbers = {int, float}
    infinity = float("inf")
    factories = [
        (int, "int"), (float, "float"), (bool, "bool"), (str, "str"), (bytes, "bytes"), (list, "list"),
        (dict, "dict"), (set, "set"), (tuple, "tuple"),
    ]  # fmt: skip
    views = {type({}.keys()), type({}.values()), type({}.items())}
    a_class, a_function = type(int), type(lambda: None)
    # The code can give these names other meanings; here they keep theirs.
    kind_of, length, is_instance, text_of, shown, attribute = type, len, isinstance, str, repr, getattr
    hexadecimal, enumerate_, base_exception = hex, enumerate, BaseException
    int_, str_, bytes_, complex_, range_ = int, str, bytes, complex, range
    list_, dict_, tuple_, set_, frozenset_ = list, dict, tuple, set, frozenset
    ellipsis_, not_implemented = ..., NotImplemented
    named = token + "#namedtuple"
    named_tuples: Any = {}
    type_error, attribute_error, recursion_error, exception = TypeError, AttributeError, RecursionError, Exception

    def encode(value: Any) -> Any:
        kind = kind_of(value)
        if kind in plain:
            return value
        if kind in numbers:
            return encode_number(value, kind)
        if kind is list_:
            return encode_items(value)
        if kind is dict_:
            return encode_dict(value)
        return encode_other(value, kind)

    def encode_number(value: Any, kind: Any) -> Any:
        if kind is int_:
            return value if -limit <= value <= limit else {"$": "int", "v": hexadecimal(value)}
        if value != value:  # noqa: PLR0124 - what is not a number
            return {"$": "float", "v": "nan"}
        if value in (infinity, -infinity):
            return {"$": "float", "v": "inf" if value > 0 else "-inf"}
        return value

    def encode_items(values: Any) -> Any:
        return [value if kind_of(value) in plain else encode(value) for value in values]

    def encode_pairs(values: Any) -> Any:
        return [[encode(key), encode(value)] for key, value in values.items()]

    def encode_dict(values: Any) -> Any:
        if "$" in values:
            return {"$": "dict", "v": encode_pairs(values)}
        for key in values:
            if kind_of(key) is not str_:
                return {"$": "dict", "v": encode_pairs(values)}
        return {key: value if kind_of(value) in plain else encode(value) for key, value in values.items()}

    def encode_other(value: Any, kind: Any) -> Any:
        if kind is tuple_:
            return {"$": "tuple", "v": encode_items(value)}
        if kind is set_:
            return {"$": "set", "v": encode_items(value)}
        if kind is frozenset_:
            return {"$": "frozenset", "v": encode_items(value)}
        if kind is bytes_:
            return {"$": "bytes", "v": b64encode(value).decode()}
        if kind is complex_:
            return {"$": "complex", "v": [shown(value.real), shown(value.imag)]}
        if kind is Decimal:
            return {"$": "decimal", "v": text_of(value)}
        if kind in views:
            return encode_items(value)
        if kind is range_:
            count = length(value)
            step = value[1] - value[0] if count > 1 else 1
            ends = [value[0], value[-1] + step, step] if count else [0, 0, 1]
            return {"$": "range", "v": encode_items(ends)}
        if value is ellipsis_ or value is not_implemented:
            return {"$": "constant", "v": shown(value)}
        return encode_named(value, kind)

    def encode_named(value: Any, kind: Any) -> Any:
        if kind is datetime:
            written = {"$": "datetime", "v": value.replace(tzinfo=None).isoformat()}
            if value.tzinfo is not None:
                written["tz"] = encode_zone(value.utcoffset(), value.tzname())
            return written
        if kind is date:
            return {"$": "date", "v": [value.year, value.month, value.day]}
        if kind is timedelta:
            return encode_duration("timedelta", value)
        if kind is time:
            written = {"$": "time", "v": value.replace(tzinfo=None).isoformat()}
            if value.tzinfo is not None:
                written["tz"] = encode_zone(value.utcoffset(), value.tzname())
            return written
        if kind is timezone:
            return encode_zone(value.utcoffset(None), value.tzname(None))
        if is_instance(value, Path):
            return {"$": "path", "v": text_of(value), "of": "posix"}
        if is_instance(value, deque):
            written = {"$": "deque", "v": encode_items(value)}
            if value.maxlen is not None:
                written["maxlen"] = value.maxlen
            return written
        if is_instance(value, Counter):
            return {"$": "counter", "v": encode_pairs(value)}
        if is_instance(value, defaultdict):
            written = {"$": "defaultdict", "v": encode_pairs(value)}
            for factory, name in factories:
                if value.default_factory is factory:
                    written["factory"] = name
            return written
        if is_instance(value, tuple_):
            return encode_fields("namedtuple", value, kind, value._fields)
        if is_instance(value, base_exception):
            return {"$": "exception", "type": name_of(kind), "message": text_of(value)}
        return encode_object(value, kind)

    def encode_duration(tag: str, value: Any) -> Any:
        return {"$": tag, "v": [value.days, value.seconds, value.microseconds]}

    def encode_zone(offset: Any, name: Any) -> Any:
        written = encode_duration("timezone", offset)
        if name != timezone(offset).tzname(None):
            written["name"] = name
        return written

    def encode_fields(tag: str, value: Any, kind: Any, names: Any) -> Any:
        fields = {name: encode(attribute(value, name)) for name in names}
        return {"$": tag, "type": "inside:" + name_of(kind), "v": fields}

    def encode_object(value: Any, kind: Any) -> Any:
        if kind is a_class or kind is a_function:
            raise type_error
        try:
            number = value.number_of_handle_()
        except attribute_error:
            number = None
        if number is not None:
            return {"$": "tool", "v": text_of(number)}
        if is_dataclass(value):
            written = encode_fields("dataclass", value, kind, kind.__annotations__)
            written["flags"] = ["eq"]
            return written
        raise type_error

    def name_of(kind: Any) -> str:
        try:
            return text_of(kind.__name__)
        except attribute_error:
            return shown(kind)

    def trouble(value: Any, where: str, depth: int) -> Any:
        """What is wrong with a value that was not encoded, and where; None if nothing is."""
        try:
            encode(value)
        except recursion_error:
            if depth > 90:
                return where[:100] + "…: it contains itself or is nested too deeply; pass a flatter value"
        except exception:
            pass
        else:
            return None
        kind = kind_of(value)
        parts: Any = []
        if is_instance(value, dict_):
            parts = [(value[key], where + "[" + shown(key)[:60] + "]") for key in value]
        elif is_instance(value, (list_, tuple_, set_, frozenset_, deque)):
            parts = [(item, where + "[" + text_of(index) + "]") for index, item in enumerate_(value)]
        elif kind is not a_class and is_dataclass(value):
            parts = [(attribute(value, name, None), where + "." + name) for name in kind.__annotations__]
        for part, place in parts:
            found = trouble(part, place, depth + 1)
            if found is not None:
                return found
        return where + ": " + described(value, kind)

    def described(value: Any, kind: Any) -> str:
        text: str = shown(value)[:60]
        if "coroutine" in text_of(kind):
            return text + " cannot leave the code; await it first"
        if "iterator" in text or "generator" in text or "itertools" in text:
            return text + " cannot leave the code; pass list(...) of it"
        if kind is a_class or kind is a_function or kind is kind_of(length):
            return text + " cannot leave the code; pass data, not functions or classes"
        if text_of(kind) == "<class 'module'>":
            return text + " cannot leave the code; pass what you need of it"
        return "an object of class " + name_of(kind) + " cannot leave the code; pass a dict or a dataclass"

    def tool(name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                data = dumps([encode_items(args), {key: encode(value) for key, value in kwargs.items()}])
            except exception:
                data = None
            if data is None:
                for index, value in enumerate_(args):
                    refuse(value, "argument " + text_of(index + 1) + " of " + name + "()")
                for key, value in kwargs.items():
                    refuse(value, "argument " + key + " of " + name + "()")
            result = host(name, data)
            if kind_of(result) is tuple_ and length(result) == 2 and result[0] == token:
                return revive(result[1])
            return result

        return call

    def refuse(value: Any, where: str) -> None:
        found = trouble(value, where, 0)
        if found is not None:
            raise type_error(found)

    def output(value: Any) -> None:
        kind = kind_of(value)
        data = None
        if length_of(value, 0) > most_elements:
            text = "<a " + kind.__name__ + " of length " + text_of(length(value)) + ", too large to be told>"
        else:
            try:
                data = dumps(encode(value))
            except exception:
                text = shown(value)[:most_characters]
        if data is None:
            host("@text", dumps([name_of(kind), text]))
        else:
            host("@value", data)

    def length_of(value: Any, depth: int) -> int:
        """Roughly how much a value would be to tell."""
        if kind_of(value) is str_ or kind_of(value) is bytes_:
            return 1 + length(value) // 16
        if depth > 100 or not is_instance(value, (list_, dict_, tuple_, set_, frozenset_, deque)):
            return 1
        total = length(value)
        if total <= most_elements:
            for item in value.values() if is_instance(value, dict_) else value:
                total = total + length_of(item, depth + 1)
                if total > most_elements:
                    break
        return total

    def make_named(name: str, fields: Any, items: Any) -> Any:
        key = name + " " + " ".join(fields)
        if key not in named_tuples:
            named_tuples[key] = namedtuple(name, fields)
        return named_tuples[key](*items)

    def revive(value: Any) -> Any:
        kind = kind_of(value)
        if kind is str_:
            return tool(value[length(token) :]) if value.startswith(token) else value
        if kind is list_:
            return [revive(item) for item in value]
        if kind is tuple_:
            if length(value) == 4 and value[0] == named:
                return make_named(value[1], value[2], revive(value[3]))
            return tuple_([revive(item) for item in value])
        if kind is dict_:
            return {key: revive(item) for key, item in value.items()}
        return value

    return tool, output, revive
