"""What a message between two agents costs, on every kind of mailboxes.

    python benchmarks/mailboxes.py [--only KIND …] [--messages N] [--skip-idle] [--skip-scaling]

One process puts messages of 1 KB, another gets and acknowledges them. The latency of a message is from before `put` to
after the acknowledgement, and the next message is put then, so that the receiver waits for each; "after 2 ms" is its
median when the next one comes so much later, and all processes, and the processors, have gone to rest. Messages per second is
with the sender as fast as it can. Scaling: tasks that 1 to 64 agents answer in a second, each in a process that runs its
code and sends its answer; with a model that thinks for 0.2 s, and with one that answers at once, where the processors are
what limits. Idle: 64 processes that serve their mailboxes and have nothing to do.
Servers run on this machine, Redis with `appendonly`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks")]

import mailboxes_worker as worker  # noqa: E402
from smolagents.messaging import Mailboxes, Message  # noqa: E402
from support.brokers import NatsServer, RedisServer  # noqa: E402

TARGETS = {"sqlite": 0.2, "redis": 0.4, "nats": 1.2}
IDLE_AGENTS = 64
CREWS = (1, 2, 4, 8, 16, 32, 64)
THINKING_SECONDS = 0.2
PAUSE_SECONDS = 0.002
IDLE_SECONDS = 10.0
SPAWN = multiprocessing.get_context("spawn")
FORKSERVER = multiprocessing.get_context("forkserver")


@contextmanager
def opened(kind):
    """Mailboxes of a kind, the URL for other processes, and the process id of their server."""
    with tempfile.TemporaryDirectory() as folder:
        server = {"redis": RedisServer, "nats": NatsServer}.get(kind)
        running = server(Path(folder) / kind) if server else None
        if running:
            running.start()
        url = running.url if running else f"sqlite:///{folder}/team.db" if kind == "sqlite" else f"{kind}://"
        try:
            with Mailboxes.open(url, agents=[0, 1]) as boxes:
                yield boxes, url, running.process.pid if running else None
        finally:
            if running:
                running.close()


def run(boxes, count, one_by_one, pause=0.0):
    """Milliseconds of each message, and seconds for all; with a pause before each, in seconds."""
    results = SPAWN.Queue()
    acknowledged, told = SPAWN.Pipe(duplex=False)
    receiver = SPAWN.Process(target=worker.receive, args=(boxes, count, results, told if one_by_one else None))
    receiver.start()
    results.get(timeout=60)
    padding = "x" * 700  # with the envelope, 1 KB
    started = time.perf_counter()
    for _ in range(count):
        if pause:
            time.sleep(pause)
        boxes.send(Message(sender=0, recipient=1, content={"text": padding, "at": time.perf_counter()}))
        if one_by_one:
            acknowledged.recv_bytes()
    took, end = results.get(timeout=120)
    receiver.join(30)
    return took, end - started


def messages(kind, count):
    with opened(kind) as (boxes, _, _):
        run(boxes, 200, False)
        took = [each for _ in range(3) for each in run(boxes, count // 3, True)[0]]
        rested = [each for _ in range(2) for each in run(boxes, count // 3, True, PAUSE_SECONDS)[0]]
        rate = max(count / run(boxes, count, False)[1] for _ in range(2))
    cuts = statistics.quantiles(took, n=100)
    return cuts[49], cuts[94], statistics.median(rested), rate


def answer_all(boxes, count, tasks_each):
    """Give each of `count` agents its tasks, and wait for all answers."""
    for _ in range(tasks_each):
        for agent_id in range(count):
            boxes.send(Message(sender="leader", recipient=agent_id, content="work"))
    for _ in range(tasks_each * count):
        delivery = boxes.receive("leader", 60)
        boxes.acknowledge(delivery)


def scaling(kind, seconds, tasks):
    """Answers per second of each of `CREWS`; `tasks` is how many each agent is given for a number of agents."""
    rates = []
    with opened(kind) as (boxes, url, _):
        boxes.add("leader")
        processes = []
        for count in CREWS:
            for agent_id in range(len(processes), count):
                boxes.add(agent_id)
                processes.append(FORKSERVER.Process(target=worker.answer, args=(url, agent_id, seconds), daemon=True))
                processes[-1].start()
            answer_all(boxes, count, 1)
            started = time.perf_counter()
            answer_all(boxes, count, tasks(count))
            rates.append(count * tasks(count) / (time.perf_counter() - started))
        for process in processes:
            process.kill()
            process.join()
    return rates


def settle(pids):
    """Wait until processes have started."""
    before = -1.0
    for _ in range(40):
        time.sleep(1.5)
        now = sum(map(worker.cpu_seconds, pids))
        if now - before < 0.04:
            return
        before = now


def idle(kind, target):
    """Percent of one core that waiting processes take, and their server."""
    with opened(kind) as (boxes, url, server):
        for agent_id in range(IDLE_AGENTS):
            boxes.add(agent_id)
        processes = [FORKSERVER.Process(target=target, args=(url, n), daemon=True) for n in range(IDLE_AGENTS)]
        for process in processes:
            process.start()
        pids = [process.pid for process in processes]
        settle(pids)
        before = [worker.cpu_seconds(pid) for pid in pids], worker.cpu_seconds(server) if server else 0
        time.sleep(IDLE_SECONDS)
        after = [worker.cpu_seconds(pid) for pid in pids], worker.cpu_seconds(server) if server else 0
        for process in processes:
            process.kill()
            process.join()
    agents = (sum(after[0]) - sum(before[0])) / IDLE_SECONDS * 100
    return agents, (after[1] - before[1]) / IDLE_SECONDS * 100


def memory():
    """Private megabytes of an idle agent."""
    with opened("sqlite") as (_, url, _):
        command = [sys.executable, str(ROOT / "benchmarks" / "mailboxes_worker.py"), "serve", url, "1"]
        with subprocess.Popen(command) as alone:
            settle([alone.pid])
            megabytes = worker.private_megabytes(alone.pid)
            alone.kill()
    return megabytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = ("manager", "sqlite", "redis", "nats")
    parser.add_argument("--only", nargs="+", choices=kinds, default=kinds)
    parser.add_argument("--skip-idle", action="store_true")
    parser.add_argument("--skip-scaling", action="store_true")
    parser.add_argument("--messages", type=int, default=1500)
    options = parser.parse_args()
    FORKSERVER.set_forkserver_preload(["mailboxes_worker", "smolagents.agents.serving", "redis", "nats"])
    if not shutil.which("redis-server") and not shutil.which("valkey-server"):
        options.only = [kind for kind in options.only if kind != "redis"]
        print("redis is left out: there is no redis-server")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}")
    print(f"{'':8} {'p50 [ms]':>9} {'p95 [ms]':>9} {'target':>7} {'after 2 ms':>11} {'messages/s':>11}")
    for kind in options.only:
        middle, high, rested, rate = messages(kind, options.messages)
        target = TARGETS.get(kind, "")
        print(f"{kind:8} {middle:9.3f} {high:9.3f} {target:>7} {rested:11.3f} {rate:11,.0f}", flush=True)
    servers = [kind for kind in options.only if kind != "manager"]
    if not options.skip_scaling:
        print("\nTasks answered per second, by the number of agents")
        print(f"{'':22}" + "".join(f"{count:>8}" for count in CREWS))
        print(f"{'thinking 0.2 s: ideal':22}" + "".join(f"{count / THINKING_SECONDS:8,.0f}" for count in CREWS))
        for kind in servers:
            rates = scaling(kind, THINKING_SECONDS, lambda _: 10)
            print(f"{'    ' + kind:22}" + "".join(f"{rate:8,.0f}" for rate in rates), flush=True)
        print("at once")
        for kind in servers:
            rates = scaling(kind, 0, lambda count: max(640 // count, 10))
            print(f"{'    ' + kind:22}" + "".join(f"{rate:8,.0f}" for rate in rates), flush=True)
    if not options.skip_idle:
        print(f"\n{IDLE_AGENTS} idle processes, percent of one core (target: agents at most 1)")
        print(f"{'':8} {'receivers':>9} {'serving agents':>15} {'server':>7}")
        for kind in servers:
            waiting, _ = idle(kind, worker.wait)
            serving, server = idle(kind, worker.serve)
            print(f"{kind:8} {waiting:9.2f} {serving:15.2f} {server:7.2f}", flush=True)
    if "sqlite" in options.only:
        print("\nPrivate memory of the process of an idle agent with SQLite, before a model is loaded")
        print(f"{memory():.1f} MB (target: at most 15)")


if __name__ == "__main__":
    main()
