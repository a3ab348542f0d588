"""What confined code must not be able to do, tried for real, as root and as an unprivileged user."""

from __future__ import annotations

import errno
import inspect
import signal
from collections.abc import Iterator

import confine_attacks
import pytest
from confine_scene import Outcome, Scene, scene, users

_KILLS = ["call_x32", "call_32_bit"]
_ACTIONS = [
    name
    for name, function in vars(confine_attacks).items()
    if inspect.isfunction(function) and not name.startswith("_") and name != "prepare" and name not in _KILLS
]
# Not tried without confinement: they would hit other processes, or leave a broken one.
_ONLY_CONFINED = {"signal_all", "signal_group", "clone_shared", "trace_me", "push_input", "pivot_root"}

# What an unprivileged user of any Linux system can do, so that refusing it says something.
_OPEN_TO_ALL = """
    read_passwd stat_passwd list_root read_home list_home read_environ read_own_maps write_own_memory read_kernel read_sys
    write_outside overwrite_outside truncate_outside delete_outside rename_outside make_directory_outside change_mode_outside
    change_mode_by_descriptor change_times_outside change_readable read_through_symlink read_through_dots hard_link_in move_out
    hard_link_out make_set_user_id change_to_set_user_id fork fork_bomb run_program spawn system
    signal_victim signal_thread open_process signal_by_socket_owner choose_signal outlive_parent become_dumpable new_session
    change_priority_of connect_tcp listen_tcp send_udp connect_unix connect_abstract send_from_pair attach_filter memory_file
    personality shared_memory message_queue watch_files sync_disks raise_limit splice_pages map_executable
    make_executable map_anonymous_executable map_written_file_executable map_twice wait_with_priority
""".split()
_OPEN_TO_ROOT = ["make_device", "mount", "change_root", "raw_socket", "read_process", "trace"]

# Errors by which the kernel refuses; "no such file" only where nothing else is there.
_REFUSALS = {errno.EPERM, errno.EACCES, errno.EROFS, errno.EXDEV, errno.EOPNOTSUPP, "PermissionError"}
_OTHER_REFUSALS = {
    "raise_limit": "ValueError",  # how Python says that a limit may not be raised
    "resolve_name": -3,  # EAI_AGAIN: no name server can be asked
}
# Returns as if it had been done where files are not protected by a private root; `test_nothing_was_changed` sees what it did.
_IGNORED = {"change_mode_outside", "change_mode_by_descriptor", "change_times_outside"}
# What Landlock and the filter leave open by themselves.
_NEEDS_NAMESPACES = {"stat_passwd", "map_written_file_executable"}

_NEEDS_LANDLOCK = {"list_root"}  # the private root can be listed; there is nothing in it

_WAYS = {"all": (), "without_namespaces": ("namespaces",), "without_landlock": ("landlock",)}


@pytest.fixture(scope="module", params=users(), ids=lambda user: "root" if user == 0 else "user")
def place(request: pytest.FixtureRequest) -> Iterator[Scene]:
    with scene(request.param) as made:
        yield made


@pytest.fixture(scope="module")
def unconfined(place: Scene) -> Outcome:
    return place.run("confine_attacks", [name for name in _ACTIONS if name not in _ONLY_CONFINED], confined=False)


@pytest.fixture(scope="module", params=_WAYS.values(), ids=_WAYS)
def confined(place: Scene, request: pytest.FixtureRequest) -> Outcome:
    outcome = place.run("confine_attacks", _ACTIONS, unconfined=request.param)
    if "landlock" in request.param and "private_root" not in outcome.applied:
        pytest.skip("without Landlock and namespaces, files are not confined")
    return outcome


@pytest.mark.parametrize("action", _OPEN_TO_ALL)
def test_attack_succeeds_without_confinement(action: str, unconfined: Outcome) -> None:
    assert unconfined.results[action][1:] == (None, "")


@pytest.mark.parametrize("action", _OPEN_TO_ROOT)
def test_attack_succeeds_as_root_without_confinement(action: str, place: Scene, unconfined: Outcome) -> None:
    if place.user != 0:
        pytest.skip("only root can do this")
    assert unconfined.results[action][1:] == (None, "")


@pytest.mark.parametrize("action", _ACTIONS)
def test_attack_is_refused(action: str, confined: Outcome) -> None:
    private = "private_root" in confined.applied
    if action in _NEEDS_NAMESPACES and not private:
        pytest.skip("this takes a root directory of its own")
    if action in _NEEDS_LANDLOCK and "landlock" not in confined.applied:
        pytest.skip("this takes Landlock")
    refused = confined.refused(action)
    if action in _IGNORED and not private and refused is None:
        return
    allowed = _REFUSALS | {_OTHER_REFUSALS.get(action)} | ({errno.ENOENT} if private else set())
    assert refused is not None
    assert refused in allowed, confined.results[action]


@pytest.mark.parametrize("action", _KILLS)
def test_calls_of_another_architecture_kill(action: str, place: Scene) -> None:
    if not confine_attacks._X86:
        pytest.skip("x86-64 alone has them")
    outcome = place.run("confine_attacks", [action])
    assert outcome.status == -signal.SIGSYS


@pytest.mark.parametrize("unconfined", [(), ("namespaces",)], ids=["all", "without_namespaces"])
def test_nothing_was_changed(place: Scene, unconfined: tuple[str, ...]) -> None:
    """The attacks' refusals are not just errors: what they aimed at is as it was."""
    place.run("confine_attacks", _ACTIONS, unconfined=unconfined)
    for name in ("outside", "readable", "home"):
        files = {path.name: (path.read_text(), path.stat().st_mode & 0o777) for path in (place.root / name).iterdir()}
        assert set(files) == {"secret", "victim-of-unlink", "victim-of-rename", "file"}
        assert set(files.values()) == {("the-secret-of-the-host", 0o644)}
        assert all(path.stat().st_mtime > 10**9 for path in (place.root / name).iterdir())
