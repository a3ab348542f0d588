"""What hostile code would try. Each function returns if it succeeded and raises if it was refused."""

from __future__ import annotations

import ctypes
import os
import platform

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.syscall.argtypes = [ctypes.c_long] * 7
_X86 = platform.machine() == "x86_64"


def _call(x86: int, aarch64: int, *arguments: int) -> int:
    result = _libc.syscall(x86 if _X86 else aarch64, *arguments, *[0] * (6 - len(arguments)))
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _buffer(data: bytes | int) -> int:
    _kept.append(ctypes.create_string_buffer(data))
    return ctypes.addressof(_kept[-1])


_kept: list = []


def prepare(scene):
    """Before confinement: a page with a 32-bit system call (getpid), for when none can be made executable any more."""
    import mmap

    if not _X86:
        return
    scene["page"] = page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(b"\x53\xb8\x14\x00\x00\x00\xcd\x80\x5b\xc3")  # push rbx; mov eax, 20; int 0x80; pop rbx; ret


# Files


def read_passwd(scene):
    return open("/etc/passwd").read(4)


def stat_passwd(scene):
    return os.stat("/etc/passwd").st_size


def list_root(scene):
    return len(os.listdir("/"))


def read_home(scene):
    return open(scene["home"] + "/secret").read()


def list_home(scene):
    return os.listdir(scene["home"])


def read_environ(scene):
    return open(f"/proc/{scene['victim']}/environ").read()


def read_own_maps(scene):
    return open("/proc/self/maps").read(10)


def write_own_memory(scene):
    target = ctypes.create_string_buffer(b"before")
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        memory.seek(ctypes.addressof(target))
        memory.write(b"after!")
    assert target.value == b"after!"


def read_kernel(scene):
    return open("/proc/sys/kernel/ostype").read()


def read_sys(scene):
    return os.listdir("/sys")


def write_outside(scene):
    open(scene["outside"] + "/new", "w").write("x")


def overwrite_outside(scene):
    open(scene["outside"] + "/file", "a").write("x")


def truncate_outside(scene):
    os.truncate(scene["outside"] + "/file", 1)


def delete_outside(scene):
    os.unlink(scene["outside"] + "/victim-of-unlink")


def rename_outside(scene):
    os.rename(scene["outside"] + "/victim-of-rename", scene["outside"] + "/renamed")


def make_directory_outside(scene):
    os.mkdir(scene["outside"] + "/directory")


def change_mode_outside(scene):
    os.chmod(scene["outside"] + "/file", 0o600)


def change_mode_by_descriptor(scene):
    """Of a file that can be read but not written."""
    descriptor = os.open(scene["readable"] + "/file", os.O_RDONLY)
    os.fchmod(descriptor, 0o600)


def change_times_outside(scene):
    os.utime(scene["outside"] + "/file", (1, 1))


def change_attribute_outside(scene):
    os.setxattr(scene["outside"] + "/file", "user.x", b"y")


def change_readable(scene):
    open(scene["readable"] + "/file", "a").write("x")


def read_through_symlink(scene):
    os.symlink(scene["home"] + "/secret", "link")
    return open("link").read()


def read_through_dots(scene):
    return open("../" * 20 + scene["home"] + "/secret").read()


def hard_link_in(scene):
    os.link(scene["home"] + "/secret", "linked")
    return open("linked").read()


def move_out(scene):
    open("mine", "w").close()
    os.rename("mine", scene["outside"] + "/moved")


def hard_link_out(scene):
    open("mine2", "w").close()
    os.link("mine2", scene["outside"] + "/linked")


def open_by_handle(scene):
    size = 128
    handle = ctypes.create_string_buffer(size.to_bytes(4, "little") + bytes(4 + size))
    mount = ctypes.c_int()
    path = _buffer(os.fsencode(scene["home"] + "/secret"))
    _call(303, 264, -100, path, ctypes.addressof(handle), ctypes.addressof(mount), 0)
    return "a handle"


def make_device(scene):
    os.mknod("device", 0o20666, os.makedev(1, 1))


def make_set_user_id(scene):
    descriptor = os.open("program", os.O_CREAT | os.O_WRONLY, 0o4755)
    assert os.fstat(descriptor).st_mode & 0o4000


