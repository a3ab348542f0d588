"""The two drivers: they answer the loop's requests, one synchronously, one asynchronously."""

from __future__ import annotations

import contextlib
import contextvars
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import lru_cache, partial
from typing import Any, TypeVar

from smolagents.agents.requests import CallTools, Emit, Flow, Generate, Invoke, RunCode, TakeStep, ToolSlot
from smolagents.agents.run import Run, active_run, current_call
from smolagents.agents.traced import Untraced, trace_of, traced
from smolagents.executors.base import PythonExecutor
from smolagents.tools.async_bridge import host_loop, run_from_sync
from smolagents.tools.interruption import current_interrupt
from smolagents.tools.progress import current_progress
from smolagents.types.errors import AgentInterruptedError
from smolagents.types.messages import ChatMessage, agglomerate_stream_deltas

__all__ = ["adrive", "drive", "in_thread", "interrupted"]

T = TypeVar("T")


def drive(flow: Flow, run: Run) -> Generator[Any, None, Any]:
    """Answer the requests of `flow` synchronously. Yields its public events and returns what it returns."""
    reply: Any = None
    failure: BaseException | None = None
    observe = run.agent.reporter.observe
    trace = trace_of(run)
    send, throw = (flow.send, flow.throw) if trace is None else trace.advancing(flow)
    try:
        while True:
            try:
                request = send(reply) if failure is None else throw(failure)
            except StopIteration as stop:
                return stop.value
            reply = failure = None
            if type(request) is Emit:
                if trace is not None:
                    trace.observe(request)
                if request.shown:
                    observe(run, request.event)
                if request.public:
                    yield request.event
                continue
            try:
                if run.interrupted.is_set() and type(request) is not Invoke:
                    raise interrupted()
                if type(request) is RunCode:
                    with traced(run, request) as answer:
                        reply = _on_behalf(run, request.executor, request.code)
                        answer.replied(reply)
                elif type(request) is Generate:
                    if request.stream:
                        reply = yield from _stream(request, run)
                    else:
                        model = run.agent._engine()
                        with traced(run, request) as answer:
                            reply = _on_behalf(run, partial(model.generate, request.messages, **request.arguments))
                            answer.replied(reply)
                elif type(request) is CallTools:
                    yield from _call_tools(request, run)
                elif type(request) is Invoke:
                    call = partial(request.function, *request.args, **request.kwargs)
                    if _is_async(request.function):
                        call = partial(run_from_sync, call, getattr(request.function, "__name__", "a callback"))
                    with traced(run, request):
                        reply = _on_behalf(run, call)
                elif type(request) is TakeStep:
                    with traced(run, request, across_yields=True) as answer:
                        for reply in _entered(run, answer, run.agent._step_stream(request.step)):
                            yield reply
                else:
                    raise TypeError(f"the loop made a request that no driver knows: {request!r}")
            except GeneratorExit:
                raise
            except BaseException as error:  # the loop decides, and puts what was done in order first
                failure = error
    finally:
        flow.close()


def interrupted() -> AgentInterruptedError:
    """What is raised in a run that was interrupted."""
    return AgentInterruptedError("The agent was interrupted.")


