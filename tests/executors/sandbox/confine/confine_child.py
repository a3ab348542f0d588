"""Run in a process of its own: becomes another user, confines itself, and says what it could do.

`python -I confine_child.py SETTINGS`, a JSON object: `sandbox` (directory of the package that holds `confine`), `here` (directory
of the modules with actions), `module` and `actions` (names of functions in it), `scene` (what they get), `policy` (None to stay
unconfined; with `imports`, what may be imported), `user` (user id to become first). Prints a JSON object: `applied`, and `results` with [result, error number or name of
the exception, text] for each action.
"""

from __future__ import annotations

import importlib
import json
import os
import sys


def main() -> None:
    settings = json.loads(sys.argv[1])
    sys.path[:0] = [settings["sandbox"], settings["here"]]
    sys.path += settings["path"]
    import confine  # all that has to be done before

    module = importlib.import_module(settings["module"])
    scene = settings["scene"]
    if hasattr(module, "prepare"):
        module.prepare(scene)
    policy = settings["policy"]
    if policy is not None:
        # Asked here: the answers are those for this interpreter.
        policy["readable"] += confine.python_paths(settings["imports"])
        policy.setdefault("hidden", confine.hidden_paths(settings["imports"]))
    user = settings["user"]
    if user is not None and os.getuid() != user:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        confine.apply.privileges.syscall("prctl", 4, 1, 0, 0, 0)  # dumpable, as any process that a user starts
    applied: list[str] = []
    if policy is not None:
        confine.close_descriptors((0, 1, 2))
        applied = confine.confine(confine.Policy(**policy))
    os.chdir(scene["work_dir"])
    results = {}
    for name in settings["actions"]:
        try:
            result = getattr(module, name)(scene)
            results[name] = [result, None, ""]
        except BaseException as error:
            results[name] = [
                None,
                getattr(error, "errno", None) or type(error).__name__,
                f"{type(error).__name__}: {error}",
            ]
        if settings["at_once"]:
            print(json.dumps({"applied": applied, "results": {name: results[name]}}), flush=True)
    if not settings["at_once"]:
        print(json.dumps({"applied": applied, "results": results}), flush=True)
    os._exit(0)


main()
