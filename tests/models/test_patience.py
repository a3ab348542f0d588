"""Calls that fail on their way to a real server: what is tried again, and what is not."""

from __future__ import annotations

import asyncio
import threading
import time
from email.utils import formatdate
from types import SimpleNamespace

import pytest

from smolagents.models import FallbackModel, InferenceClientModel, OpenAIModel, agglomerate_stream_deltas
from smolagents.models.failures import failure_kind, is_transient_error
from smolagents.models.retrying import Retrying, _retry_after
from smolagents.types.errors import AgentGenerationError
from support.faulty_proxy import Fault, faulty_proxy
from support.model_helpers import KEY, user


def quick(model):
    """With waits of milliseconds, else as it is."""
    model.retryer.wait_seconds = 0.01
    return model


def openai(url, **kwargs):
    kwargs = {"temperature": 0, "max_tokens": 30, **kwargs}
    return quick(OpenAIModel("tiny", api_base=url, api_key=KEY, **kwargs))


def huggingface(url, **kwargs):
    kwargs = {"temperature": 0, "max_tokens": 30, **kwargs}
    return quick(InferenceClientModel("tiny", base_url=url, token=KEY, **kwargs))


both = pytest.mark.parametrize("make", [openai, huggingface])
WAYS = ["whole", "stream", "async", "async stream"]
every_way = pytest.mark.parametrize("way", WAYS)


def call(model, way):
    async def streamed():
        return agglomerate_stream_deltas([delta async for delta in model.agenerate_stream(user("hello"))])

    if way == "whole":
        return model.generate(user("hello"))
    if way == "stream":
        return agglomerate_stream_deltas(model.generate_stream(user("hello")))
    return asyncio.run(model.agenerate(user("hello")) if way == "async" else streamed())


@pytest.fixture(scope="module")
def expected(tiny_server):
    return openai(tiny_server).generate(user("hello")).content


@both
@every_way
def test_what_may_pass_is_tried_again(make, way, tiny_server, expected):
    faults = [Fault(429), Fault(500), Fault(reset=True), Fault(503)]
    with faulty_proxy(tiny_server, *faults) as proxy:
        assert call(make(proxy.url), way).content == expected
        assert proxy.requests == 5


@both
@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_these_statuses_are_tried_again(make, status, tiny_server, expected):
    with faulty_proxy(tiny_server, Fault(status)) as proxy:
        assert call(make(proxy.url), "whole").content == expected
        assert proxy.requests == 2


@both
@every_way
@pytest.mark.parametrize(
    ("status", "kind", "remedy"),
    [
        (400, "bad_request", ""),
        (401, "authentication", "check the"),
        (403, "permission", "this (key|token) may not"),
        (404, "not_found", "check model_id"),
    ],
)
def test_these_fail_at_once_with_what_to_check(make, way, status, kind, remedy, tiny_server):
    with faulty_proxy(tiny_server, *[Fault(status)] * 3) as proxy:
        with pytest.raises(AgentGenerationError, match=f"status {status}.*not now.*{remedy}") as caught:
            call(make(proxy.url), way)
        assert proxy.requests == 1
    assert (caught.value.kind, caught.value.status) == (kind, status)


@both
def test_the_sdk_does_not_try_again_on_top(make, tiny_server):
    with faulty_proxy(tiny_server, *[Fault(500)] * 20) as proxy:
        with pytest.raises(AgentGenerationError, match="status 500") as caught:
            call(make(proxy.url), "whole")
        assert proxy.requests == 5
        with pytest.raises(AgentGenerationError):
            call(make(proxy.url, retry=False), "whole")
        assert proxy.requests == 6
    assert caught.value.kind == "server_error"


@every_way
def test_the_server_says_how_long_to_wait(way, tiny_server, expected):
    with faulty_proxy(tiny_server, Fault(429, {"retry-after-ms": "300"})) as proxy:
        started = time.monotonic()
        assert call(openai(proxy.url), way).content == expected
        assert time.monotonic() - started >= 0.3


