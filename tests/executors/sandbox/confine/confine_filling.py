"""Code that takes all it can get. Each function says how much that was."""

from __future__ import annotations

import errno
import os
import threading

_MB = 1 << 20


def fill_memory(scene):
    taken = []
    try:
        while True:
            taken.append(bytearray(8 * _MB))
    except MemoryError:
        count = len(taken)
        del taken
    return 8 * count


def compute(scene):
    """After a MemoryError, the process goes on."""
    return sum(range(1000))


def fill_shared_memory(scene):
    import mmap

    taken = []
    try:
        while len(taken) < 4000:
            taken.append(mmap.mmap(-1, 16 * _MB))
    except OSError as error:
        if error.errno != errno.ENOMEM:
            raise
    return 16 * len(taken)


def fill_small_objects(scene):
    taken = {}
    try:
        while True:
            taken[len(taken)] = [len(taken)]
    except MemoryError:
        taken.clear()


def fill_disk(scene):
    size = 0
    try:
        for number in range(10000):
            with open(f"file{number}", "wb") as file:
                for _ in range(4):
                    size += file.write(bytes(_MB))
                    file.flush()
    except OSError as error:
        return [size // _MB, errno.errorcode[error.errno]]


def fill_one_file(scene):
    size = 0
    try:
        with open("big", "wb", buffering=0) as file:
            while True:
                size += file.write(bytes(_MB))
    except OSError as error:
        return [size // _MB, errno.errorcode[error.errno]]


def fill_names(scene):
    number = 0
    try:
        while number < 200_000:
            open(f"name{number}", "w").close()
            number += 1
    except OSError as error:
        return [number, errno.errorcode[error.errno]]


def fill_descriptors(scene):
    taken = []
    try:
        while True:
            taken.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as error:
        return [len(taken), errno.errorcode[error.errno]]
    finally:
        for descriptor in taken:
            os.close(descriptor)


def fill_threads(scene):
    wait = threading.Event()
    threads = []
    threading.stack_size(64 * 1024)
    try:
        while len(threads) < 5000:
            thread = threading.Thread(target=wait.wait, daemon=True)
            thread.start()
            threads.append(thread)
    except RuntimeError:
        pass
    wait.set()
    for thread in threads:
        thread.join()
    return len(threads)


def spin(scene):
    while True:
        pass


def spin_in_threads(scene):
    import hashlib

    data = bytes(_MB)

    def burn():
        while True:
            hashlib.sha256(data)  # releases the lock of the interpreter

    for _ in range(3):
        threading.Thread(target=burn, daemon=True).start()
    burn()
