"""Attacks on the in-process guard, each as the attack itself.

An attack succeeds if it reaches the canary: it calls `pwned(...)`, a function of the host that lives in a module the
code is not authorised to import, or leaves a value that only the host holds. Every attack is told how to reach it.
"""

from __future__ import annotations

PRELUDE = """
def found(x):
    leaked.append(x)
"""

PICKLED = """
class Far:
    data, place = b"cos\\ngetpid\\n(tR.", 0
    def read(self, n=-1):
        start, self.place = self.place, len(self.data) if n < 0 else min(self.place + n, len(self.data))
        return self.data[start:self.place]
    def readline(self, n=-1):
        end = self.data.find(b"\\n", self.place) + 1
        return self.read((end or len(self.data)) - self.place)
    def seek(self, offset, whence=0):
        self.place = offset if whence == 0 else max(self.place + offset, 0)
        return self.place
    def tell(self): return self.place
    def write(self, data): pass
    def __iter__(self): return iter(())
"""

ESCAPES = {
    # the classic walk over classes
    "subclasses": "found(().__class__.__bases__[0].__subclasses__())",
    "subclasses by mro": "found(''.__class__.__mro__[1].__subclasses__())",
    "subclasses by type": "found(type.__subclasses__(object))",
    "subclasses by base": "found(int.__base__.__subclasses__())",
    "subclasses by object": "found(object.__subclasses__())",
    "subclasses by getattr": "found(getattr(object, '__sub' + 'classes__')())",
    "subclasses by type dict": "found(vars(type)['__subclasses__'](object))",
    "subclasses by getattribute": "found(object.__getattribute__(object, '__subclasses__'))",
    "subclasses by type getattribute": "found(type.__getattribute__(object, '__subclasses__')())",
    "subclasses by super": "class A: pass\nfound(super(A, A()).__class__.__subclasses__())",
    # functions to their globals and code
    "globals of own function": "def f(): pass\nfound(f.__globals__['__builtins__'])",
    "globals of library function": "import random\nfound(random.choice.__globals__)",
    "globals of bound method": "import random\nfound(random.choice.__func__.__globals__)",
    "globals of init": "import queue\nfound(queue.Queue.__init__.__globals__)",
    "globals by getattr": "import queue\nfound(getattr(queue.Queue.__init__, '__globals__'))",
    "globals of print": "found(print.__globals__)",
    "globals of getattr": "found(getattr.__func__.__globals__)",
    "self of builtin": "found(print.__self__)\nfound(len.__self__)",
    "builtins of function": "def f(): pass\nfound(f.__builtins__)",
    "code": "def f(): pass\nfound(f.__code__)",
    "code replaced": "def f(): pass\ndef g(): return 1\nf.__code__ = g.__code__\nfound(f)",
    "code replaced by setattr": "def f(): pass\nsetattr(f, '__code__', 5)\nfound(f)",
    "code of lambda by replace": "found((lambda: 0).__code__.replace(co_consts=()))",
    "closure": "def f():\n    x = 1\n    def g(): return x\n    return g\nfound(f().__closure__)",
    "function type": "F = type(lambda: 0)\nfound(F(compile('1', '', 'eval'), {}))",
    "wrapped": "import functools\nfound(functools.lru_cache(len).__wrapped__.__self__)",
    # frames, generators, coroutines, tracebacks
    "generator frame": "g = (x for x in [1])\nfound(g.gi_frame.f_globals)",
    "generator frame by getattr": "g = (x for x in [1])\nfound(getattr(g, 'gi_frame'))",
    "generator frame by class": "g = (x for x in [1])\nfound(type(g).gi_frame.__get__(g))",
    "generator code": "g = (x for x in [1])\nfound(g.gi_code)",
    "generator frame back": "def g():\n    found(me.gi_frame.f_back.f_back.f_globals)\n    yield\nme = g()\nnext(me)",
    "coroutine frame": "async def f(): pass\nc = f()\ntry:\n    found(c.cr_frame)\nfinally:\n    c.close()",
    "async generator frame": "async def f():\n    yield\nfound(f().ag_frame)",
    "traceback": "try:\n    1 / 0\nexcept Exception as e:\n    found(e.__traceback__.tb_frame)",
    "traceback by exit": "class C:\n    def __enter__(self): pass\n    def __exit__(self, t, v, tb):\n"
    "        found(tb.tb_frame.f_globals)\n        return True\nwith C():\n    1 / 0",
    "traceback by exit and getattr": "class C:\n    def __enter__(self): pass\n    def __exit__(self, t, v, tb):\n"
    "        found(getattr(tb, 'tb_frame'))\n        return True\nwith C():\n    1 / 0",
    "traceback by format": "class C:\n    def __enter__(self): pass\n    def __exit__(self, t, v, tb):\n"
    "        found('{0.tb_frame.f_globals}'.format(tb))\n        return True\nwith C():\n    1 / 0",
    "traceback by context": "try:\n    try:\n        1 / 0\n    except Exception as e:\n        raise KeyError\n"
    "except KeyError as e:\n    found(e.__context__.__traceback__)",
    "frame attribute in match": "g = (x for x in [1])\nmatch g:\n    case object(gi_frame=f):\n        found(f)",
    # getattr's relatives
    "attrgetter": "from operator import attrgetter\nfound(attrgetter('__class__.__subclasses__')(int))",
    "attrgetter globals": "import operator, random\nfound(operator.attrgetter('__func__.__globals__')(random.choice))",
    "methodcaller": "from operator import methodcaller\nfound(methodcaller('__subclasses__')(object))",
    "methodcaller format": "from operator import methodcaller\n"
    "def f(): pass\nfound(methodcaller('format', f)('{0.__globals__}'))",
    "partial getattr": "from functools import partial\nfound(partial(getattr, object)('__subclasses__')())",
    "map getattr": "found(list(map(getattr, [object], ['__subclasses__'])))",
    "reduce getattr": "from functools import reduce\n"
    "found(reduce(getattr, ['__class__', '__base__', '__subclasses__'], ()))",
    "lying str": "class S(str):\n    def __eq__(self, o): return False\n    def __hash__(self): return 1\n"
    "    def __getitem__(self, i): return 'a'\n    def startswith(self, *a): return False\n"
    "found(getattr(object, S('__subclasses__')))",
    "lying str in attrgetter": "import operator\nclass S(str):\n    def split(self, *a): return ['real']\n"
    "found(operator.attrgetter(S('__class__.__base__.__subclasses__'))(1))",
    "lying str in setattr": "class S(str):\n    def startswith(self, *a): return False\n    def __getitem__(self, i): return 'x'\n"
    "def f(): pass\nsetattr(f, S('__code__'), (lambda: 1))\nfound(f)",
    "lying str in format": "class S(str):\n    def __contains__(self, x): return False\n"
    "def f(): pass\nfound(S('{0.__globals__}').format(f))",
    "dunder getattribute of object": "def f(): pass\nfound(object.__getattribute__(f, '__globals__'))",
    "dunder getattribute bound": "def f(): pass\nfound(f.__getattribute__('__globals__'))",
    "getattribute through super": "class A:\n    def leak(self, n): return super().__getattribute__(n)\n"
    "found(A().leak('__class__').__base__.__subclasses__())",
    "dict of class": "found(object.__dict__['__subclasshook__'].__get__)\nfound(type.__dict__['__subclasses__'])",
    "vars of function type": "found(vars(type(lambda: 0))['__globals__'].__get__(print))",
    "vars of module": "import random\nfound(vars(random)['_os'])",
    "dict of module": "import random\nfound(random.__dict__['_os'])",
    "getset descriptor": "def f(): pass\nfound(type(f).__globals__.__get__(f))",
    # format strings
    "format": "def f(): pass\nfound('{0.__globals__}'.format(f))",
    "format keyword": "def f(): pass\nfound('{f.__globals__[leaked]}'.format(f=f))",
    "format_map": "def f(): pass\nfound('{f.__globals__}'.format_map({'f': f}))",
    "format unbound": "def f(): pass\nfound(str.format('{0.__globals__}', f))",
    "format passed around": "def f(): pass\nfound(list(map('{0.__globals__}'.format, [f])))",
    "format unbound mapped": "def f(): pass\nfound(list(map(str.format, ['{0.__globals__}'], [f])))",
    "format by getattr": "def f(): pass\nfound(getattr('{0.__globals__}', 'format')(f))",
    "format by super": "class S(str):\n    def go(self, *a): return super().format(*a)\n"
    "def f(): pass\nfound(S('{0.__globals__}').go(f))",
    "format by subclass attribute": "class S(str): pass\ndef f(): pass\nfound(S.format('{0.__globals__}', f))",
    "format by vars": "def f(): pass\nfound(vars(str)['format']('{0.__globals__}', f))",
    "format nested": "def f(): pass\nfound('{0:{1.__globals__}}'.format(1, f))",
    "format by getattribute": "def f(): pass\nfound('{0.__globals__}'.__getattribute__('format')(f))",
    "string.Formatter": "import string\ndef f(): pass\nfound(string.Formatter().format('{0.__globals__}', f))",
    "string.Formatter get_field": "import string\ndef f(): pass\n"
    "found(string.Formatter().get_field('0.__globals__', (f,), {}))",
    # class patterns
    "match keyword": "def f(): pass\nmatch f:\n    case object(__globals__=g):\n        found(g)",
    "match positional": "class M(type):\n    def __instancecheck__(c, o): return True\n"
    "class A(metaclass=M):\n    __match_args__ = ('__globals__',)\ndef f(): pass\n"
    "match f:\n    case A(g):\n        found(g)",
    "match positional by type": "class M(type):\n    def __instancecheck__(c, o): return True\n"
    "A = M('A', (), {'__match_args__': ('__globals__',)})\ndef f(): pass\nmatch f:\n    case A(g):\n        found(g)",
    "match positional by metaclass attribute": "class M(type):\n    def __instancecheck__(c, o): return True\n"
    "    @property\n    def __match_args__(c): return ('__globals__',)\n"
    "class A(metaclass=M): pass\ndef f(): pass\nmatch f:\n    case A(g):\n        found(g)",
    "match args set later": "class M(type):\n    def __instancecheck__(c, o): return True\n"
    "class A(metaclass=M): pass\nA.__match_args__ = ('__globals__',)\ndef f(): pass\n"
    "match f:\n    case A(g):\n        found(g)",
    "match args set by setattr": "class A: pass\nsetattr(A, '__match_args__', ('__dict__',))\n"
    "match A():\n    case A(g):\n        found(g)",
    "match args of lying strings": "class S(str): pass\nclass M(type):\n    def __instancecheck__(c, o): return True\n"
    "class A(metaclass=M):\n    __match_args__ = (S('__globals__'),)\ndef f(): pass\nmatch f:\n    case A(g):\n        found(g)",
    # reading and writing by other syntax (CVE-2025-9959 and CVE-2026-4963)
    "augmented read": "class P:\n    def __radd__(self, o):\n        found(o)\n        return 1\n"
    "def f(): pass\nf.__globals__ += P()",
    "augmented code": "class P:\n    def __radd__(self, o):\n        found(o)\n        return o\n"
    "def f(): pass\nf.__code__ += P()",
    "augmented private": "import random\nclass P:\n    def __radd__(self, o):\n        found(o)\n        return 1\n"
    "random._os += P()",
    "augmented module attribute": "import queue\nclass P:\n    def __radd__(self, o):\n        found(o)\n        return 1\n"
    "queue.threading += P()",
    "with as": "class C:\n    def __enter__(self): return lambda: leaked\n    def __exit__(self, *a): pass\n"
    "def f(): pass\nwith C() as f.__code__:\n    found(f)",
    "for target": "def f(): pass\nfor f.__code__ in [1]:\n    found(f)",
    "unpacking target": "def f(): pass\n(a, f.__globals__) = 1, 2\nfound(f)",
    "delete": "def f(): pass\ndel f.__globals__\nfound(f)",
    "hasattr probe": "def f(): pass\nif hasattr(f, '__globals__'):\n    found(f)",
    "delattr": "def f(): pass\ndelattr(f, '__code__')\nfound(f)",
    "class assignment": "import random\nclass A: pass\nr = random.Random()\nr.__class__ = A\nfound(r)",
    "with on a class": "class A:\n    __enter__ = lambda s: s.__class__.__base__.__subclasses__()\n"
    "    def __exit__(s, *a): pass\nwith A() as x:\n    found(x)",
    # modules by traversal (CVE-2025-5120)
    "random._os": "import random\nfound(random._os.system)",
    "queue.threading": "import queue\nfound(queue.threading._sys.modules['os'])",
    "statistics.sys": "import statistics\nfound(statistics.sys)",
    "collections.sys": "import collections\nfound(collections._sys)",
    "datetime.sys": "import datetime\nfound(datetime.sys)",
    "re traversal": "import re\nfound(re.enum.sys)\n",
    "re compiler traversal": "import re\nfound(re._compiler._sre)",
    "from random import _os": "from random import _os\nfound(_os)",
    "from queue import threading": "from queue import threading\nfound(threading)",
    "star import": "from random import *\nfound(_os)",
    "star import of queue": "from queue import *\nfound(threading)",
    "getattr of module": "import random\nfound(getattr(random, '_os'))",
    "module getattr hook": "import queue\nfound(queue.__getattr__('threading'))",
    "dataclasses types": "import dataclasses\nfound(dataclasses.sys.modules)",
    "functools traversal": "import functools\nfound(functools.get_cache_token.__globals__)",
    "typing sys": "import typing\nfound(typing.sys)",
    "enum sys": "import enum\nfound(enum.sys)",
    "contextlib os": "import contextlib\nfound(contextlib.os)",
    "json codecs": "import json\nfound(json.codecs.builtins)\nfound(json.decoder.scanner)\n"
    "found(json.codecs.open('/etc/hostname'))",
    "string re": "import string\nfound(string._re)",
    "operator builtins": "import operator\nfound(operator.builtins)",
    "types functions": "import types\nfound(types.CodeType)",
    "loader of module": "import math\nfound(math.__loader__)",
    "loader load_module": "import math\nfound(math.__loader__.load_module('os'))",
    "spec of module": "import math\nfound(math.__spec__.loader)",
    "builtins name": "found(__builtins__)",
    "builtins subscript": "found(__builtins__['__import__'])",
    "builtins by globals": "found(globals()['__builtins__'])",
    "builtins by vars": "found(vars()['__builtins__'])",
    "builtins by locals": "found(locals()['__builtins__'])",
    "guard by globals": "found(globals()['@attr'])",
    "import os": "import os\nfound(os)",
    "import os.path": "import os.path as p\nfound(p)",
    "import builtins": "import builtins\nfound(builtins)",
    "import subprocess": "import subprocess\nfound(subprocess)",
    "import posix": "import posix\nfound(posix)",
    "import sys": "import sys\nfound(sys.modules)",
    "import ctypes": "import ctypes\nfound(ctypes)",
    "import pickle": "import pickle\nfound(pickle)",
    "import importlib": "import importlib\nfound(importlib.import_module('os'))",
    "import inspect": "import inspect\nfound(inspect.currentframe())",
    "import gc": "import gc\nfound(gc.get_objects())",
    "import by function": "found(__import__('os'))",
    "import by function with list": "found(__import__('os', {}, {}, []))",
    "import by lying str": "class S(str):\n    def __str__(self): return 'math'\n    def split(self, *a): return ['math']\n"
    "    def partition(self, *a): return ('math', '', '')\n    def __eq__(self, o): return o == 'math'\n"
    "    def __hash__(self): return hash('math')\nfound(__import__(S('os')))",
    "import alias": "import os as math\nfound(math)",
    "relative import": "from . import executor\nfound(executor)",
    "import the executor": "import smolagents.executors.local\nfound(smolagents)",
    "module constructor": "import math\nfound(type(math)('os').system)",
    # functions that run code or touch files
    "eval": "found(eval('1'))",
    "exec": "exec('found(1)')",
    "compile": "found(compile('1', '', 'eval'))",
    "open": "found(open('/etc/hostname').read())",
    "input": "found(input())",
    "breakpoint": "breakpoint()\nfound(1)",
    "help": "help()\nfound(1)",
    "eval through map": "found(list(map(eval, ['1'])))",
    "dataclass field names": "from dataclasses import dataclass\n"
    "class A:\n    __annotations__ = {'x, y=leaked.append(1)': int}\nA = dataclass(A)\nfound(A)",
    "make_dataclass names": "from dataclasses import make_dataclass\nclass S(str):\n    def isidentifier(self): return True\n"
    "A = make_dataclass('A', [S('x=found(1)')])\nfound(A)",
    "namedtuple names": "from collections import namedtuple\nclass S(str):\n    def isidentifier(self): return True\n"
    "    def __str__(self): return self\n    def startswith(self, *a): return False\n"
    "A = namedtuple('A', [S('x=().__class__')])\nfound(A)",
    "type hints": "import typing\nclass A:\n    x: '().__class__.__base__.__subclasses__()'\nfound(typing.get_type_hints(A))",
    "type hints in another module": "import typing\nclass A:\n    x: '__import__(\"os\").system'\nA.__module__ = 'os'\n"
    "found(typing.get_type_hints(A))",
    "forward reference": "import typing\nr = typing.get_args(typing.List['().__class__.__base__.__subclasses__()'])[0]\n"
    "found(r._evaluate({}, {}, frozenset()))",
    "forward reference class": "import typing\nfound(typing.ForwardRef('1'))",
    "singledispatch annotations": "import functools\n@functools.singledispatch\ndef f(x): pass\n"
    "@f.register\ndef g(x: '().__class__.__base__.__subclasses__()'): pass\nfound(g)",
    "singledispatch annotations set later": "import functools\n@functools.singledispatch\ndef f(x): pass\n"
    "def g(x): pass\ng.__annotations__['x'] = '[c for c in ().__class__.__base__.__subclasses__()]'\n"
    "f.register(g)\nfound(g)",
    "update_wrapper assigned": "import functools\nclass A:\n    def __setattr__(self, n, v): found(v)\n"
    "functools.update_wrapper(A(), found, assigned=['__globals__'])",
    "wraps assigned": "import functools\nclass A:\n    def __setattr__(self, n, v):\n        if n == '__globals__': found(v)\n"
    "functools.wraps(found, assigned=['__globals__'])(A())",
    "update_wrapper updated": "import functools\nclass D(dict):\n    def update(self, o): found(o)\n"
    "class A: pass\na = A()\nfunctools.update_wrapper(a, found, assigned=(), updated=['__globals__'])",
    "metaclass that equals all": "class M(type):\n    def __eq__(c, o): return True\n    def __hash__(c): return hash(type(found))\n"
    "class A(metaclass=M): pass\nimport random\nfound(random.Random()._randbelow)",
    "subclass of super": "class S(super): pass\nclass A: pass\nfound(S(A, A()).__subclasses__)\nfound(type(S(A, A())).__base__)",
    "private of library object": "import random\nfound(random.Random()._randbelow)",
    "catch_warnings": "import warnings\nfound(warnings.catch_warnings()._module)",
    "attribute error obj": "import queue\ntry:\n    queue.nothing_here\nexcept AttributeError as e:\n    found(e.obj.threading)",
    "reduce": "found((1).__reduce_ex__(2))",
    "reduce into a host class": "import copy, random\nclass A:\n"
    "    def __reduce__(self): return (lambda: random.Random, (), (None, {'evil': 1}))\n"
    "copy.copy(A())\nif hasattr(random.Random, 'evil'): found(1)",
    "init subclass": "class A:\n    def __init_subclass__(cls): found(cls.__base__.__base__.__subclasses__())\nclass B(A): pass",
    "property of builtins": "p = property(lambda s: s.__class__.__base__.__subclasses__())\n"
    "class A:\n    x = p\nfound(A().x)",
    "class cell": "class A:\n    def f(self): return __class__.__base__.__subclasses__()\nfound(A().f())",
    "decorator": "@getattr\ndef f(): pass",
    "lambda default": "found((lambda x=().__class__.__base__.__subclasses__(): x)())",
    "f-string": "found(f'{().__class__.__base__.__subclasses__()}')",
    "comprehension": "found([c for c in ().__class__.__base__.__subclasses__()])",
    "walrus": "found((x := ().__class__.__base__).__subclasses__())",
    "annotation": "def f(x: ().__class__.__base__.__subclasses__()): pass\nfound(f.__annotations__)",
    "unicode name": "found(().__class__.__ｂase__.__subclasses__())",
    "unicode builtins": "found(__ｂuiltins__)",
    "tool internals": "found(search.__globals__)\nfound(search.__closure__)",
    "tool wrapped": "found(search.__wrapped__)",
    "tool changed": "search.name = 'x'\nfound(search)",
    "variables view": "found(globals()._Variables__space)\nfound(globals().__class__.__init__.__globals__)",
    "guard cell": "class P:\n    def __rmul__(self, o):\n        found(o)\n        return 1\ndef f(): pass\nf.__globals__ *= P()",
    "hidden operand": "class P:\n    def __rmul__(self, o):\n        if type(o).__name__ == '_Operand': found(o)\n        return 1\n"
    "l = [1]\nl[int(0)] *= P()",
    "numpy os": "import numpy as np\nfound(np.os)\n",
    "numpy sys": "import numpy as np\nfound(np.sys)\n",
    "numpy traversal": "import numpy as np\nfound(np.lib.npyio.os)",
    "numpy ctypeslib": "import numpy as np\nfound(np.ctypeslib.ctypes)",
    "numpy f2py": "import numpy.f2py\nfound(numpy.f2py.os)",
    "numpy pickle": "import numpy as np\nfound(np.load('/dev/null', allow_pickle=True))",
    "numpy testing": "import numpy as np\nfound(np.testing.runstring)",
    "pandas io": "import pandas as pd\nfound(pd.io.common.os)",
    "pandas pickle": "import pandas as pd\nfound(pd.read_pickle('/dev/null'))",
    "pandas eval": "import pandas as pd\nfound(pd.eval('().__class__.__base__.__subclasses__()', engine='python'))",
    "pandas query": "import pandas as pd\ndf = pd.DataFrame({'a': [1]})\n"
    "found(df.query('@print.__self__.eval(\"1\")', engine='python'))",
    "pandas query of builtins": "import pandas as pd\ndf = pd.DataFrame({'a': [1]})\nfound(df.query('@__builtins__'))",
    "pandas compat": "import pandas as pd\nfound(pd.compat.sys)",
    "pandas template environment": "import pandas as pd\n"
    "found(pd.DataFrame({'a': [1]}).style.template_html.environment.from_string('{{ 1 }}'))",
    "pandas template from a file": "import pandas as pd\nfound(pd.io.formats.style.Styler.from_custom_template('/tmp', 'x'))",
    "pandas style from a file": "import pandas as pd\n"
    "found(type(pd.DataFrame({'a': [1]}).style).from_custom_template('/tmp', 'x'))",
    "system clock": "import time\nfound(time.clock_settime)",
    "methods of the guard": "found(vars.__self__)\nfound(getattr.__func__)\nfound(vars.namespace)",
    "copy of the variables": "import copy\nfound(copy.copy(globals())['__builtins__'])",
    "subclass of the variables": "class V(type(globals())):\n    def f(self): return self._Variables__space\n"
    "found(V({}).f())",
    "stack of a task": "import asyncio\nasync def f():\n    return asyncio.current_task().get_stack()[0].f_globals\nfound(await f())",
    "subprocess of a loop": "import asyncio\nloop = asyncio.new_event_loop()\ntry:\n    found(loop.subprocess_shell)\nfinally:\n    loop.close()",
    "submodule of asyncio": "import asyncio.events\nfound(asyncio.events.subprocess)",
    "pandas template": "import pandas as pd\nfound(pd.DataFrame({'a': [1]}).style.env)",
    # what a second look found
    "subclasses by a metaclass of the code": "class M(type): pass\nfound(M.__subclasses__(object))",
    "asdict with crafted fields": "import dataclasses\nclass F: name='__subclasses__'; _field_type=None\n@dataclasses.dataclass\n"
    "class D:\n    x: int\nfs = dict(D.__dataclass_fields__)\nfs['x'].name='__subclasses__'\n"
    "class MM(type): __dataclass_fields__=fs\nclass M(type, metaclass=MM): pass\n"
    "found(dataclasses.asdict(M, dict_factory=list)[0][1](object))",
    "guard replaced by __prepare__": "import random\nclass Ns(dict):\n    def __getitem__(self, k):\n"
    "        if k=='@target': return lambda o: o\n        return dict.__getitem__(self,k)\nclass M(type):\n"
    "    @classmethod\n    def __prepare__(m,n,b): return Ns()\nclass C(metaclass=M):\n"
    "    random.Random.evil = 1\nfound(1)",
    "handler replaced by __prepare__": "class Ns(dict):\n    def __getitem__(self, k):\n        if k=='@control': return ()\n"
    "        return dict.__getitem__(self,k)\nclass M(type):\n    @classmethod\n"
    "    def __prepare__(m,n,b): return Ns()\nclass C(metaclass=M):\n    try:\n        2**10**9\n"
    "    except BaseException as e:\n        found(e)",
    "test of ownership replaced by __prepare__": "import random\nclass All:\n    def __contains__(self,x): return True\nclass Ns(dict):\n"
    "    def __getitem__(self, k):\n        if k=='@own': return All()\n"
    "        return dict.__getitem__(self,k)\nr=random.Random()\nclass M(type):\n    @classmethod\n"
    "    def __prepare__(m,n,b): return Ns()\nclass C(metaclass=M):\n    found(r._randbelow)",
    "singledispatch annotations nested": "import functools, typing\n@functools.singledispatch\ndef f(x): pass\n"
    "def g(x: typing.List['leaked.append(().__class__.__base__.__subclasses__())']): pass\nf.register(g)",
    "singledispatch annotations of a lying dict": "import functools\nclass D(dict):\n    def values(self): return []\n@functools.singledispatch\n"
    "def f(x): pass\ndef g(x): pass\n"
    "g.__annotations__=D(x='leaked.append(().__class__.__base__.__subclasses__())')\nf.register(g)",
    "singledispatchmethod annotations nested": "import functools, typing\nclass A:\n    @functools.singledispatchmethod\n    def f(self,x): pass\n"
    "    @f.register\n"
    "    def g(self, x: typing.List['leaked.append(().__class__.__base__.__subclasses__())']): pass",
    "type hints nested": "import typing\ndef g(x: typing.List['leaked.append(().__class__.__base__.__subclasses__())']): pass\n"
    "found(typing.get_type_hints(g)['x'].__args__[0]._evaluate)",
    "numpy memory by ctypes": "import numpy as np\ns=np.arange(3).ctypes.shape\nfound(type(s).from_address)",
    "numpy memory by the descriptor of ctypes": "import numpy as np\nfound(np.arange(3).__class__.ctypes.__get__(np.arange(3)).shape)",
    "pandas eval by the class": "import pandas as pd\ndf=pd.DataFrame({'a':[1]})\nx=print\n"
    "found(pd.DataFrame.eval(df,'@df.__class__',engine='python'))",
    "pandas eval of a subclass": "import pandas as pd\nclass D(pd.DataFrame): pass\ndf=D({'a':[1]})\n"
    "found(df.eval('@df.__class__', engine='python'))",
    "reduce by a property": "import copy, queue\nclass A:\n"
    "    __reduce_ex__ = property(lambda s: lambda p: (lambda: queue.Queue, (), (None, {'evil2': 1})))\n"
    "copy.copy(A())\nif hasattr(queue.Queue,'evil2'): found(1)",
    "reduce of a class made aside": "import copy, queue\n"
    "A=type.__new__(type,'A',(),{'__reduce_ex__': lambda s,p: (lambda: queue.Queue, (), (None, {'evil3': 1}))})\n"
    "copy.copy(A())\nif hasattr(queue.Queue,'evil3'): found(1)",
    "reduce below a list": "import copy, queue\n"
    "A=type.__new__(type,'A',(),{'__reduce_ex__': lambda s,p: (lambda: queue.Queue, (), (None, {'evil4': 1}))})\n"
    "copy.deepcopy([A()])\nif hasattr(queue.Queue,'evil4'): found(1)",
    "members of a host enum changed": "import re\nre.RegexFlag._member_map_['HACK']=1\nimport re\n"
    "if 'HACK' in re.RegexFlag.__members__: found(1)",
    "host class marked by no_type_check": "import typing, random\ntyping.no_type_check(random.Random)\nfound(1)",
    "host class marked by dataclass_transform": "import typing, random\ntyping.dataclass_transform()(random.Random)\nfound(1)",
    "code by vars of the function type": "F=type(lambda:0)\nfound(vars(F)['__code__'])",
    "lock of a queue": "import queue\nfound(queue.Queue().mutex)",
    "tool method": "found(search.forward)",
    "partialmethod of getattr": "import functools\nfound(functools.partialmethod(getattr,'__subclasses__').__get__(object)())",
    "generator of a context manager": "import contextlib\n@contextlib.contextmanager\ndef f(): yield\nfound(f().gen.gi_frame)",
    "class made by types": "import types\nA=types.new_class('A',(),{},lambda ns: ns.update(x=1))\nfound(A.__subclasses__.__self__)",
    "attribute error of a host object": "import random\ntry:\n    random.Random().nope\nexcept AttributeError as e:\n    found(e.obj._randbelow)",
    "limit caught by except*": "try:\n    2**10**9\nexcept* BaseException as e:\n    found(e)",
    "limit swallowed by __exit__": "class C:\n    def __enter__(s): pass\n    def __exit__(s,t,v,tb):\n"
    "        leaked.append(v) if 0 else None\n        return True\nwith C():\n    2**10**9\nfound(1)",
    "limit swallowed by gather": "import asyncio\nasync def f(): 2**10**9\nr = await asyncio.gather(f(), return_exceptions=True)\n"
    "found(r)",
    "limit swallowed by a task": "import asyncio\nasync def f(): 2**10**9\nt = asyncio.ensure_future(f())\nawait asyncio.wait([t])\n"
    "found(t)",
    "limit swallowed by an exit stack": "import contextlib\nst=contextlib.ExitStack()\nst.push(lambda *a: True)\nwith st:\n    2**10**9\n"
    "found(1)",
    "limit swallowed by a context decorator": "import contextlib\nclass S(contextlib.ContextDecorator):\n    def __enter__(s): pass\n"
    "    def __exit__(s,*a): return True\n@S()\ndef f(): 2**10**9\nf()\nfound(1)",
    "variables by getattribute": "found(object.__getattribute__(globals(), '_Variables__space'))",
    "os by asyncio": "import asyncio\nfound(asyncio.base_events.os)",
    "pandas test runner": "import pandas as pd\nfound(pd.test)",
    "pandas eval applied by name": "import pandas as pd\ndf = pd.DataFrame({'a': [1]})\nfound(df.agg('eval', 0, '@com', engine='python'))",
    "pandas eval of a private attribute": "import pandas as pd\ndf = pd.DataFrame({'a': [1]})\nfound(df.eval('a . _mgr', engine='python'))",
    "dataclass replace with crafted fields": "import dataclasses\n@dataclasses.dataclass\nclass D:\n    x: int\n"
    "D.__dataclass_fields__['x'].name = '__subclasses__'\nclass MM(type):\n"
    "    __dataclass_fields__ = dict(D.__dataclass_fields__)\nclass M(type, metaclass=MM):\n"
    "    def __call__(c, **k): found(k)\nfound(dataclasses.replace(M))",
    # CVE-2025-14931: bytes from the far side that run code when they are unpickled
    "pickle bytes through numpy": PICKLED + "import numpy as np\nfound(np.load(Far(), allow_pickle=True))",
    "pickle bytes through numpy by position": PICKLED + "import numpy as np\nfound(np.load(Far(), None, True))",
    "pickle bytes through numpy format": PICKLED
    + "import numpy as np\nfound(np.lib.format.read_array(Far(), allow_pickle=True))",
    "pickle bytes through pandas": PICKLED + "import pandas as pd\nfound(pd.read_pickle(Far()))",
    "pickle bytes through pandas by the module": PICKLED
    + "import pandas as pd\nfound(pd.io.pickle.read_pickle(Far()))",
    "pickle bytes through copyreg": "import copyreg\nfound(copyreg)",
}