def _on_behalf(run: Run, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Call code that is not ours, letting it know the run it works for."""
    run_token = active_run.set(run)
    interrupt_token = current_interrupt.set(run.interrupted)
    progress_token = current_progress.set(run.progressed)
    try:
        return function(*args, **kwargs)
    finally:
        current_progress.reset(progress_token)
        current_interrupt.reset(interrupt_token)
        active_run.reset(run_token)


def _entered(run: Run, answer: Untraced, events: Iterator[T]) -> Generator[T, None, None]:
    """Iterate over events, each of which is made on behalf of `run`."""
    end = object()

    def advance() -> Any:
        with answer.active():
            return _on_behalf(run, next, events, end)

    try:
        while (event := advance()) is not end:
            yield event
    finally:
        close = getattr(events, "close", None)
        if close is not None:
            close()


def _stream(request: Generate, run: Run) -> Generator[Any, None, ChatMessage]:
    observe = run.agent.reporter.observe
    deltas = []
    with traced(run, request, across_yields=True) as answer:
        for delta in _entered(run, answer, run.agent._engine().generate_stream(request.messages, **request.arguments)):
            deltas.append(delta)
            answer.passed(delta)
            observe(run, delta)
            yield delta
            if run.interrupted.is_set():
                raise interrupted()
        reply = agglomerate_stream_deltas(deltas)
        answer.replied(reply)
        return reply


def _call_tools(request: CallTools, run: Run) -> Generator[Any, None, None]:
    observe = run.agent.reporter.observe
    execute = run.agent._execute_for(run)

    def fill(slot: ToolSlot) -> None:
        try:
            with traced(run, slot) as answer:
                slot.output = _on_behalf(run, execute, slot.call.name, slot.call.arguments)
                answer.replied(slot.output)
        except Exception as error:
            slot.error = error

    if len(request.slots) == 1:
        fill(request.slots[0])
        event = request.finished(request.slots[0])
        observe(run, event)
        yield event
        return

    def fill_among_others(slot: ToolSlot) -> None:
        current_call.set(slot.call.id)
        fill(slot)

    with ThreadPoolExecutor(request.max_threads, thread_name_prefix="smolagents-tool") as pool:
        futures = {
            pool.submit(contextvars.copy_context().run, fill_among_others, slot): slot for slot in request.slots
        }
        for future in as_completed(futures):
            future.result()
            event = request.finished(futures[future])
            observe(run, event)
            yield event


async def adrive(flow: Flow, run: Run) -> AsyncGenerator[Any, None]:
    """Answer the requests of `flow` asynchronously, yielding its public events.

    Cancelling the task that iterates interrupts the run; the loop is let put its memory in order first.
    """
    import asyncio

    reply: Any = None
    failure: BaseException | None = None
    observe = run.agent.reporter.observe
    trace = trace_of(run)
    send, throw = (flow.send, flow.throw) if trace is None else trace.advancing(flow)
    try:
        while True:
            try:
                request = send(reply) if failure is None else throw(failure)
            except StopIteration:
                return
            reply = failure = None
            if type(request) is Emit:
                if trace is not None:
                    trace.observe(request)
                if request.shown:
                    observe(run, request.event)
                if request.public:
                    yield request.event
                continue
            try:
                if run.interrupted.is_set() and type(request) is not Invoke:
                    raise interrupted()
                if type(request) is RunCode:
                    with traced(run, request) as answer:
                        reply = await _or_interrupt(run, _run_code(request, run))
                        answer.replied(reply)
                elif type(request) is Generate:
                    if request.stream:
                        with traced(run, request, across_yields=True) as answer:
                            deltas = []
                            call = partial(run.agent._engine().agenerate_stream, request.messages, **request.arguments)
                            with answer.active():
                                stream = _on_behalf(run, call)
                            async for delta in _until_interrupted(run, answer, stream):
                                deltas.append(delta)
                                answer.passed(delta)
                                observe(run, delta)
                                yield delta
                            reply = agglomerate_stream_deltas(deltas)
                            answer.replied(reply)
                    else:
                        call = partial(run.agent._engine().agenerate, request.messages, **request.arguments)
                        with traced(run, request) as answer:
                            reply = await _or_interrupt(run, _on_behalf(run, call))
                            answer.replied(reply)
                elif type(request) is CallTools:
                    async for event in _acall_tools(request, run):
                        observe(run, event)
                        yield event
                elif type(request) is Invoke:
                    with traced(run, request):
                        reply = await _invoke(request, run)
                elif type(request) is TakeStep:
                    with traced(run, request, across_yields=True) as answer:
                        async for event in _relay(run, answer, run.agent._step_stream(request.step)):
                            reply = event
                            yield event
                else:
                    raise TypeError(f"the loop made a request that no driver knows: {request!r}")
            except GeneratorExit:
                raise
            except asyncio.CancelledError as error:
                run.interrupt()  # what still works in a thread must stop as well
                failure = error
            except BaseException as error:
                failure = error
    finally:
        flow.close()


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    """Threads for what blocks. Without a bound that matters: work that waits for other work must not starve it."""
    return ThreadPoolExecutor(max_workers=10_000, thread_name_prefix="smolagents")


async def in_thread(run: Run, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Call blocking code in a thread, in a copy of this context."""
    return await _in_context(contextvars.copy_context(), run, function, *args, **kwargs)


async def _in_context(
    context: contextvars.Context, run: Run, function: Callable[..., T], *args: Any, **kwargs: Any
) -> T:
    import asyncio

    loop = asyncio.get_running_loop()
    context.run(host_loop.set, loop)
    return await loop.run_in_executor(
        _threads(), partial(context.run, partial(_on_behalf, run, function, *args, **kwargs))
    )


async def _or_interrupt(run: Run, work: Awaitable[T]) -> T:
    """Await `work`, and cancel it when the run is interrupted."""
    import asyncio

    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)

    def stop() -> None:
        with contextlib.suppress(RuntimeError):  # the run, and its loop, may have ended meanwhile
            loop.call_soon_threadsafe(task.cancel)

    remove = run.on_interrupt(stop)
    try:
        return await task
    except asyncio.CancelledError:
        if task.cancelled() and run.interrupted.is_set():
            raise interrupted() from None
        raise
    finally:
        remove()


