"""What the host asks before it makes a worker: policies, what the system gives, which files are needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from smolagents.executors.sandbox import confine
from smolagents.executors.sandbox.confine import Policy, describe, hidden_paths, probe, python_paths, support


def _policy(**changes: Any) -> Policy:
    return Policy(**{"readable": ["/usr"], "writable": [], "work_dir": "/tmp", **changes})


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"readable": "/usr"}, r"readable='/usr' must be a list of paths, not one string; write \['/usr'\]"),
        ({"readable": ["usr"]}, "readable: 'usr' is not an absolute path"),
        ({"writable": ["/a\0b"]}, "is not an absolute path"),
        ({"writable": ["/"]}, "the root directory cannot be writable"),
        ({"work_dir": "/"}, "the root directory cannot be writable"),
        ({"memory_mb": 3}, "memory_mb=3 is too little; at least 16"),
        ({"memory_mb": 64.5}, "memory_mb=64.5 must be a whole number"),
        ({"cpu_seconds": 0}, "cpu_seconds=0 is too little"),
        ({"cpu_seconds": True}, "cpu_seconds=True must be a whole number"),
        ({"max_threads": 0}, "max_threads=0 is too little"),
        ({"unconfined": ("landlok",)}, r"must be a tuple of names out of landlock, seccomp"),
        ({"unconfined": "landlock"}, r"must be a tuple of names"),
    ],
)
def test_policies_that_make_no_sense(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        _policy(**changes)


def test_a_policy_travels_as_json() -> None:
    policy = _policy(cpu_seconds=3, unconfined=["landlock"], hidden=("/usr/share",), max_disk_mb=None)
    again = Policy(**json.loads(json.dumps(policy.to_dict())))
    assert again == policy
    assert again != _policy()
    assert "cpu_seconds=3" in repr(again)


def test_paths_are_made_plain() -> None:
    policy = _policy(readable=["/usr//lib/"], work_dir="/tmp/../tmp/")
    assert policy.readable == ["/usr/lib"]
    assert policy.work_dir == "/tmp"


# What the system gives


def test_probe_is_quick_and_remembered() -> None:
    probe.cache_clear()
    before = time.perf_counter()
    found = probe()
    assert time.perf_counter() - before < 0.02  # 0.0002 where nothing else runs
    assert probe() is found


def test_probe_finds_what_these_tests_need() -> None:
    found = probe()
    assert found.system == "linux"
    assert found.landlock >= 1
    assert found.seccomp
    assert found.missing == []
    assert found.missing_for(()) == []


@pytest.fixture
def _fresh() -> Any:
    probe.cache_clear()
    yield
    probe.cache_clear()


@pytest.mark.usefixtures("_fresh")
def test_what_is_missing_is_named_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(support.landlock, "version", lambda: 0)
    found = probe()
    ((protection, why, remedy),) = found.missing
    assert protection == "landlock"
    assert "files are not confined" in why
    assert "Linux 5.13" in remedy
    assert found.missing_for(["landlock"]) == []
    assert found.missing_for(["seccomp"]) == found.missing


@pytest.mark.usefixtures("_fresh")
@pytest.mark.parametrize(
    "setting",
    ["user/max_user_namespaces", "kernel/unprivileged_userns_clone", "kernel/apparmor_restrict_unprivileged_userns"],
)
def test_settings_against_namespaces_are_named(monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    refusing = "1" if "apparmor" in setting else "0"
    monkeypatch.setattr(support, "_capable", lambda: False)
    monkeypatch.setattr(support, "_content", lambda path: refusing if path.endswith(setting) else None)
    found = probe()
    assert found.missing == []
    assert not found.namespaces
    ((protection, why, remedy),) = found.reduced
    assert protection == "namespaces"
    assert setting in why
    assert f"sysctl -w {setting.replace('/', '.')}=" in remedy


@pytest.mark.usefixtures("_fresh")
@pytest.mark.parametrize("change", ["system", "machine"])
def test_other_platforms_are_told_so(monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    if change == "system":
        uname = os.uname()
        other = os.uname_result(("Darwin", *uname[1:]))
        monkeypatch.setattr(os, "uname", lambda: other)
    else:
        monkeypatch.setattr(support, "ARCHITECTURE", None)
    found = probe()
    ((protection, why, remedy),) = found.missing
    assert protection == "platform"
    assert "x86_64 and aarch64" in why
    assert "docker" in remedy


def test_description() -> None:
    everything = ["landlock", "seccomp", "private_root", "network_namespace", "memory", "disk", "cpu"]
    line = describe(_policy(cpu_seconds=9, memory_mb=512, max_disk_mb=100), everything)
    assert line == (
        "a process confined by Landlock, seccomp, namespaces (files: its own work directory; no network; no other processes; "
        "512 MB of memory; 100 MB of files; 9 s of processor time)"
    )
    assert "network: allowed" in describe(_policy(allow_network=True), ["landlock", "seccomp"])
    assert "and /srv/out" in describe(_policy(writable=["/srv/out"]), ["landlock", "seccomp"])
    open_one = describe(_policy(), ["memory"])
    for word in ("files: NOT CONFINED", "NETWORK NOT CONFINED", "SYSTEM CALLS NOT CONFINED"):
        assert word in open_one


def test_the_worker_imports_little() -> None:
    """Everything that `confine` needs, without the package around it and without site-packages."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); before = set(sys.modules); import confine; "
        "confine.Policy; confine.confine; print(*sorted(set(sys.modules) - before))"
    )
    directory = str(Path(confine.__file__).parent.parent)
    loaded = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, directory], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"typing", "dataclasses", "re", "inspect", "collections", "enum", "contextlib", "threading"} & set(
        loaded
    )
    assert "confine.paths" not in loaded
    assert "confine.support" not in loaded


