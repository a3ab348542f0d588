"""Models as plain data: every argument of theirs, and no secret."""

from __future__ import annotations

import json

import pytest

from smolagents import CodeAgent
from smolagents.models import FallbackModel, InferenceClientModel, MessageRole, OpenAIModel

SECRET = "hf_hunter2thesecret"

SHARED = {
    "custom_role_conversions": {"system": "user"},
    "requests_per_minute": 30,
    "retry": False,
    "max_concurrency": 4,
    "facts": {"accepts_stop": False, "refused": ["seed"], "reasoning_replay": "think_tags"},
    "flatten_messages_as_text": True,
    "tool_name_key": "tool",
    "tool_arguments_key": "args",
    "temperature": 0.3,
    "extra_body": {"top_k": 1},
}
CASES = [
    (
        OpenAIModel,
        {
            "model_id": "m", "api_base": "https://example.org/v1", "organization": "org", "project": "p", "api": "responses",
            "client_kwargs": {"timeout": 7}, **SHARED,
        },
        {"api_key": SECRET},
    ),
    (
        InferenceClientModel,
        {"model_id": "a/b", "provider": "together", "timeout": 7, "bill_to": "org", "client_kwargs": {"cookies": None}, **SHARED},
        {"token": SECRET},
    ),
    (InferenceClientModel, {"model_id": "a/b", "base_url": "https://example.org/v1"}, {"api_key": SECRET}),
]  # fmt: skip


@pytest.mark.parametrize(("cls", "arguments", "secrets"), CASES)
def test_every_argument_is_carried_and_secrets_are_not(cls, arguments, secrets):
    hidden = {
        "extra_headers": {"Authorization": f"Bearer {SECRET}", "X-Api-Key": SECRET},
        "extra_query": {"access_token": SECRET, "sig": SECRET, "x": SECRET},
    }
    model = cls(**arguments, **secrets, **hidden)
    saved = json.dumps(model.to_dict())
    assert SECRET not in saved
    data = json.loads(saved)
    expected = json.loads(json.dumps(arguments))
    expected.get("client_kwargs", {}).pop("cookies", None)
    assert {name: data.get(name, {}) for name in expected} == expected
    again = cls.from_dict({**data, **secrets})
    assert json.loads(json.dumps(again.to_dict())) == data
    if hasattr(model, "known_facts"):
        assert again.known_facts == model.known_facts


def test_roles_given_as_members_are_written_as_words(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    model = OpenAIModel("m", custom_role_conversions={MessageRole.SYSTEM: MessageRole.USER})
    assert json.loads(json.dumps(model.to_dict()))["custom_role_conversions"] == {"system": "user"}


def test_a_saved_agent_holds_no_secret_of_its_models(tmp_path, monkeypatch):
    model = FallbackModel(
        [
            OpenAIModel("a", api_base=f"https://me:{SECRET}@example.org/v1?key={SECRET}", api_key=SECRET),
            InferenceClientModel("b", base_url="https://example.org", token=SECRET),
        ]
    )
    CodeAgent(tools=[], model=model, verbosity_level=-1).save(tmp_path)
    written = [path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    assert not any(SECRET in text for text in written)
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    loaded = CodeAgent.from_folder(tmp_path)
    assert [m.model_id for m in loaded.model.models] == ["a", "b"]


def test_what_was_learned_of_a_model_is_not_taken_for_what_the_user_said():
    model = OpenAIModel("m", api_base="http://localhost:1")
    model._learned_facts["accepts_stop"] = False
    assert "facts" not in model.to_dict()
