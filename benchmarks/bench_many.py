"""What sixteen virtual modules in one process add to the delays that they model, in real time.

Three processes: one serves all modules on pseudo-terminals from one event loop; one asks them
questions, each module on its own and some milliseconds after its last answer, as sixteen hosts do;
one only sleeps, and tells how late this machine wakes a loop that has nothing to do.

*Added* is what the asking process measures, from its write to the last byte of the answer, less
what the model says: the byte times of the line and the time that the module takes. The model's own
time is read off the same module without I/O, whose clock is moved by hand. What the asking process
loses itself (its own waking and reading) is therefore part of what is added. The three share the
machine's cores, with whatever else runs there.

    python benchmarks/bench_many.py [--modules 16] [--rounds 3] [--seconds 8] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import json
import os
import random
import selectors
import statistics
import subprocess
import sys
import time
import tty
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from firmware_bridge.virtual import (
    LineSettings,
    ModuleSettings,
    NetworkSettings,
    RadioSettings,
    VirtualModule,
    virtual_module_on_pty,
)

FAMILIES = ("bc66", "bc660k", "bc95")
QUESTIONS = ("AT", "AT+CSQ", "AT+CEREG?", "AT+CGSN=1", "AT+CGPADDR")
END = b"\r\nOK\r\n"
ROUNDS = 3
THINKING_S = 0.050
"""A host asks again so long after an answer, at most."""
IDLE_STEP_S = 0.010
ANSWER_LIMIT_S = 5.0


def settings(number: int) -> ModuleSettings:
    """Nothing by chance, so that the model says what an exchange takes; an identity of its own."""
    return ModuleSettings(
        imei=f"8668180300{number:05}",
        line=LineSettings(jitter=0.0, boot_s=0.1),
        radio=RadioSettings(rsrp_variation_db=0.0),
        network=NetworkSettings(search_s=(0.1, 0.1)),
    )


def family(number: int) -> str:
    """The families in turn."""
    return FAMILIES[number % len(FAMILIES)]


def modelled(number: int) -> dict[str, tuple[bytes, float]]:
    """Each question's answer, and the seconds that it takes by the model alone."""
    module = VirtualModule(family(number), settings(number), number)
    found = {}
    for count, command in enumerate(("ATE0", *QUESTIONS), start=1):
        asked_at = count * 60.0  # attached and idle again long since
        module.advance(asked_at)
        module.take_output()
        module.write(command.encode() + b"\r", asked_at)
        answer = b""
        while not answer.endswith(END):
            due = module.next_timer()
            if due is None or due > asked_at + ANSWER_LIMIT_S:
                raise SystemExit(f"module {number} does not answer {command}: {answer!r}")
            module.advance(due)
            answer += module.take_output()
            found[command] = answer, due - asked_at
    return found


# -- the serving process ---------------------------------------------------------------------------


async def serve(modules: int) -> None:
    """Serve until standard input ends; tell the paths first, and the processor time at the end."""
    async with AsyncExitStack() as stack:
        doors = [
            await stack.enter_async_context(
                virtual_module_on_pty(family(number), settings=settings(number), seed=number)
            )
            for number in range(modules)
        ]
        tell([door.path for door in doors])
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(sys.stdin.fileno(), ended.set)
        begun = time.process_time()
        await ended.wait()
        loop.remove_reader(sys.stdin.fileno())
        tell(time.process_time() - begun)


# -- the idle process ------------------------------------------------------------------------------