def change_to_set_user_id(scene):
    open("program2", "w").close()
    os.chmod("program2", 0o4755)
    if not os.stat("program2").st_mode & 0o4000:
        raise PermissionError("ignored")


# Processes


def fork(scene):
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)


def fork_bomb(scene):
    children = []
    for _ in range(20):
        child = os.fork()
        if not child:
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


def run_program(scene):
    import subprocess

    subprocess.run(["/bin/true"], check=True)


def spawn(scene):
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)


def system(scene):
    if os.system("true") != 0:
        raise PermissionError("no shell")


def clone_into_namespace(scene):
    _call(56, 220, 0x10000000 | 17, 0, 0, 0, 0) or os._exit(0)


def clone_shared(scene):
    """A process that shares memory, without being a thread."""
    stack = _buffer(65536) + 65536
    _call(56, 220, 0x00000100 | 0x00000800 | 0x4000 | 17, stack & ~15, 0, 0, 0)


def trace(scene):
    _call(101, 117, 16, scene["victim"], 0, 0)  # PTRACE_ATTACH
    os.waitpid(scene["victim"], 0x40000000)  # __WALL
    _call(101, 117, 17, scene["victim"], 0, 0)  # PTRACE_DETACH


def trace_me(scene):
    _call(101, 117, 0, 0, 0, 0)


def read_process(scene):
    data = ctypes.create_string_buffer(8)
    local = _buffer(ctypes.addressof(data).to_bytes(8, "little") + (8).to_bytes(8, "little"))
    far = _buffer(scene["address"].to_bytes(8, "little") + (8).to_bytes(8, "little"))
    _call(310, 270, scene["victim"], local, 1, far, 1, 0)


def signal_parent(scene):
    os.kill(os.getppid(), 0)


def signal_victim(scene):
    os.kill(scene["victim"], 0)


def signal_all(scene):
    os.kill(-1, 0)


def signal_group(scene):
    os.kill(0, 0)


def signal_thread(scene):
    _call(234, 131, scene["victim"], scene["victim"], 0)


def signal_queue(scene):
    _call(129, 138, scene["victim"], 0, _buffer(128))


def open_process(scene):
    _call(434, 434, scene["victim"], 0)


def signal_by_socket_owner(scene):
    """Have the kernel send a signal when a pipe can be read."""
    import fcntl

    reader, _ = os.pipe()
    fcntl.fcntl(reader, 8, scene["victim"])  # F_SETOWN


def choose_signal(scene):
    import fcntl

    reader, _ = os.pipe()
    fcntl.fcntl(reader, 10, 9)  # F_SETSIG: SIGKILL


def outlive_parent(scene):
    _call(157, 167, 1, 0, 0, 0, 0)  # PR_SET_PDEATHSIG


def become_dumpable(scene):
    _call(157, 167, 4, 1, 0, 0, 0)


def new_session(scene):
    os.setsid()


def change_priority_of(scene):
    os.setpriority(os.PRIO_PROCESS, scene["victim"], 5)


# Sockets


def connect_tcp(scene):
    import socket

    socket.create_connection(("127.0.0.1", scene["tcp"]), 5).close()


def listen_tcp(scene):
    import socket

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()


def send_udp(scene):
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("127.0.0.1", scene["udp"]))


def send_udp6(scene):
    import socket

    socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).close()


def connect_unix(scene):
    import socket

    with socket.socket(socket.AF_UNIX) as client:
        client.connect(scene["unix"])


def connect_abstract(scene):
    import socket

    with socket.socket(socket.AF_UNIX) as client:
        client.connect("\0" + scene["abstract"])


def send_from_pair(scene):
    """A pair of datagram sockets can also send to named ones."""
    import socket

    one, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    one.sendto(b"x", "\0" + scene["abstract_datagram"])


def connect_pair_again(scene):
    import socket

    one, two = socket.socketpair()
    two.close()
    one.connect("\0" + scene["abstract"])


def raw_socket(scene):
    import socket

    socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close()


def packet_socket(scene):
    import socket

    socket.socket(17, 3).close()


def netlink_socket(scene):
    import socket

    socket.socket(16, 3, 0).close()


def vsock(scene):
    import socket

    socket.socket(40, 1, 0).close()


def attach_filter(scene):
    import socket

    one, _ = socket.socketpair()
    program = _buffer(b"\x06\x00\x00\x00\xff\xff\xff\xff")
    one.setsockopt(1, 26, (1).to_bytes(8, "little") + program.to_bytes(8, "little"))


