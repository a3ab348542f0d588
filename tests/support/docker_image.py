"""Docker images for tests, made of what is on this machine, as no registry may be reachable.

The base image takes the place of `python:3.12-slim`: the running interpreter, its standard library and pip under
/usr/local, and a few of the machine's commands. It also holds the Kernel Gateway, ipykernel, numpy, pandas and pillow
of the running environment, so that pip has nothing to fetch. The kernel image is built from the Dockerfile of the
package, on that base. Both are named after what is in them, and made once.

    python tests/support/docker_image.py        # makes both and prints their names
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

BASE, KERNEL = "smolagents-test-base", "smolagents-test-kernel"
PACKAGES = ("pip", "jupyter_kernel_gateway", "ipykernel", "numpy", "pandas", "pillow")
COMMANDS = (
    "sh cat chmod chown cp date df env grep head id kill ls mkdir mv ps rm sleep sort tail touch useradd".split()
)
LIBRARIES = (
    "libc libm libpthread libdl librt libutil libresolv libnss_dns libnss_files".split()  # of the C library
    + "libgcc_s libstdc++ libz".split()  # what wheels of any kind may count on
)
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
SITE = f"usr/local/lib/{PYTHON}/site-packages"
UNUSED = {"site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "lib2to3"}


def test_images(client: Any) -> tuple[str, str]:
    """Names of the base image and the kernel image, which are made if they are not there."""
    base = f"{BASE}:{_key()}"
    dockerfile = dockerfile_on(base)
    kernel = f"{KERNEL}:{hashlib.sha256(dockerfile.encode()).hexdigest()[:16]}"
    present = {_short(tag) for image in client.images.list() for tag in image.tags}
    _forget_old(client, {base, kernel})
    if base not in present:
        _import_base(client, base)
    if kernel not in present:
        client.images.build(fileobj=io.BytesIO(dockerfile.encode()), tag=kernel, rm=True)
    return base, kernel


def _forget_old(client: Any, wanted: set[str]) -> None:
    """Remove images of earlier days. Those of today may be in use by the tests of another environment."""
    for image in client.api.images():
        for tag in set(image["RepoTags"] or ()) - wanted:
            if _short(tag).startswith((f"{BASE}:", f"{KERNEL}:")) and time.time() - image["Created"] > 86400:
                client.images.remove(tag, force=True)


def _short(tag: str) -> str:
    """Podman writes names out: with the registry that a name without one stands for, or `localhost`."""
    return tag.removeprefix("docker.io/library/").removeprefix("localhost/")


def dockerfile_on(base: str) -> str:
    """The package's Dockerfile on another base."""
    from smolagents.executors.remote.docker.image import shipped_dockerfile

    text, replaced = re.subn(r"(?m)^FROM .*$", f"FROM {base}", shipped_dockerfile())
    assert replaced == 1
    return text


def _key() -> str:
    content = [Path(__file__).read_text(), sys.version, platform.machine()]
    content += [f"{found.name}=={found.version}" for found in _distributions(PACKAGES)]
    return hashlib.sha256("\n".join(content).encode()).hexdigest()[:16]


def _import_base(client: Any, name: str) -> None:
    repository, _, tag = name.partition(":")
    changes = ["ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "ENV LANG=C.UTF-8"]
    if CERTIFICATES.exists():
        changes += [f"ENV {name}={CERTIFICATES}" for name in ("SSL_CERT_FILE", "PIP_CERT")]
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "root.tar")
        with tarfile.open(archive, "w") as tar:
            _add_root(tar, Path(folder))
        with archive.open("rb") as data:
            said = client.api.import_image_from_data(data, repository=repository, tag=tag, changes=changes)
    image = json.loads(said.strip().splitlines()[-1])["status"]
    client.api.tag(image, repository, tag)  # Podman 4.3 leaves the tag out


