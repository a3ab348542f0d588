"""What the command line is understood to say."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolagents.cli import parse_arguments


def test_defaults():
    assert vars(parse_arguments(["Do it"])) == {
        "prompt": "Do it",
        "model_type": None,
        "model_id": None,
        "provider": None,
        "api_base": None,
        "api_key": None,
        "action_type": "code",
        "executor_type": None,
        "tools": [],
        "imports": [],
        "max_steps": 20,
        "num_agents": 1,
        "roles": None,
        "mailboxes": None,
        "verbosity_level": 1,
    }


def test_everything_given():
    arguments = parse_arguments(
        [
            "Plan a trip",
            *("--model-type", "OpenAIModel", "--model-id", "m", "--provider", "p"),
            *("--api-base", "http://a/v1", "--api-key", "k", "--action-type", "tool_calling"),
            *("--tools", "web_search", "visit_webpage", "--imports", "pandas numpy"),
            *("--max-steps", "3", "--verbosity-level", "debug"),
        ]
    )
    assert arguments.prompt == "Plan a trip"
    assert (arguments.model_type, arguments.model_id, arguments.provider) == ("OpenAIModel", "m", "p")
    assert (arguments.api_base, arguments.api_key, arguments.action_type) == ("http://a/v1", "k", "tool_calling")
    assert arguments.tools == ["web_search", "visit_webpage"]
    assert arguments.imports == ["pandas", "numpy"]
    assert (arguments.max_steps, arguments.verbosity_level) == (3, 2)


@pytest.mark.parametrize(
    "words", [["numpy", "pandas"], ["numpy pandas"], ["numpy,pandas"], ["numpy, pandas"], [" numpy ", "pandas"]]
)
@pytest.mark.parametrize("option", ["--imports", "--tools"])
def test_names_come_as_one_string_or_as_several_words(option, words):
    arguments = parse_arguments(["Do it", option, *words])
    assert getattr(arguments, option[2:]) == ["numpy", "pandas"]


@pytest.mark.parametrize(
    ("argv", "names"),
    [
        (["--tools", "web_search", "Plan a trip"], ["web_search"]),
        (["--tools", "web_search visit_webpage", "Plan a trip"], ["web_search", "visit_webpage"]),
        (["--imports", "numpy", "What is 2 + 2?"], ["numpy"]),
        (["--imports", "What is 2 + 2?"], []),
    ],
)
def test_a_task_after_several_words_is_still_the_task(argv, names):
    arguments = parse_arguments(argv)
    assert arguments.prompt == argv[-1]
    assert getattr(arguments, argv[0][2:]) == names


@given(
    st.lists(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), min_size=1, max_size=5), st.sampled_from([" ", ",", ", "])
)
def test_any_names_survive_any_separator(names, separator):
    assert parse_arguments(["Do it", "--imports", separator.join(names)]).imports == names
    assert parse_arguments(["--imports", *names, "--", "Do it"]).imports == names


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["x", "--modle-id", "m"], "--modle-id.*did you mean --model-id"),
        (["x", "--max-steps", "0"], "'0' is not a whole number of at least 1"),
        (["x", "--max-steps", "many"], "'many'"),
        (["x", "--verbosity-level", "loud"], "'loud'.*DEBUG"),
        (["x", "--action-type", "jsn"], "'jsn'.*tool_calling"),
        (["x", "--model-id"], "--model-id: expected one argument"),
        (["x", "y"], "unrecognized arguments: y"),
    ],
)
def test_wrong_arguments_get_one_line(argv, said, capsys):
    with pytest.raises(SystemExit) as left:
        parse_arguments(argv)
    assert left.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert re.search(said, err)


def test_help_fits_a_narrow_terminal_and_tells_all(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as left:
        parse_arguments(["--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    for flag in ("model-type", "model-id", "provider", "api-base", "api-key", "action-type", "tools", "imports"):
        assert f"--{flag}" in text
    for flag in ("--max-steps", "--verbosity-level", "SMOLAGENTS_MODEL", "exit codes"):
        assert flag in text
    assert max(map(len, text.splitlines())) <= 80