def test_retry_after_in_seconds_and_as_a_date():
    def asked(headers):
        error = RuntimeError()
        error.response = SimpleNamespace(headers=headers)
        return _retry_after(error)

    assert asked({"retry-after": "7"}) == 7
    assert asked({"retry-after-ms": "1500", "retry-after": "2"}) == 1.5
    assert 7 < asked({"retry-after": formatdate(time.time() + 10, usegmt=True)}) <= 10
    assert asked({"retry-after": formatdate(time.time() - 60, usegmt=True)}) == 0
    for nonsense in ("soon", "-3", "nan", "inf", ""):
        assert asked({"retry-after": nonsense}) == 0
    assert asked({"retry-after": "86400"}) == 300
    assert asked(None) == 0


@both
@pytest.mark.parametrize("way", ["stream", "async stream"])
def test_a_stream_that_breaks_before_its_first_piece_is_tried_again(make, way, tiny_server, expected):
    with faulty_proxy(tiny_server, Fault(kill_after=20)) as proxy:
        assert call(make(proxy.url), way).content == expected
        assert proxy.requests == 2


@both
@pytest.mark.parametrize("way", ["stream", "async stream"])
def test_a_stream_that_is_killed_in_its_middle_says_so_and_keeps_what_came(make, way, tiny_server, expected):
    seen = []

    def consume(model):
        for delta in model.generate_stream(user("hello")):
            seen.append(delta)

    async def aconsume(model):
        async for delta in model.agenerate_stream(user("hello")):
            seen.append(delta)

    with faulty_proxy(tiny_server, Fault(kill_after=1500)) as proxy:
        model = make(proxy.url)
        with pytest.raises(AgentGenerationError) as caught:
            consume(model) if way == "stream" else asyncio.run(aconsume(model))
        assert proxy.requests == 1
    text = "".join(delta.content or "" for delta in seen)
    assert text
    assert expected.startswith(text)
    assert caught.value.kind == "connection"
    assert "127.0.0.1" in str(caught.value) or "tiny" in str(caught.value)


@every_way
def test_a_slow_first_byte_is_waited_for_or_times_out(way, tiny_server, expected):
    byte = threading.Event()
    with faulty_proxy(tiny_server, Fault(first_byte=byte), Fault(first_byte=byte), Fault(first_byte=byte)) as proxy:
        with pytest.raises(AgentGenerationError, match=r"did not answer in time.*timeout") as caught:
            call(openai(proxy.url, retry=False, client_kwargs={"timeout": 0.3}), way)
        assert caught.value.kind == "timeout"
        threading.Timer(0.5, byte.set).start()
        assert call(openai(proxy.url, client_kwargs={"timeout": 20}), way).content == expected
        assert proxy.requests == 2


def test_a_server_that_is_not_there_fails_at_once():
    started = time.monotonic()
    with pytest.raises(AgentGenerationError, match="cannot be reached") as caught:
        OpenAIModel("tiny", api_base="http://127.0.0.1:9/v1").generate(user("x"))
    assert caught.value.kind == "unreachable"
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionResetError("gone"), "connection"),
        (ConnectionRefusedError("no"), "unreachable"),
        (TimeoutError(), "timeout"),
        (asyncio.TimeoutError(), "timeout"),
        (ValueError("no"), None),
        (RuntimeError("Too Many Requests"), "rate_limit"),
    ],
)
def test_kinds_of_exceptions_without_a_status(error, kind):
    assert failure_kind(error) == kind


def test_kinds_of_exceptions_of_sdks():
    class ClientError(Exception):  # as boto3's
        def __init__(self, code, status):
            super().__init__(code)
            self.response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}

    class EventStreamError(Exception):
        def __init__(self, code):
            super().__init__(code)
            self.response = {"Error": {"Code": code}}

    class Quota(Exception):
        status_code = 429
        code = "insufficient_quota"

    assert failure_kind(ClientError("ThrottlingException", 429)) == "rate_limit"
    assert failure_kind(EventStreamError("throttlingException")) == "rate_limit"
    assert failure_kind(EventStreamError("modelStreamErrorException")) == "server_error"
    assert failure_kind(Quota()) == "quota"
    assert not is_transient_error(Quota())


# Several models as one