def _add_root(tar: tarfile.TarFile, scratch: Path) -> None:
    root = Path(scratch, "root")
    for folder in ("etc", "home", "root", "tmp", "var/tmp", "proc", "sys", "dev", "run", "usr/bin", "usr/sbin"):
        Path(root, folder).mkdir(parents=True)
    for folder in ("tmp", "var/tmp"):
        Path(root, folder).chmod(0o1777)
    for link in ("bin", "sbin", "lib", "lib64"):
        Path(root, "usr", link).mkdir(exist_ok=True)
        Path(root, link).symlink_to(f"usr/{link}")
    Path(root, "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    Path(root, "etc/group").write_text("root:x:0:\n")
    Path(root, "etc/nsswitch.conf").write_text("hosts: files dns\n")
    Path(root, "etc/ld.so.conf").write_text("/usr/local/lib\n/usr/lib\n/usr/lib64\n")
    if CERTIFICATES.exists():
        _copy(CERTIFICATES, root / CERTIFICATES.relative_to("/"))
    libraries: set[Path] = set()
    for command in COMMANDS:
        if found := shutil.which(command, path="/usr/bin:/bin:/usr/sbin:/sbin"):
            _copy(Path(found), root / "usr/bin" / command)
            libraries |= _libraries(Path(found))
    interpreter = Path(sys.base_prefix, "bin", PYTHON)
    _copy(interpreter, root / "usr/local/bin" / PYTHON)
    for name in ("python", "python3"):
        Path(root, "usr/local/bin", name).symlink_to(PYTHON)
    stdlib = Path(sysconfig.get_path("stdlib"))
    for binary in (interpreter, *Path(stdlib, "lib-dynload").glob("*.so")):
        libraries |= _libraries(binary)
    for name in LIBRARIES:
        libraries |= {path for place in _library_places() for path in place.glob(f"{name}.so.[0-9]")}
    for library in libraries:
        loader = library.name.startswith("ld-linux")
        _copy(library, root / "usr" / ("lib64" if loader and platform.machine() == "x86_64" else "lib") / library.name)
    subprocess.run(["/sbin/ldconfig", "-r", str(root)], check=True)
    tar.add(root, arcname=".", filter=_as_root)
    tar.add(stdlib, arcname=f"usr/local/lib/{PYTHON}", filter=_stdlib_part)
    debian = tarfile.TarInfo(f"usr/local/lib/{PYTHON}/dist-packages")  # where Debian's Python looks instead
    debian.type, debian.linkname = tarfile.SYMTYPE, "site-packages"
    tar.addfile(debian)
    _add_packages(tar)


def _add_packages(tar: tarfile.TarFile) -> None:
    added: set[str] = set()  # some list a file twice, which Docker does not take
    for found in _distributions(PACKAGES):
        for file in found.files or ():
            path = Path(str(found.locate_file(file)))
            heavy_tests = found.name in ("numpy", "pandas") and "tests" in file.parts
            if ".." in file.parts or heavy_tests or file.as_posix() in added or not path.is_file():
                continue
            added.add(file.as_posix())
            tar.add(path, arcname=f"{SITE}/{file.as_posix()}", filter=_as_root)
        for script in found.entry_points.select(group="console_scripts"):
            module, _, function = script.value.partition(":")
            text = f"#!/usr/local/bin/python\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n"
            entry = tarfile.TarInfo(f"usr/local/bin/{script.name}")
            entry.size, entry.mode = len(text.encode()), 0o755
            tar.addfile(entry, io.BytesIO(text.encode()))


def _distributions(packages: tuple[str, ...]) -> list[importlib.metadata.Distribution]:
    """What is installed of `packages` and all that they need."""
    found: dict[str, importlib.metadata.Distribution] = {}

    def visit(name: str) -> None:
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in found:
            return
        found[key] = distribution = importlib.metadata.distribution(name)
        for line in distribution.requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                visit(requirement.name)

    for package in packages:
        visit(package)
    return [found[key] for key in sorted(found)]


def _libraries(binary: Path) -> set[Path]:
    said = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=False).stdout
    return {Path(path) for path in re.findall(r"(?:=> |^\s+)(/\S+) \(0x", said, flags=re.MULTILINE)}


def _library_places() -> Iterator[Path]:
    for place in (
        f"/lib/{platform.machine()}-linux-gnu",
        f"/usr/lib/{platform.machine()}-linux-gnu",
        "/lib64",
        "/lib",
    ):
        if Path(place).is_dir():
            yield Path(place)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.copy2(os.path.realpath(source), target)


def _as_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry


def _stdlib_part(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    inner = entry.name.removeprefix(f"usr/local/lib/{PYTHON}").lstrip("/").split("/")
    if UNUSED.intersection(inner) or inner[0].startswith("config-") or inner[0] == "EXTERNALLY-MANAGED":
        return None
    return _as_root(entry)


if __name__ == "__main__":
    import docker

    print(*test_images(docker.from_env()), sep="\n")
