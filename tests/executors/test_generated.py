"""Programs and attacks that nobody wrote: generated, and mutated."""

from __future__ import annotations

import os
import random
import time

import pytest
from attacks import ESCAPES
from differential import natively, through
from hypothesis import HealthCheck, given, settings
from programs import programs
from test_attacks import attack

SECONDS = float(os.environ.get("SMOLAGENTS_FUZZ_SECONDS", "10"))
"""How long the fuzzer of attacks works; at most 60 in continuous integration."""


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs)
def test_programs_do_what_they_do_natively(source):
    assert through(source) == natively(source)


WAYS_TO_READ = [
    "({obj}.{name})", "getattr({obj}, '{name}')", "getattr({obj}, '{half}' + '{rest}')", "[{obj}.{name} for _ in [1]][0]",
    "(lambda o: o.{name})({obj})", "operator.attrgetter('{name}')({obj})", "object.__getattribute__({obj}, '{name}')",
    "{obj}.__getattribute__('{name}')", "type({obj}).__getattribute__({obj}, '{name}')", "vars({obj})['{name}']",
    "{obj}.__dict__['{name}']", "getattr({obj}, S('{name}'))", "list(map(getattr, [{obj}], ['{name}']))[0]",
    "functools.partial(getattr, {obj})('{name}')", "'{{0.{name}}}'.format({obj})", "str.format('{{0.{name}}}', {obj})",
    "string.Formatter().get_field('0.{name}', ({obj},), {{}})[0]", "functools.reduce(getattr, ['{name}'], {obj})",
    "match_it({obj}, '{name}')", "augmented({obj}, '{name}')", "(yield_it := {obj}.{name})", "f'{{{obj}.{name}}}'",
    "getattr(super(type({obj}), {obj}), '{name}')", "vars(type({obj}))['{name}'].__get__({obj})",
    "type({obj}).{name}.__get__({obj})", "operator.methodcaller('__getattribute__', '{name}')({obj})",
    "copy.copy({obj}).{name}", "'%s' % {obj}.{name}",
]  # fmt: skip
OBJECTS = [
    "f", "gen", "A", "A()", "A().m", "print", "len", "getattr", "int", "object", "type", "()", "''", "search", "random",
    "random.Random", "random.choice", "queue", "queue.Queue", "queue.Queue.put", "functools.partial(len)", "err",
    "string.Formatter", "operator.attrgetter('x')", "globals()", "leaked.append", "super(A, A())", "property(f)", "S",
    "functools.lru_cache(f)", "contextlib.suppress()", "dataclasses.dataclass(A)", "iter([])", "coroutine", "json.dumps",
]  # fmt: skip
SECRETS = [
    "__globals__", "__code__", "__closure__", "__builtins__", "__subclasses__", "gi_frame", "gi_code", "cr_frame",
    "__traceback__", "tb_frame", "f_globals", "f_back", "_os", "threading", "sys", "__loader__", "__spec__",
    "__reduce_ex__", "__objclass__",
]  # fmt: skip
SETTING = """
import random, queue, functools, operator, string, contextlib, dataclasses, json, copy
class S(str):
    def __eq__(self, other): return False
    def __hash__(self): return 1
    def startswith(self, *a): return False
def f(): pass
class A:
    def m(self): pass
class Probe:
    def __radd__(self, other): return other
def g():
    yield 1
gen = g()
async def co(): pass
coroutine = co()
coroutine.close()
try:
    1 / 0
except Exception as e:
    err = e
def match_it(o, n):
    M = type('M', (type,), {'__instancecheck__': lambda c, x: True})
    B = M('B', (), {'__match_args__': (n,)})
    match o:
        case B(x): return x
def augmented(o, n):
    raise ValueError
"""


def reaches_the_host(value) -> bool:
    """Whether a value is one that only the host may hold."""
    import types

    if isinstance(value, dict):
        return "__builtins__" in value or "system" in value or "@attr" in value
    if isinstance(value, types.ModuleType):
        return value in (random, os) or "system" in vars(value)
    if isinstance(value, (types.FrameType, types.CodeType)):
        return True
    if isinstance(value, str):
        return "'__builtins__'" in value or "<frame" in value or "<code object" in value or "<module 'os'" in value
    if isinstance(value, (types.BuiltinMethodType, types.MethodType)):
        return value.__name__ == "__subclasses__" and value.__self__ in (object, type, int, str)
    return type(value).__name__ in ("ModuleSpec", "cell") or (isinstance(value, list) and object in value)


@pytest.mark.filterwarnings("ignore")
def test_fuzzed_attacks_reach_nothing():
    chance = random.Random(os.environ.get("SMOLAGENTS_FUZZ_SEED", "0"))
    end = time.monotonic() + SECONDS
    tried = 0
    while time.monotonic() < end:
        name = chance.choice(SECRETS)
        lines = []
        for _ in range(8):
            obj = chance.choice(OBJECTS)
            expression = obj
            for secret in [name, *chance.choices(SECRETS, k=chance.randrange(2))]:
                way = chance.choice(WAYS_TO_READ)
                expression = way.format(obj=expression, name=secret, half=secret[:3], rest=secret[3:])
            lines.append(f"try:\n    leaked.append({expression})\nexcept Exception:\n    pass")
        source = "\n".join(lines)
        leaked, _ = attack(SETTING + source)
        tried += len(lines)
        found = [value for value in leaked if reaches_the_host(value)]
        assert found == [], source
    assert tried > 100


MUTATIONS = [
    lambda source, chance: source.replace("found(", "(lambda v: found(v))("),
    lambda source, chance: "def run():\n" + "\n".join("    " + line for line in source.split("\n")) + "\nrun()",
    lambda source, chance: "class Holder:\n" + "\n".join("    " + line for line in source.split("\n")),
    lambda source, chance: "try:\n" + "\n".join("    " + line for line in source.split("\n")) + "\nexcept Exception:\n    pass",
    lambda source, chance: "for _ in [1]:\n" + "\n".join("    " + line for line in source.split("\n")),
    lambda source, chance: "async def run():\n" + "\n".join("    " + line for line in source.split("\n")) + "\nawait run()",
    lambda source, chance: source.replace("()", "(*[])", 1),
    lambda source, chance: source.replace("'", '"'),
    lambda source, chance: source + "\n" + chance.choice(list(ESCAPES.values())),
    lambda source, chance: chance.choice(list(ESCAPES.values())) + "\n" + source,
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
def test_mutated_attacks_reach_nothing():
    chance = random.Random(os.environ.get("SMOLAGENTS_FUZZ_SEED", "1"))
    cheap = [source for source in ESCAPES.values() if "numpy" not in source and "pandas" not in source]
    end = time.monotonic() + SECONDS / 2
    while time.monotonic() < end:
        source = chance.choice(cheap)
        for _ in range(chance.randrange(1, 4)):
            source = chance.choice(MUTATIONS)(source, chance)
        leaked, _ = attack(source)
        assert leaked == [], source
