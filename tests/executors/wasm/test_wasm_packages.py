"""Packages for the interpreter, from a package index in a folder, with the real pip."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import zipfile

import pytest

from smolagents._fetching import cache_directory
from smolagents.executors.errors import InterpreterError, SessionLostError
from smolagents.executors.wasm.distribution import default_directory, find_distribution
from smolagents.executors.wasm.packages import PackageError, find_packages
from support.wasm_installation import PYODIDE_DIR


def write_wheel(folder, name, source, requires=(), tag="py3-none-any", version="1.0"):
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {other}\n" for other in requires)
    files = {
        f"{name}/__init__.py": source,
        f"{name}/data.txt": "ä data file",
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    path = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for inner, text in files.items():
            wheel.writestr(inner, text)
    return path


@pytest.fixture
def index(installed, tmp_path, monkeypatch):
    """A package index in a folder, and an empty cache beside the Pyodide that was fetched."""
    pyodide = find_distribution(PYODIDE_DIR).directory
    folder = tmp_path / "index"
    folder.mkdir()
    cache = tmp_path / "cache"
    monkeypatch.setenv("SMOLAGENTS_CACHE", str(cache))
    default_directory().parent.mkdir(parents=True)
    default_directory().symlink_to(pyodide)
    for name in list(os.environ):
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def snapshots(index):
    """So that not every executor of the test has to make one."""
    shared = default_directory().resolve().parent / "snapshots"
    if shared.is_dir():
        (cache_directory() / "pyodide" / "snapshots").symlink_to(shared)


def test_packages_are_there_in_every_session(index, snapshots, make):
    write_wheel(index, "outer_pkg", "import inner_pkg\nvalue = inner_pkg.value + 1", requires=["inner-pkg>=1"])
    write_wheel(index, "inner_pkg", "value = 41")
    executor = make(["outer_pkg", "json", "os.path"])
    assert executor("import outer_pkg\nouter_pkg.value").output == 42
    source = "import importlib.metadata as m, importlib.resources as r\nm.version('inner-pkg'), r.read_text('inner_pkg', 'data.txt', encoding='utf-8')"
    assert executor(source).output == ("1.0", "ä data file")
    with executor.session() as other:
        assert other("import outer_pkg\nouter_pkg.value").output == 42
    with pytest.raises(SessionLostError):
        executor("import os\nos._exit(1)")
    assert executor("import outer_pkg\nouter_pkg.value").output == 42


def test_packages_can_be_added_to_a_session(index, snapshots, make):
    write_wheel(index, "late_pkg", "value = 7")
    executor = make()
    executor("kept = 1")
    with pytest.raises(InterpreterError, match="No module named 'late_pkg'"):
        executor("import late_pkg")
    assert executor.install_packages(["late_pkg", "json"]) == ["late_pkg"]
    assert executor("import late_pkg\nlate_pkg.value + kept").output == 8
    assert executor.install_packages([]) == []
    executor.cleanup()
    assert executor("import late_pkg\nlate_pkg.value").output == 7


def test_a_package_before_the_first_code(index, snapshots, make):
    write_wheel(index, "early_pkg", "value = 7")
    executor = make()
    executor.install_packages(["early_pkg"])
    assert executor("import early_pkg\nearly_pkg.value").output == 7


def test_a_package_that_is_nowhere(index, snapshots, make):
    with pytest.raises(
        PackageError, match=r"no-such-pkg cannot be installed in WebAssembly: the package index has no"
    ):
        make(["no-such-pkg"])


def test_a_package_that_needs_what_is_nowhere(index):
    write_wheel(index, "needy_pkg", "", requires=["numpy>=1"])
    with pytest.raises(PackageError, match=r"^numpy, which needy_pkg needs, cannot be installed .*full release"):
        find_packages(["needy_pkg"], find_distribution())


def test_wheels_for_other_platforms_are_not_taken(index):
    write_wheel(index, "native_pkg", "", tag="cp314-cp314-manylinux_2_28_x86_64")
    with pytest.raises(PackageError, match="native_pkg cannot be installed"):
        find_packages(["native_pkg"], find_distribution())


def test_wheels_built_for_pyodide_are_taken(index):
    found = find_distribution()
    tag = "cp" + "".join(found.python_version.split(".")[:2])
    built = write_wheel(index, "native_pkg", "", tag=f"{tag}-{tag}-{found.platforms[0]}")
    assert list(find_packages(["native_pkg"], found).wheels) == [built.name]


def test_what_was_fetched_is_kept_for_a_week_and_for_longer_without_the_index(index):
    write_wheel(index, "some_pkg", "")
    said = []
    first = find_packages(["some_pkg"], find_distribution(), said.append)
    assert said == ["Fetching some_pkg for WebAssembly ..."]
    write_wheel(index, "some_pkg", "", version="2.0")
    assert find_packages(["some_pkg"], find_distribution(), said.append) == first
    assert len(said) == 1
    (kept,) = (path for path in (cache_directory() / "pyodide" / "wheels").iterdir() if path.is_dir())
    os.utime(kept, (time.time() - 8 * 24 * 3600,) * 2)
    for wheel in index.iterdir():
        wheel.rename(wheel.with_suffix(".gone"))
    assert find_packages(["some_pkg"], find_distribution(), said.append) == first
    assert said[-1].startswith("The packages fetched earlier are used: ERROR: No matching distribution")
    for wheel in index.iterdir():
        wheel.rename(wheel.with_suffix(".whl"))
    assert list(find_packages(["some_pkg"], find_distribution()).wheels) == ["some_pkg-2.0-py3-none-any.whl"]


def test_a_wheel_that_cannot_be_unpacked(index, snapshots, make):
    executor = make()
    wheel = write_wheel(index, "broken_pkg", "")
    find_packages(["broken_pkg"], find_distribution())
    (kept,) = (cache_directory() / "pyodide" / "wheels").glob(f"*/{wheel.name}")
    kept.write_bytes(b"no archive")
    executor("1")
    with pytest.raises(PackageError, match=r"broken_pkg-1.0-py3-none-any.whl cannot be installed .*BadZipFile"):
        executor.install_packages(["broken_pkg"])
    assert executor("1 + 1").output == 2


def test_packages_of_a_full_release_come_from_its_directory(index, make, tmp_path):
    release = tmp_path / "release"
    shutil.copytree(default_directory().resolve(), release, copy_function=os.symlink)
    lock = json.loads((release / "pyodide-lock.json").read_text())
    (release / "pyodide-lock.json").unlink()
    for name, depends in (("main-pkg", ["base-pkg"]), ("base-pkg", [])):
        module = name.replace("-", "_")
        source = "import base_pkg\nvalue = 'of the release'" if depends else ""
        wheel = write_wheel(release, module, source)
        lock["packages"][name] = {
            "name": name,
            "version": "1.0",
            "file_name": wheel.name,
            "install_dir": "site",
            "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
            "package_type": "package",
            "imports": [module],
            "depends": depends,
            "unvendored_tests": False,
        }
    (release / "pyodide-lock.json").write_text(json.dumps(lock))
    write_wheel(index, "outer_pkg", "from main_pkg import value", requires=["main-pkg"])
    executor = make(["main_pkg"], pyodide_dir=release)
    assert executor("import main_pkg\nmain_pkg.value").output == "of the release"
    executor.install_packages(["outer_pkg"])
    assert executor("import outer_pkg\nouter_pkg.value").output == "of the release"
    assert list(executor._packages.local) == ["main-pkg"]
    with pytest.raises(InterpreterError, match="NotCapable"):
        executor("import js\njs.Deno.readTextFileSync('/etc/passwd')")
