"""What confined code can still do, and how confinement itself behaves."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import pytest
from confine_scene import SECRET, Outcome, Scene, interpreter, scene, users

_WORKS = {
    "threads": True,
    "event_loop": 43,
    "socket_pair": "hello",
    "many_modules": [],
    "time_zones": "2024-07-01T12:00:00+02:00",
    "hashing": "2d711642",
    "temporary_files": "hello",
    "work_with_files": ["o", True],
    "database": 3,
    "map_file": "hello",
    "devices": [4, 4, True],
    "subprocess_is_refused": ["PermissionError"] * 4,
    "own_signal": "interrupted twice",
    "timers": "woken",
    "dump_traceback": True,
    "read_readable": SECRET,
    "other_packages": [],
}
_WAYS = {"all": (), "without_namespaces": ("namespaces",), "without_landlock": ("landlock",)}


@pytest.fixture(scope="module", params=users(), ids=lambda user: "root" if user == 0 else "user")
def place(request: pytest.FixtureRequest) -> Iterator[Scene]:
    with scene(request.param) as made:
        yield made


@pytest.fixture(scope="module", params=_WAYS.values(), ids=_WAYS)
def confined(place: Scene, request: pytest.FixtureRequest) -> Outcome:
    return place.run("confine_works", list(_WORKS), unconfined=request.param)


@pytest.mark.parametrize("action", _WORKS)
def test_works(action: str, confined: Outcome) -> None:
    assert confined.results[action] == (_WORKS[action], None, "")


def test_modes_and_times_can_be_changed_in_a_private_root(place: Scene) -> None:
    outcome = place.run("confine_works", ["work_with_metadata"])
    if "private_root" not in outcome.applied:
        pytest.skip("this takes a mount namespace")
    assert outcome.results["work_with_metadata"][0] == [0o640, "data", "data"]


@pytest.mark.parametrize(
    ("module", "action", "result"), [("numpy", "linear_algebra", 200), ("pandas", "data_frames", {"x": 4, "y": 2})]
)
@pytest.mark.parametrize("unconfined", [(), ("namespaces",)], ids=["all", "without_namespaces"])
def test_authorised_packages_work(
    place: Scene, module: str, action: str, result: object, unconfined: tuple[str, ...]
) -> None:
    if find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    outcome = place.run("confine_works", [action, "other_packages"], imports=(module,), unconfined=unconfined)
    if "ModuleNotFoundError" in outcome.results[action][2] or "ImportError" in outcome.results[action][2]:
        pytest.skip(f"{module} is not for {interpreter(place.user)}")
    assert outcome.results[action] == (result, None, "")
    assert outcome.results["other_packages"][0] == []


def test_writable_directories(place: Scene) -> None:
    outcome = place.run("confine_works", ["write_and_read_outside"], writable=[place.values["outside"]])
    assert outcome.results["write_and_read_outside"] == ("hello", None, "")
    assert (place.root / "outside" / "file2").read_text() == "hello"


def test_files_of_a_limited_work_directory_leave_nothing(place: Scene) -> None:
    outcome = place.run("confine_works", ["temporary_files", "work_with_files"])
    if "disk" not in outcome.applied:
        pytest.skip("this takes a mount namespace")
    newest = max((place.root / "work").iterdir(), key=lambda path: path.stat().st_mtime)
    assert list(newest.iterdir()) == []


def test_files_of_an_unlimited_work_directory_stay(place: Scene) -> None:
    outcome = place.run("confine_works", ["work_with_files"], max_disk_mb=None)
    assert "disk" not in outcome.applied
    assert outcome.results["work_with_files"][1:] == (None, "")
    kept = [path for path in (place.root / "work").iterdir() if (path / "a" / "two.txt").exists()]
    assert len(kept) == 1


def test_network_when_it_is_allowed(place: Scene) -> None:
    actions = ["use_network", "serve_network"]
    outcome = place.run("confine_works", actions, allow_network=True)
    assert {action: outcome.results[action] for action in actions} == {
        "use_network": ("127.0.0.1", None, ""),
        "serve_network": ("hello", None, ""),
    }
    assert "network_namespace" not in outcome.applied


def test_certificates_can_be_checked(place: Scene) -> None:
    wanted = place.run("confine_works", ["certificates"], confined=False).results["certificates"]
    for unconfined in ([], ["namespaces"]):
        outcome = place.run("confine_works", ["certificates"], allow_network=True, unconfined=unconfined)
        assert outcome.results["certificates"] == wanted


@pytest.mark.parametrize(
    "action",
    "connect_unix connect_abstract send_from_pair raw_socket packet_socket netlink_socket vsock attach_filter "
    "read_home fork memory_file read_environ".split(),
)
def test_network_allows_nothing_else(place: Scene, action: str) -> None:
    outcome = place.run("confine_attacks", [action], allow_network=True)
    assert outcome.refused(action) is not None


def test_executable_memory_when_it_is_allowed(place: Scene) -> None:
    outcome = place.run("confine_works", ["make_executable_memory"], executable_memory=True)
    assert outcome.results["make_executable_memory"] == ([1, 2, 3, 4, 5], None, "")


def test_call_backs_from_c_work_or_say_no(place: Scene) -> None:
    """Some builds of libffi need executable memory for them."""
    outcome = place.run("confine_works", ["call_back_from_c", "hashing"])
    assert outcome.results["call_back_from_c"][:2] in (([1, 2, 3, 4, 5], None), (None, "MemoryError"))
    assert outcome.results["hashing"][1] is None


def test_who_the_code_is(place: Scene) -> None:
    outcome = place.run("confine_works", ["identity"])
    uid, effective, gid, groups, host, in_work_dir = outcome.results["identity"][0]
    assert uid != 0
    assert effective == uid
    assert gid != 0
    assert 0 not in groups
    assert in_work_dir
    if "uts_namespace" in outcome.applied:
        assert host == "sandbox"
    if place.user == 0:
        assert "own_user" in outcome.applied


def test_what_root_lets_the_code_write_belongs_to_root(place: Scene) -> None:
    if place.user != 0:
        pytest.skip("only root can be another user")
    outside = place.values["outside"]
    outcome = place.run("confine_works", ["identity", "write_and_read_outside"], writable=[outside], max_threads=10)
    assert outcome.results["write_and_read_outside"][0] == "hello"
    assert (place.root / "outside" / "file2").stat().st_uid == 0
    assert "own_user" not in outcome.applied
    assert outcome.results["identity"][0][0] != 0  # counted as another user's, so that its threads are limited
    assert {"threads", "capabilities"} <= set(outcome.applied)


def test_root_can_stay_root_for_files(place: Scene) -> None:
    """Capabilities are gone all the same."""
    outcome = place.run("confine_works", ["identity", "read_readable"], unconfined=["own_user"])
    assert "own_user" not in outcome.applied
    assert "capabilities" in outcome.applied
    assert outcome.results["read_readable"][0] == SECRET


def test_dies_with_its_parent(place: Scene) -> None:
    outcome = place.run("confine_works", ["abandon_a_confined_child"], confined=False)
    assert outcome.results["abandon_a_confined_child"][0] == "gone"


def test_a_process_with_threads_is_refused(place: Scene) -> None:
    outcome = place.run("confine_works", ["confine_with_threads"], confined=False)
    assert "2 threads" in outcome.results["confine_with_threads"][0]


def test_a_missing_path_is_named(place: Scene) -> None:
    outcome = place.run("confine_works", ["confine_with_missing_path"], confined=False)
    assert (
        outcome.results["confine_with_missing_path"][0]
        == "files: cannot open /no/such/place: No such file or directory"
    )


def test_close_descriptors(place: Scene) -> None:
    assert place.run("confine_works", ["close_all"], confined=False).results["close_all"][0] is True


def test_confining_is_quick(place: Scene) -> None:
    seconds = place.run("confine_works", ["time_to_confine"], confined=False).results["time_to_confine"][0]
    assert seconds < 0.05  # 0.003 where nothing else runs
