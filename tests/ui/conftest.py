"""What the tests of user interfaces share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from support.fresh_process import fresh_python

__all__ = ["ServedChat", "fresh_python", "served_chat"]


class ServedChat(NamedTuple):
    """A chat page in a process of its own."""

    address: str
    folder: Path
    """Where the process works."""


@pytest.fixture(scope="session")
def served_chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedChat]:
    """The page of `support.chat_page`; one for all tests, as starting it takes seconds and its users are apart."""
    pytest.importorskip("gradio")
    from support.gradio_app import serve

    folder = tmp_path_factory.mktemp("page")
    program = f"import os; os.chdir({str(folder)!r}); from support.chat_page import launch; launch()"
    with serve(program) as address:
        yield ServedChat(address, folder)
