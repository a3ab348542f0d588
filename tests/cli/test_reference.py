"""docs/cli.md is what the commands say of themselves."""

from __future__ import annotations

import re
import sys

import pytest

from support.cli_reference import PAGE, reference


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="each version of argparse lays help out in its own way")
def test_the_page_is_up_to_date():
    assert PAGE.read_text("utf-8") == reference(), "run: python tests/support/cli_reference.py"


def test_the_page_has_every_command_and_option():
    page = PAGE.read_text("utf-8")
    now = reference()
    for pattern in (r"^## .*$", r"--[a-z][\w-]*"):
        assert set(re.findall(pattern, now, re.MULTILINE)) == set(re.findall(pattern, page, re.MULTILINE))