# Which files are needed


def test_paths_of_the_interpreter() -> None:
    paths = python_paths()
    assert len(paths) == len(set(paths))
    assert all(os.path.isabs(path) and os.path.exists(path) for path in paths)
    assert _covers(paths, os.__file__)
    assert not _covers(paths, "/etc/passwd")
    assert not _covers(paths, os.path.expanduser("~/.profile"))
    assert not _covers(paths, "/proc/self/maps")


def test_paths_of_authorised_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(
        tmp_path,
        "Alpha-Project",
        {"alpha/__init__.py": "", "alpha.libs/libalpha.so": "", "_alpha.py": ""},
        requires=[
            "beta_lib>=1,<2; python_version > '3'",
            "gamma; extra == 'all'",
            "not-installed; sys_platform == 'win32'",
        ],
    )
    _install(tmp_path, "beta.lib", {"beta.py": ""}, requires=["delta (>=1)", "alpha-project"])
    _install(tmp_path, "delta", {"delta/__init__.py": "", "../../../bin/delta": ""})
    _install(tmp_path, "gamma", {"gamma/__init__.py": ""})
    (tmp_path / "loose.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))

    found = {Path(path).name for path in python_paths(["alpha.part"]) if path.startswith(str(tmp_path))}
    assert found == {
        "alpha", "alpha.libs", "_alpha.py", "alpha_project-1.0.dist-info",
        "beta.py", "beta_lib-1.0.dist-info", "delta", "delta-1.0.dist-info",
    }  # fmt: skip
    assert str(tmp_path) in hidden_paths(["alpha"])  # to be listed, so that `import` finds the package
    assert {Path(path).name for path in python_paths(["loose"]) if path.startswith(str(tmp_path))} == {"loose.py"}
    assert [path for path in python_paths(["json"]) if path.startswith(str(tmp_path))] == []


def test_paths_of_editable_installs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site, project = tmp_path / "site", tmp_path / "project"
    site.mkdir()
    (project / "src" / "edited").mkdir(parents=True)
    (project / "src" / "edited" / "__init__.py").write_text("")
    (project / "secret.env").write_text("")
    _install(site, "edited", {"_editable_impl_edited.pth": str(project / "src")}, requires=["helper"])
    (site / "edited-1.0.dist-info" / "direct_url.json").write_text(
        json.dumps({"url": (project).as_uri(), "dir_info": {"editable": True}})
    )
    _install(site, "helper", {"helper/__init__.py": ""})
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.syspath_prepend(str(project / "src"))
    paths = python_paths(["edited"])
    assert str(project / "src" / "edited") in paths
    assert str(site / "helper") in paths
    assert not _covers(paths, str(project / "secret.env"))


def test_all_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "anything.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(os.path.expanduser("~"))
    paths = python_paths(["*"])
    assert _covers(paths, str(tmp_path / "anything.py"))
    assert not _covers(paths, os.path.expanduser("~/.profile"))
    assert not any(_covers([hidden], str(tmp_path / "anything.py")) for hidden in hidden_paths(["*"]))


def test_an_installed_package_is_found() -> None:
    paths = python_paths(["numpy"])
    numpy = pytest.importorskip("numpy")
    assert _covers(paths, numpy.__file__)
    assert _covers(hidden_paths(["numpy"]), numpy.__file__)
    assert not any(path.endswith(("-packages", "/pytest")) for path in paths)


def test_paths_are_remembered() -> None:
    python_paths(["numpy", "json"])
    before = time.perf_counter()
    python_paths(["json", "numpy"])
    assert time.perf_counter() - before < 0.005


def _covers(paths: list[str], file: str) -> bool:
    return any(file == path or file.startswith(path + "/") for path in paths)


def _install(site: Path, name: str, files: dict[str, str], requires: list[str] = []) -> None:  # noqa: B006
    information = site / f"{name.lower().replace('-', '_').replace('.', '_')}-1.0.dist-info"
    information.mkdir()
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {name}",
        "Version: 1.0",
        *(f"Requires-Dist: {each}" for each in requires),
    ]
    (information / "METADATA").write_text("\n".join(lines) + "\n")
    record = [*files, *(f"{information.name}/{each}" for each in ("METADATA", "RECORD"))]
    record.append("__pycache__/beta.cpython-311.pyc")
    (information / "RECORD").write_text("".join(f"{each},,\n" for each in record))
    for path, content in files.items():
        if not path.startswith(".."):
            (site / path).parent.mkdir(parents=True, exist_ok=True)
            (site / path).write_text(content)
