"""The worker's source text, for places where this package is not installed."""

from __future__ import annotations

import base64
import json
import zlib
from functools import lru_cache
from importlib import resources

__all__ = ["FAR_PACKAGE", "bootstrap_source", "worker_sources"]

FAR_PACKAGE = "_smolagents_worker"
"""Name under which the worker's modules are imported on the far side."""

_BOOTSTRAP = """\
import base64, importlib.abc, importlib.machinery, importlib.util, json, sys, zlib
class SmolagentsWorkerFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    sources = json.loads(zlib.decompress(base64.b64decode({data!r})))
    def find_spec(self, name, path=None, target=None):
        short = name.partition({dot!r})[2]
        if name != {package!r} and not (name.startswith({dot!r}) and short in self.sources):
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=name == {package!r})
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        short = module.__name__.partition({dot!r})[2]
        exec(compile(self.sources.get(short, ""), "<%s>" % module.__name__, "exec"), module.__dict__)
if not any(type(finder).__name__ == "SmolagentsWorkerFinder" for finder in sys.meta_path):
    sys.meta_path.insert(0, SmolagentsWorkerFinder())
"""


@lru_cache(maxsize=1)
def worker_sources() -> dict[str, str]:
    """The worker's modules: name without the package, and source text."""
    folder = resources.files("smolagents.executors.worker")
    return {
        entry.name.removesuffix(".py"): entry.read_text("utf-8")
        for entry in folder.iterdir()
        if entry.name.endswith(".py") and entry.name != "__init__.py"
    }


@lru_cache(maxsize=1)
def bootstrap_source() -> str:
    """Python source that makes `import _smolagents_worker.runtime` and its like work where it is run."""
    data = base64.b64encode(zlib.compress(json.dumps(worker_sources()).encode(), 9)).decode()
    return _BOOTSTRAP.format(data=data, package=FAR_PACKAGE, dot=FAR_PACKAGE + ".")