def resolve_name(scene):
    import socket

    return len(socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM))


# The system


def mount(scene):
    _call(165, 40, _buffer(b"none"), _buffer(os.fsencode(scene["work_dir"])), _buffer(b"tmpfs"), 0, 0)
    _call(166, 39, _buffer(os.fsencode(scene["work_dir"])), 0)


def unshare(scene):
    _call(272, 97, 0x10000000)


def enter_namespace(scene):
    descriptor = os.open("/proc/self/ns/user", os.O_RDONLY)
    _call(308, 268, descriptor, 0)


def pivot_root(scene):
    _call(155, 41, _buffer(b"."), _buffer(b"."))


def memory_file(scene):
    os.close(os.memfd_create("code"))


def secret_memory(scene):
    os.close(_call(447, 447, 0))


def io_uring(scene):
    os.close(_call(425, 425, 1, _buffer(120)))


def userfaultfd(scene):
    os.close(_call(323, 282, 1))  # UFFD_USER_MODE_ONLY


def keyctl(scene):
    _call(250, 219, 0, -3, 1)  # KEYCTL_GET_KEYRING_ID of the session


def add_key(scene):
    _call(248, 217, _buffer(b"user"), _buffer(b"smuggled"), _buffer(b"x"), 1, -2)


def bpf(scene):
    # An array of one number.
    attributes = b"".join(number.to_bytes(4, "little") for number in (2, 4, 8, 1)) + bytes(100)
    os.close(_call(321, 280, 0, _buffer(attributes), 48))


def perf(scene):
    os.close(
        _call(298, 241, _buffer((1).to_bytes(4, "little") + (112).to_bytes(4, "little") + bytes(120)), 0, -1, -1, 0)
    )


def personality(scene):
    _call(135, 92, 0x0040000)  # ADDR_NO_RANDOMIZE


def lock_memory(scene):
    _call(149, 228, _buffer(4096), 4096)


def shared_memory(scene):
    _call(31, 195, _call(29, 194, 0, 4096, 0o1600), 0, 0)


def message_queue(scene):
    _call(71, 187, _call(68, 186, 0, 0o1600), 0, 0)


def watch_files(scene):
    os.close(_call(294, 26, 0))


def sync_disks(scene):
    _call(162, 81)


def push_input(scene):
    """Type into the terminal that the host was started from."""
    import fcntl

    fcntl.ioctl(0, 0x5412, b"x")


def raise_limit(scene):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def become_root(scene):
    os.setuid(0)


def splice_pages(scene):
    _, writer = os.pipe()
    vector = _buffer(_buffer(16).to_bytes(8, "little") + (16).to_bytes(8, "little"))
    _call(278, 75, writer, vector, 1, 0)


# Native code


def map_executable(scene):
    import mmap

    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def make_executable(scene):
    import mmap

    page = mmap.mmap(-1, 4096)
    _call(10, 226, ctypes.addressof(ctypes.c_char.from_buffer(page)), 4096, 5)


def map_anonymous_executable(scene):
    import mmap

    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC).close()


def map_written_file_executable(scene):
    import mmap

    with open("native", "w+b") as file:
        file.write(b"\xc3" * 4096)
        file.flush()
        mmap.mmap(file.fileno(), 4096, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_EXEC).close()


def map_twice(scene):
    """Shared memory at two places, one to write and one to execute."""
    import mmap

    descriptor = os.open("/dev/zero", os.O_RDWR)
    first = _call(9, 222, 0, 4096, mmap.PROT_READ | mmap.PROT_EXEC, mmap.MAP_SHARED, descriptor, 0)
    second = _call(25, 216, first, 0, 4096, 1, 0)
    _call(10, 226, second, 4096, mmap.PROT_READ | mmap.PROT_WRITE)


def wait_with_priority(scene):
    _call(202, 98, _buffer(8), 6, 0, 0, 0, 0)  # FUTEX_LOCK_PI


def call_x32(scene):
    return _call(0x40000000 + 39, 0)


def call_32_bit(scene):
    function = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(scene["page"])))
    return function()


# The last one: without confinement, no other file is found after it.


def change_root(scene):
    os.chroot(scene["work_dir"])