async def idle() -> None:
    """Sleep until standard input ends; tell how late each waking was, s."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)
    tell("asleep")
    late = []
    while not ended.is_set():
        due = loop.time() + IDLE_STEP_S
        await asyncio.sleep(IDLE_STEP_S)
        late.append(loop.time() - due)
    tell(late)


def tell(what: Any) -> None:
    """One line of JSON to the process that asks."""
    print(json.dumps(what), flush=True)


class Helper:
    """One of the other two processes."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.greeting = self._line()

    def _line(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def end(self) -> Any:
        """Let it end; what it has to tell."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        last = self._line()
        if self._process.wait(10) != 0:
            raise SystemExit("a helping process failed")
        return last


# -- the asking process ----------------------------------------------------------------------------


@dataclass
class Host:
    """One host of one module."""

    number: int
    file: int
    model: dict[str, tuple[bytes, float]]
    chance: random.Random
    asked: str = ""
    asked_at: float = 0.0
    answer: bytes = b""
    added: list[float] = field(default_factory=list)

    def ask(self) -> None:
        """Write a question."""
        self.asked = self.chance.choice(QUESTIONS)
        self.answer = b""
        question = self.asked.encode() + b"\r"
        self.asked_at = time.perf_counter()
        os.write(self.file, question)

    def read(self) -> bool:
        """Read what is there; whether the answer is complete."""
        data = os.read(self.file, 4096)
        at = time.perf_counter()
        self.answer += data
        if not self.answer.endswith(END):
            return False
        expected, modelled_s = self.model[self.asked]
        if self.answer != expected:
            raise SystemExit(f"module {self.number} to {self.asked}: {self.answer!r}")
        self.added.append(at - self.asked_at - modelled_s)
        return True


def settle(file: int) -> None:
    """Echo off, attached, and nothing left to read."""
    tty.setraw(file)
    os.set_blocking(file, True)
    os.write(file, b"ATE0\r")
    said = b""
    while END not in said:
        said += os.read(file, 4096)
    said = b""
    while b",1" not in said:
        os.write(file, b"AT+CEREG?\r")
        said = b""
        while END not in said:
            said += os.read(file, 4096)
    os.set_blocking(file, False)


def drained(file: int) -> None:
    """Throw away what a module still had to say by itself."""
    try:
        os.read(file, 4096)
    except BlockingIOError:
        return


def converse(hosts: list[Host], seconds: float) -> None:
    """Every host asks its module, again and again, for so long."""
    selector = selectors.DefaultSelector()
    plan = []
    now = time.perf_counter()
    for host in hosts:
        selector.register(host.file, selectors.EVENT_READ, host)
        plan.append((now + host.chance.uniform(0, THINKING_S), host.number))
    heapq.heapify(plan)
    by_number = {host.number: host for host in hosts}
    waiting: set[int] = set()
    end = now + seconds
    while now < end or waiting:
        while plan and plan[0][0] <= now:
            number = heapq.heappop(plan)[1]
            by_number[number].ask()
            waiting.add(number)
        wait_s = max(0.0, plan[0][0] - now) if plan else ANSWER_LIMIT_S
        ready = selector.select(wait_s)
        now = time.perf_counter()
        if not ready and not plan and waiting:
            raise SystemExit(f"no answer from modules {sorted(waiting)}")
        for key, _ in ready:
            host = key.data
            if host.read():
                waiting.discard(host.number)
                if now < end:
                    later = now + host.chance.uniform(0, THINKING_S)
                    heapq.heappush(plan, (later, host.number))
    selector.close()


def quantile(values: list[float], share: float) -> float:
    """The value below which that share lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def round_of(modules: int, seconds: float) -> dict[str, float]:
    """One round: everything started, asked, and stopped again; milliseconds."""
    models = [modelled(number) for number in range(modules)]
    server = Helper("--serve", str(modules))
    files = [os.open(path, os.O_RDWR | os.O_NOCTTY) for path in server.greeting]
    try:
        for file in files:
            settle(file)
        time.sleep(1.0)  # the last of them released, whatever it says of that is said
        for file in files:
            drained(file)
        hosts = [
            Host(number=number, file=file, model=models[number], chance=random.Random(number))
            for number, file in enumerate(files)
        ]
        sleeper = Helper("--idle")
        begun = time.perf_counter()
        converse(hosts, seconds)
        taken_s = time.perf_counter() - begun
        late = sleeper.end()
        busy_s = server.end()
    finally:
        for file in files:
            os.close(file)
    added = [value for host in hosts for value in host.added]
    worst = max(quantile(host.added, 0.99) for host in hosts)
    return {
        "exchanges": len(added),
        "median": statistics.median(added) * 1000,
        "p99": quantile(added, 0.99) * 1000,
        "worst_module_p99": worst * 1000,
        "max": max(added) * 1000,
        "idle_p99": quantile(late, 0.99) * 1000,
        "idle_max": max(late) * 1000,
        "server_ms_per_exchange": busy_s / len(added) * 1000,
        "server_load": busy_s / taken_s,
    }


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--modules", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each round")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", action="store_true", help="print only the JSON object")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--idle", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        asyncio.run(serve(options.serve))
        return 0
    if options.idle:
        asyncio.run(idle())
        return 0
    rounds = [round_of(options.modules, options.seconds) for _ in range(options.rounds)]

    def middle(name: str) -> float:
        return statistics.median(one[name] for one in rounds)

    figures = {
        "modules": options.modules,
        "exchanges": round(sum(one["exchanges"] for one in rounds)),
        "added_median_ms": round(middle("median"), 3),
        "added_p99_ms": round(middle("p99"), 3),
        "added_worst_module_p99_ms": round(middle("worst_module_p99"), 3),
        "added_max_ms": round(max(one["max"] for one in rounds), 3),
        "idle_p99_ms": round(middle("idle_p99"), 3),
        "idle_max_ms": round(max(one["idle_max"] for one in rounds), 3),
        "server_ms_per_exchange": round(middle("server_ms_per_exchange"), 3),
        "server_load": round(middle("server_load"), 3),
    }
    p99 = [one["p99"] for one in rounds]
    spread = 0.0
    if len(p99) > 1:
        first, median, third = statistics.quantiles(p99, n=4)
        spread = (third - first) / median
    result = {
        "name": "many",
        "figures": figures,
        "ratios": {"added_p99_over_idle_p99": round(middle("p99") / middle("idle_p99"), 2)},
        "runs": len(rounds),
        "spread": round(spread, 3),
    }
    if not options.json:
        print(f"{'ms':32}{'median':>10}{'p99':>10}{'max':>10}")
        print(
            f"{f'added by {options.modules} modules':32}{figures['added_median_ms']:>10.3f}"
            f"{figures['added_p99_ms']:>10.3f}{figures['added_max_ms']:>10.3f}"
        )
        print(
            f"{'  the worst of them':32}{'':>10}{figures['added_worst_module_p99_ms']:>10.3f}\n"
            f"{'an idle loop wakes late by':32}{'':>10}{figures['idle_p99_ms']:>10.3f}"
            f"{figures['idle_max_ms']:>10.3f}\n"
            f"{figures['exchanges']:,} exchanges, {figures['server_ms_per_exchange']:.3f} ms of "
            f"the serving process each, which was busy {figures['server_load']:.0%} of the time"
        )
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
