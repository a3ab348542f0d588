"""What calls cost."""

from __future__ import annotations

import subprocess
import sys

import pytest

from smolagents import CodeAgent, RunResult, TokenUsage
from smolagents.models import InferenceClientModel, OpenAIModel
from smolagents.models.prices import cost_of
from smolagents.testing import ScriptedModel
from support.model_helpers import user
from support.wire import Answer, completion, serve_answers

OPENAI = "https://api.openai.com/v1/"


def test_cached_tokens_cost_less_and_reasoning_what_other_output_costs():
    plain = cost_of(TokenUsage(1_000_000, 0), "gpt-4o", OPENAI)
    cached = cost_of(TokenUsage(1_000_000, 0, cached_input_tokens=1_000_000), "gpt-4o", OPENAI)
    assert 0 < cached < plain
    assert cost_of(TokenUsage(0, 10), "o3", OPENAI) == cost_of(TokenUsage(0, 10, reasoning_tokens=9), "o3", OPENAI)


@pytest.mark.parametrize(
    ("model_id", "seller"),
    [
        ("gpt-4o", "http://127.0.0.1:8080/v1"),
        ("gpt-4o", None),
        ("some-model", OPENAI),
        (None, OPENAI),
    ],
)
def test_what_is_not_listed_has_no_known_price(model_id, seller):
    assert cost_of(TokenUsage(10, 10), model_id, seller) is None


def test_counts_that_make_no_sense_are_no_error():
    assert cost_of(TokenUsage(10, 10, cached_input_tokens=20), "gpt-4o", OPENAI) is None


def test_a_model_sets_the_cost_of_its_replies_if_its_seller_is_known(monkeypatch):
    usage = {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010}
    with serve_answers(Answer(completion({"content": "ok"}, usage=usage))) as wire:
        model = OpenAIModel("gpt-4o", api_base=wire.url, api_key="k")
        assert model.generate(user("x")).token_usage.cost is None
        monkeypatch.setattr(model, "_seller", lambda: OPENAI)
        assert model.generate(user("x")).token_usage.cost == cost_of(TokenUsage(1000, 10), "gpt-4o", OPENAI)
    assert OpenAIModel("gpt-4o", api_key="k")._seller() == OPENAI
    assert InferenceClientModel(token="t")._seller() is None
    assert "together" in InferenceClientModel(provider="together", token="t")._seller()


def test_costs_add_up_and_one_that_is_not_known_makes_the_sum_unknown():
    known, unknown = TokenUsage(1, 1, cost=0.5), TokenUsage(1, 1)
    assert (known + known).cost == 1.0
    assert (known + unknown).cost is None
    assert (unknown + known).cost is None
    assert (TokenUsage(0, 0) + known).cost == 0.5
    assert "cost" not in unknown.dict()
    assert known.dict()["cost"] == 0.5


@pytest.mark.parametrize(("costs", "total"), [((0.25, 0.5), 0.75), ((0.25, None), None)])
def test_a_run_tells_its_cost(costs, total):
    replies = ["<code>\nprint(1)\n</code>", "<code>\nfinal_answer(1)\n</code>"]
    model = ScriptedModel(replies)
    played = iter(costs)
    generate = model.generate

    def priced(*args, **kwargs):
        message = generate(*args, **kwargs)
        message.token_usage = TokenUsage(10, 5, cost=next(played))
        return message

    model.generate = priced
    result = CodeAgent(tools=[], model=model, verbosity_level=-1, return_full_result=True).run("x")
    assert result.cost == total
    assert RunResult().cost is None


def test_no_table_is_loaded_before_a_price_is_wanted():
    code = (
        "import sys; from smolagents.models import OpenAIModel; OpenAIModel('m', api_base='http://localhost:1');"
        "print([name for name in ('genai_prices', 'litellm') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
