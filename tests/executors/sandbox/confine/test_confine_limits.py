"""Limits: code that fills memory, disk, descriptors, threads or time is stopped, and goes on where it can."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest
from confine_scene import Scene, scene, users


@pytest.fixture(scope="module", params=users(), ids=lambda user: "root" if user == 0 else "user")
def place(request: pytest.FixtureRequest) -> Iterator[Scene]:
    with scene(request.param) as made:
        yield made


def test_memory_error_comes_first_and_the_code_goes_on(place: Scene) -> None:
    outcome = place.run("confine_filling", ["fill_memory", "fill_small_objects", "compute"], memory_mb=200)
    assert "memory" in outcome.applied
    assert 100 < outcome.results["fill_memory"][0] <= 200
    assert outcome.results["fill_small_objects"][1] is None
    assert outcome.results["compute"][0] == 499500


def test_shared_memory_is_limited_too(place: Scene) -> None:
    outcome = place.run("confine_filling", ["fill_shared_memory"], memory_mb=200)
    assert outcome.results["fill_shared_memory"][0] <= 200 + 512


def test_without_a_limit_of_memory(place: Scene) -> None:
    outcome = place.run("confine_filling", ["fill_shared_memory"], memory_mb=None)
    assert outcome.results["fill_shared_memory"][0] == 16 * 4000
    assert "memory" not in outcome.applied


def test_less_memory_than_is_used_is_refused(place: Scene) -> None:
    outcome = place.run("confine_works", ["confine_with_too_little_memory"], confined=False)
    text = outcome.results["confine_with_too_little_memory"][0]
    assert "memory_mb=16" in text
    assert "raise it" in text


def test_disk_is_limited_in_total(place: Scene) -> None:
    outcome = place.run("confine_filling", ["fill_disk"], max_disk_mb=20)
    if "disk" not in outcome.applied:
        pytest.skip("this takes a mount namespace")
    written, error = outcome.results["fill_disk"][0]
    assert 16 <= written <= 21
    assert error == "ENOSPC"


def test_number_of_files_is_limited(place: Scene) -> None:
    outcome = place.run("confine_filling", ["fill_names"], max_disk_mb=20)
    if "disk" not in outcome.applied:
        pytest.skip("this takes a mount namespace")
    number, error = outcome.results["fill_names"][0]
    assert number < 2000
    assert error == "ENOSPC"


@pytest.mark.parametrize("unconfined", [(), ("namespaces",)], ids=["all", "without_namespaces"])
def test_one_file_is_limited(place: Scene, unconfined: tuple[str, ...]) -> None:
    outcome = place.run("confine_filling", ["fill_one_file"], max_disk_mb=20, max_file_mb=5, unconfined=unconfined)
    assert outcome.results["fill_one_file"][0] == [5, "EFBIG"]


def test_files_in_writable_directories_are_limited_one_by_one(place: Scene) -> None:
    outcome = place.run(
        "confine_works", ["write_to_outside"], writable=[place.values["outside"]], max_disk_mb=20, max_file_mb=3
    )
    assert outcome.results["write_to_outside"][0] == [3, "EFBIG"]


@pytest.mark.parametrize("unconfined", [(), ("namespaces",)], ids=["all", "without_namespaces"])
def test_descriptors_are_limited(place: Scene, unconfined: tuple[str, ...]) -> None:
    outcome = place.run("confine_filling", ["fill_descriptors"], max_files=40, unconfined=unconfined)
    opened, error = outcome.results["fill_descriptors"][0]
    assert 30 <= opened <= 40
    assert error == "EMFILE"


def test_threads_are_limited(place: Scene) -> None:
    outcome = place.run("confine_filling", ["fill_threads"], max_threads=10)
    assert "threads" in outcome.applied
    assert outcome.results["fill_threads"][0] == 9  # and the first one


def test_threads_are_limited_without_namespaces(place: Scene) -> None:
    """Where the kernel counts all threads of the user together, those that are there are added."""
    outcome = place.run("confine_filling", ["fill_threads"], max_threads=10, unconfined=["namespaces"])
    assert "threads" in outcome.applied
    # Others' threads may end or start meanwhile.
    assert 5 <= outcome.results["fill_threads"][0] <= 200


@pytest.mark.parametrize("action", ["spin", "spin_in_threads"])
def test_processor_time_is_limited(place: Scene, action: str) -> None:
    before = time.monotonic()
    outcome = place.run("confine_filling", [action], cpu_seconds=1)
    assert outcome.status == -signal.SIGXCPU
    assert time.monotonic() - before < 20


def test_processor_time_kills_who_does_not_listen(place: Scene) -> None:
    outcome = place.run("confine_works", ["spin_deaf"], cpu_seconds=1)
    assert outcome.status == -signal.SIGKILL
