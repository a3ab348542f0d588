"""What holds on systems that give less: what is missing is refused, or said, and the rest holds by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from confine_scene import Scene, scene, users

_OTHERS = {
    "landlock",
    "landlock_network",
    "landlock_scope",
    "seccomp",
    "capabilities",
    "memory",
    "files",
    "file_size",
    "threads",
}


@pytest.fixture(scope="module", params=users(), ids=lambda user: "root" if user == 0 else "user")
def place(request: pytest.FixtureRequest) -> Iterator[Scene]:
    with scene(request.param) as made:
        yield made


def _said(place: Scene, action: str) -> dict[str, Any]:
    outcome = place.run("confine_lesser", [action], confined=False)
    assert outcome.results[action][1:] == (None, "")
    return outcome.results[action][0]


@pytest.mark.parametrize("action", ["no_namespaces", "no_mounts", "no_mount_attributes", "no_user_namespaces_left"])
def test_without_namespaces_the_rest_holds(place: Scene, action: str) -> None:
    said = _said(place, action)
    assert "error" not in said
    assert not {"private_root", "disk"} & set(said["applied"])
    # Root that lost its capabilities on the way is still root to the kernel, which does not count its threads.
    assert set(said["applied"]) >= _OTHERS - ({"threads"} if place.user == 0 else set())
    assert said["reached"] == ["imported"]


def test_where_mounts_are_refused_other_namespaces_hold(place: Scene) -> None:
    assert {"network_namespace", "ipc_namespace"} <= set(_said(place, "no_mounts")["applied"])


def test_missing_landlock_is_refused(place: Scene) -> None:
    protection, why = _said(place, "no_landlock")["error"]
    assert protection == "landlock"
    assert "the kernel has no Landlock" in why


def test_missing_landlock_can_be_accepted(place: Scene) -> None:
    said = _said(place, "no_landlock_and_so_be_it")
    assert not {"landlock", "landlock_network", "landlock_scope"} & set(said["applied"])
    if "private_root" in said["applied"]:
        assert said["reached"] == ["imported"]


def test_missing_filters_are_refused(place: Scene) -> None:
    protection, why = _said(place, "no_filters")["error"]
    assert protection == "seccomp"
    assert "no seccomp filters" in why


def test_missing_filters_can_be_accepted(place: Scene) -> None:
    said = _said(place, "no_filters_and_so_be_it")
    assert "seccomp" not in said["applied"]
    assert not {"read_passwd", "read_home", "write_outside", "connect_tcp", "signal_victim"} & set(said["reached"])


def test_root_of_a_container(place: Scene) -> None:
    if place.user != 0:
        pytest.skip("only root can become root of a container")
    said = _said(place, "root_of_a_container")
    assert set(said["applied"]) >= _OTHERS
    assert said["reached"] == ["imported"]


def test_root_of_a_container_with_few_ids(place: Scene) -> None:
    if place.user != 0:
        pytest.skip("only root can become root of a container")
    said = _said(place, "root_of_a_container_with_few_ids")
    assert set(said["applied"]) >= {*_OTHERS, "private_root", "own_user"}
    assert said["reached"] == ["imported"]


def test_root_without_rights(place: Scene) -> None:
    if place.user != 0:
        pytest.skip("this is about root")
    said = _said(place, "root_without_rights")
    assert set(said["applied"]) >= _OTHERS - {"threads"}
    assert said["reached"] == ["imported"]


def test_everything_readable(place: Scene) -> None:
    said = _said(place, "everything_readable")
    assert {"landlock", "seccomp"} <= set(said["applied"])
    assert said["reached"] == ["read_passwd", "read_home", "imported"]


def test_more_paths_than_descriptors(place: Scene) -> None:
    assert _said(place, "crowded")["reached"] == ["imported"]


def test_a_limit_of_threads_that_is_used_up_is_not_set(place: Scene) -> None:
    if place.user == 0:
        pytest.skip("root becomes another user, that has no other threads")
    said = _said(place, "unseen_threads")
    assert set(said["applied"]) >= _OTHERS - {"threads"}
    assert "threads" not in said["applied"]
    assert said["reached"] == ["imported"]


def test_several_at_once(place: Scene) -> None:
    assert _said(place, "several_at_once") == ["3"] * 5