async def _until_interrupted(run: Run, answer: Untraced, stream: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """The items of `stream`; an interruption reaches it while it waits for the next one."""
    try:
        while True:
            try:
                with answer.active():
                    item = await _or_interrupt(run, stream.__anext__())
            except StopAsyncIteration:
                return
            yield item
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()


async def _run_code(request: RunCode, run: Run) -> Any:
    executor = request.executor
    if type(executor).acall is PythonExecutor.acall:
        return await in_thread(run, executor, request.code)
    return await _on_behalf(run, executor.acall, request.code)


async def _invoke(request: Invoke, run: Run) -> Any:
    if _is_async(request.function):
        return await _on_behalf(run, request.function, *request.args, **request.kwargs)
    return await in_thread(run, request.function, *request.args, **request.kwargs)


def _is_async(function: Any) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


async def _acall_tools(request: CallTools, run: Run) -> AsyncGenerator[Any, None]:
    import asyncio

    limit = asyncio.Semaphore(request.max_threads or 1_000)
    execute = run.agent._aexecute_for(run)

    async def fill(slot: ToolSlot) -> ToolSlot:
        current_call.set(slot.call.id)
        try:
            async with limit:
                with traced(run, slot) as answer:
                    slot.output = await _or_interrupt(run, execute(slot.call.name, slot.call.arguments))
                    answer.replied(slot.output)
        except Exception as error:
            slot.error = error
        return slot

    tasks = [asyncio.ensure_future(fill(slot)) for slot in request.slots]
    try:
        for next_done in asyncio.as_completed(tasks):
            yield request.finished(await next_done)
    finally:
        unfinished = [task for task in tasks if not task.done()]
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)


async def _relay(run: Run, answer: Untraced, events: Generator[T, None, Any]) -> AsyncGenerator[T, None]:
    """Run a synchronous generator in a thread, and pass on what it yields.

    All of it runs in one context, since what a generator sets there it also takes back.
    """
    end = object()
    with answer.active():
        context = contextvars.copy_context()
    try:
        while (event := await _or_interrupt(run, _in_context(context, run, next, events, end))) is not end:
            yield event
    finally:
        if not getattr(events, "gi_running", False):
            try:
                context.run(events.close)
            except RuntimeError:  # a thread that just got done with it has not left the context yet
                events.close()
