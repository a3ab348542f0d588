"""Installing packages in containers, from a folder of wheels in place of an index."""

from __future__ import annotations

import pytest

from support.wheels import write_wheel

WHEELS = "/wheels"


@pytest.fixture
def settings(tmp_path):
    """Settings with which pip finds two small packages and nothing else."""
    write_wheel(tmp_path, "tinypackage", "VALUE = 42\n")
    write_wheel(tmp_path, "otherpackage", "VALUE = 43\n")
    tmp_path.chmod(0o755)
    return {
        "container_run_kwargs": {
            "volumes": {str(tmp_path): {"bind": WHEELS, "mode": "ro"}},
            "environment": {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": WHEELS},
        }
    }


def test_packages_are_there_from_the_start_and_after_the_container_has_died(make, settings):
    executor = make(["tinypackage", "json", "numpy.linalg"], **settings)
    assert executor("import tinypackage\ntinypackage.VALUE").output == 42
    executor.container.kill()
    with pytest.raises(ValueError, match="its container was killed"):
        executor("1")
    assert executor("import tinypackage\ntinypackage.VALUE").output == 42


def test_packages_can_be_installed_later_for_all_sessions(make, settings):
    executor = make(**settings)
    other = executor.session()
    for each in (executor, other):
        assert each("import importlib.util\nimportlib.util.find_spec('tinypackage')").output is None
    executor("x = 1")
    assert executor.install_packages(["tinypackage", "otherpackage", "math"]) == ["tinypackage", "otherpackage"]
    assert executor("import tinypackage, otherpackage\ntinypackage.VALUE + otherpackage.VALUE + x").output == 86
    assert other("import tinypackage\ntinypackage.VALUE").output == 42
    other.cleanup()


def test_what_the_image_has_is_left_as_it_is(make, settings):
    # numpy is in no wheel here: if it were asked of pip, that would fail.
    executor = make(["numpy", "PIL"], **settings)
    assert executor("import numpy\nnumpy.__file__.startswith('/opt')").output is False
    assert executor.install_packages(["pandas"]) == ["pandas"]
    assert executor.install_packages([]) == []


def test_packages_are_installed_before_the_network_is_taken_away(make, settings):
    executor = make(["tinypackage"], network=False, **settings)
    assert executor("import tinypackage\ntinypackage.VALUE").output == 42
    assert executor("import os\nos.listdir('/sys/class/net')").output == ["lo"]


def test_a_package_that_cannot_be_installed_is_told(make, settings):
    executor = make(**settings)
    with pytest.raises(RuntimeError, match=r"Installing nosuchpackage in the container failed:[\s\S]*No matching"):
        executor.install_packages(["nosuchpackage"])
    assert executor("1 + 1").output == 2
    with pytest.raises(RuntimeError, match="Installing nosuchpackage"):
        make(["nosuchpackage"], **settings)


def test_without_network_the_remedy_is_told(make, settings):
    executor = make(network=False, **settings)
    with pytest.raises(RuntimeError, match="Name packages in `additional_imports`"):
        executor.install_packages(["nosuchpackage"])


def test_versions_can_be_named(make, settings):
    executor = make(["tinypackage>=1"], **settings)
    assert executor("import tinypackage\ntinypackage.VALUE").output == 42
    with pytest.raises(RuntimeError, match=r"tinypackage>=2"):
        executor.install_packages(["tinypackage>=2"])


def test_the_code_cannot_change_what_others_import(make, settings):
    executor = make(["tinypackage"], **settings)
    source = "import tinypackage\ntry:\n    open(tinypackage.__file__, 'w')\nexcept OSError as error:\n    said = error.strerror\nsaid"
    assert executor(source).output == "Permission denied"
