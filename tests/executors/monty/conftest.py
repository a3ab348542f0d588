import pytest


@pytest.fixture
def make():
    """Makes executors that are cleaned up after the test."""
    pytest.importorskip("pydantic_monty")
    from smolagents.executors.monty import MontyExecutor

    made = []

    def make(*args, **settings):
        made.append(MontyExecutor(*args, **settings))
        return made[-1]

    yield make
    for executor in made:
        executor.cleanup()


@pytest.fixture
def executor(make):
    return make()


@pytest.fixture(scope="module")
def shared():
    """An executor for tests that do no harm to it."""
    pytest.importorskip("pydantic_monty")
    from smolagents.executors.monty import MontyExecutor

    with MontyExecutor() as executor:
        yield executor


@pytest.fixture
def failure():
    from smolagents.executors.errors import InterpreterError

    def failure(executor, source, kind=InterpreterError):
        with pytest.raises(kind) as caught:
            executor(source)
        return caught.value

    return failure
