"""Programs made by hypothesis: small, varied, always ending."""

from __future__ import annotations

from hypothesis import strategies as st

NAMES = ["a", "b", "c", "d"]
FUNCTIONS = ["f", "g"]


def _indent(lines):
    return ["    " + line for line in lines]


@st.composite
def expressions(draw, depth=3, names=tuple(NAMES)):
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        return draw(
            st.one_of(
                st.integers(-20, 20).map(str),
                st.sampled_from(names),
                st.sampled_from(
                    ["'x'", "'yz'", "True", "None", "2.5", "[]", "[1, 2]", "(3,)", "{}", "{'k': 1}", "{1, 2}"]
                ),
            )
        )
    inner = expressions(depth=depth - 1, names=names)
    kind = draw(st.integers(0, 14))
    one, two = draw(inner), draw(inner)
    if kind <= 3:
        operator = draw(st.sampled_from(["+", "-", "*", "//", "%", "/", "&", "|", "^", "<<", ">>", "**"]))
        if operator in ("**", "<<"):
            two = str(draw(st.integers(0, 5)))
        return f"({one} {operator} {two})"
    if kind == 4:
        return f"({one} {draw(st.sampled_from(['<', '<=', '==', '!=', '>', 'in', 'not in']))} {two})"
    if kind == 5:
        return f"({one} {draw(st.sampled_from(['and', 'or']))} {two})"
    if kind == 6:
        return f"({one} if {two} else {draw(inner)})"
    if kind == 7:
        return f"[{one}, {two}]"
    if kind == 8:
        return f"({one})[{two}]"
    if kind == 9:
        return f"[x for x in {one} if {draw(expressions(depth=1, names=(*names, 'x')))}]"
    if kind == 10:
        return (
            f"{draw(st.sampled_from(['len', 'str', 'list', 'sorted', 'repr', 'bool', 'sum', 'type', 'abs']))}({one})"
        )
    if kind == 11:
        return f"f'{{{one}!r}} {{{two}!s:>5}}'"
    if kind == 12:
        return f"(lambda x, y={one}: (x, y))({two})"
    if kind == 13:
        return f"{{{draw(st.sampled_from(NAMES))!r}: {one}, **dict(z={two})}}"
    return f"({draw(st.sampled_from(['not', '-', '~', '+']))} {one})"


@st.composite
def statements(draw, depth=2, loops=0):
    kind = draw(st.integers(0, 13))
    name = draw(st.sampled_from(NAMES))
    value = draw(expressions())
    if depth == 0 or kind <= 3:
        operator = draw(st.sampled_from(["=", "=", "=", "+=", "-=", "*=", "//=", "%=", "|="]))
        if operator == "*=":
            value = str(draw(st.integers(-2, 3)))
        return [f"{name} {operator} {value}"]
    block = st.lists(statements(depth=depth - 1, loops=loops), min_size=1, max_size=3).map(
        lambda parts: [line for part in parts for line in part]
    )
    if kind == 4:
        return [f"print({value}, {name})"]
    if kind == 5:
        return [f"if {value}:", *_indent(draw(block)), "else:", *_indent(draw(block))]
    if kind == 6 and loops < 2:
        body = st.lists(statements(depth=depth - 1, loops=loops + 1), min_size=1, max_size=3).map(
            lambda parts: [line for part in parts for line in part]
        )
        stop = draw(st.sampled_from(["pass", "break", "continue"]))
        return [f"for i{depth} in {draw(st.sampled_from(['range(4)', repr('abc'), '[1, 2]', name]))}:",
                *_indent([*draw(body), f"if {value}: {stop}"]), "else:", *_indent(draw(block))]  # fmt: skip
    if kind == 7 and loops < 2:
        body = draw(block)
        return [f"n{depth} = 0", f"while n{depth} < 3:", f"    n{depth} += 1", *_indent(body)]
    if kind == 8:
        error = draw(
            st.sampled_from(
                ["except TypeError as e:", "except (ValueError, KeyError):", "except Exception:", "except:"]
            )
        )
        return ["try:", *_indent(draw(block)), error, *_indent(draw(block)), "finally:", *_indent(draw(block))]
    if kind == 9:
        function = draw(st.sampled_from(FUNCTIONS))
        return [f"def {function}(x, *rest, k={value}):", *_indent(["nothing = 0", f"return (x, rest, k, {draw(expressions(names=('x', 'k')))})"]),
                f"{name} = {function}({draw(expressions(depth=1))}, 5)"]  # fmt: skip
    if kind == 10:
        return [f"class C{depth}:", f"    t = {value}", "    def __init__(self, v):", "        self.v = v",
                "        self._p = [v]", "    def m(self):", "        self._p += [1]", "        self.v *= 2",
                "        return (self.v, self._p, self.t)", f"{name} = C{depth}({draw(expressions(depth=1))}).m()"]  # fmt: skip
    if kind == 11:
        return [f"match {value}:", "    case int(q): r = ('int', q)", "    case [q, *_]: r = ('list', q)",
                "    case {'k': q}: r = ('dict', q)", "    case str() | None: r = 'text'", "    case _: r = 'other'",
                "print(r)"]  # fmt: skip
    if kind == 12:
        return ["def gen(x):", "    y = yield x", f"    yield from [{value}, y]", f"{name} = list(gen(1))"]
    return [f"{name}, *{draw(st.sampled_from(['p', 'q']))} = {value}"]


programs = st.lists(statements(), min_size=1, max_size=7).map(
    lambda parts: "\n".join(
        [
            "a, b, c, d = 1, 'two', [3], {'k': 4}",
            *(line for part in parts for line in part),
            "print(a, b, c, d)",
            "(a, b, c, d)",
        ]
    )
)