@every_way
def test_the_next_model_answers_where_one_failed(way, tiny_server, expected):
    with faulty_proxy(tiny_server, *[Fault(503)] * 9) as proxy:
        first, second = openai(proxy.url, retry=False), huggingface(tiny_server)
        second.model_id = "second"
        model = FallbackModel([first, second])
        message = call(model, way)
        assert (message.content, message.model_id) == (expected, "second")
        assert model.last_used is second
        assert proxy.requests == 1


@every_way
def test_a_failure_that_is_not_named_is_raised(way, tiny_server):
    with faulty_proxy(tiny_server, Fault(401), Fault(401)) as proxy:
        first = openai(proxy.url)
        with pytest.raises(AgentGenerationError, match="status 401"):
            call(FallbackModel([first, openai(tiny_server)]), way)
        assert call(FallbackModel([first, openai(tiny_server)], on=["authentication"]), way).content


@every_way
def test_where_all_fail_the_last_error_is_told(way):
    nowhere = OpenAIModel("nowhere", api_base="http://127.0.0.1:9/v1")
    with pytest.raises(AgentGenerationError, match=r"None of the 2 models answered; .*cannot be reached") as caught:
        call(FallbackModel([nowhere, nowhere]), way)
    assert caught.value.kind == "unreachable"


@pytest.mark.parametrize("way", ["stream", "async stream"])
def test_a_stream_that_has_begun_stays_with_its_model(way, tiny_server):
    with faulty_proxy(tiny_server, Fault(kill_after=1500)) as proxy:
        with pytest.raises(AgentGenerationError):
            call(FallbackModel([openai(proxy.url), openai(tiny_server)]), way)


def test_fallbacks_are_saved_without_secrets_and_made_again(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "from-the-environment")
    models = [
        OpenAIModel("a", api_base="https://a.example/v1", api_key="hunter2", facts={"accepts_stop": False}),
        InferenceClientModel("b", base_url="https://b.example/v1", token="hunter2", max_concurrency=2),
    ]
    model = FallbackModel(models, on=("rate_limit", "timeout"))
    saved = model.to_dict()
    assert "hunter2" not in str(saved)
    again = FallbackModel.from_dict(saved)
    assert again.to_dict() == saved
    assert [type(m) for m in again.models] == [OpenAIModel, InferenceClientModel]
    assert (again.models[0].client.api_key, again.on) == ("from-the-environment", ("rate_limit", "timeout"))
    with pytest.raises(TypeError, match="cannot be written down"):
        FallbackModel([lambda messages: "x"]).to_dict()
    with pytest.raises(ValueError, match=r"'Unheard'.*not known"):
        FallbackModel.from_dict({"models": [{"class": "Unheard", "module": "os"}]})


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (([],), ValueError, "at least one model"),
        (("gpt-4o",), TypeError, "list of models, not str"),
        ((["gpt-4o"],), TypeError, "a model is an object"),
        (([print], ["sadness"]), ValueError, "unknown failure 'sadness'; use .*timeout"),
        (([print], [3]), TypeError, "names of failures or classes"),
    ],
)
def test_fallbacks_that_make_no_sense_are_refused(arguments, error, says):
    with pytest.raises(error, match=says):
        FallbackModel(*arguments)


def test_functions_and_classes_of_exceptions_in_a_fallback():
    def broken(messages):
        raise KeyError("x")

    model = FallbackModel([broken, lambda messages: "ok"], on=[KeyError])
    assert model.generate(user("x")).content == "ok"
    assert not hasattr(model, "generate_stream")
    with pytest.raises(KeyError):
        FallbackModel([broken, lambda messages: "ok"]).generate(user("x"))


def test_an_agent_on_a_fallback_is_saved_with_it(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    from smolagents import CodeAgent

    agent = CodeAgent(tools=[], model=FallbackModel([OpenAIModel("a"), OpenAIModel("b")]), verbosity_level=-1)
    again = CodeAgent.from_dict(agent.to_dict())
    assert [model.model_id for model in again.model.models] == ["a", "b"]


def test_retrying_takes_a_predicate_of_ones_own():
    assert Retrying(2, 0, retry_predicate=is_transient_error)(iter([1]).__next__) == 1
