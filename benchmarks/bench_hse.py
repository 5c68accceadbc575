"""The HSE's whole way against a bare UDP echo built the same way.

Both sides are an `Endpoint` on loopback with the same socket options, the same drain and the same
send call: the bare one gives each datagram back as it is; ours opens ESP (AES-GCM-16), decompresses
where ROHC is used, answers by the echo application, compresses, protects and sends. Only the drain
is timed: a full batch waits in the socket before it begins. Prints a table, and with ``--json`` one
object as the last line.

    python benchmarks/bench_hse.py [--json] [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import time

import esp
from esp import keying
from testbed.bench import Configuration
from testbed.hse import EchoApplication, Endpoint, Gateway, HsePort
from testbed.hse.endpoint import DRAIN_PER_WAKE_UP
from testbed.packets import build_udp_packet
from testbed.ue.stack import UeStack, build_stack

SECRET = bytes(range(16))
PACKET = build_udp_packet("2001:db8::1", "2001:db8::2", 40000, 5683, bytes(52))  # 100 octets
UE = ("127.0.0.1", 1)


def gateway() -> Gateway:
    """An HSE's gateway that knows one UE."""
    return Gateway(secrets=lambda identity: SECRET, application=EchoApplication())


def device(hse: Gateway, name: str) -> UeStack:
    """A UE's stack, its key exchange done."""
    configuration = Configuration.parse(name)
    one = keying.Initiator(
        "ue-1",
        SECRET,
        keying.Offer(
            suite=esp.suite("aes-gcm-16-128"),
            mode=esp.Mode.TUNNEL,
            compression=configuration.compression.value == "rohc",
        ),
    )
    (reply,) = hse.receive(HsePort.ESP, esp.add_marker(one.request()), UE, 0.0)
    keys = one.response(esp.remove_marker(reply.data))
    return build_stack(configuration, "10.0.0.1", "10.0.0.2", keys)


class Side:
    """One server, its client, and what the client sends."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._now = asyncio.get_running_loop().time
        if name == "echo":
            self._server = Endpoint("127.0.0.1", 0, self._echo)
        else:
            self._gateway = gateway()
            self._stack = device(self._gateway, name)
            self._server = Endpoint("127.0.0.1", 0, self._serve)
        self._answers = 0
        self._client = Endpoint("127.0.0.1", 0, self._answered)

    def _answered(self, data: bytes, source: tuple[str, int]) -> None:
        self._answers += 1

    def _echo(self, data: bytes, source: tuple[str, int]) -> None:
        self._server.send(data, source)

    def _serve(self, data: bytes, source: tuple[str, int]) -> None:
        for reply in self._gateway.receive(HsePort.ESP, data, source, self._now()):
            self._server.send(reply.data, reply.destination)

    def round(self, batches: int) -> float:
        """Seconds per datagram over so many full batches; every one has to be answered."""
        elapsed = 0.0
        self._answers = 0
        for _ in range(batches):
            for _ in range(DRAIN_PER_WAKE_UP):
                data = PACKET if self.name == "echo" else self._stack.down(PACKET, 0.0).data
                self._client.send(data, self._server.address)
            started = time.perf_counter()
            self._server.drain()
            elapsed += time.perf_counter() - started
            self._client.drain()
        sent = batches * DRAIN_PER_WAKE_UP
        if self._answers != sent:
            raise RuntimeError(f"{self.name}: {self._answers} answers to {sent} datagrams")
        return elapsed / sent

    def close(self) -> None:
        """Close both sockets."""
        self._server.close()
        self._client.close()


async def measure(rounds: int, batches: int) -> dict[str, list[float]]:
    """Datagrams per second of each side, round by round, in turn."""
    sides = [Side(name) for name in ("echo", "esp-tunnel", "rohc+esp-tunnel")]
    for side in sides:
        side.round(batches)
    rates: dict[str, list[float]] = {side.name: [] for side in sides}
    gc.collect()
    gc.disable()
    for _ in range(rounds):
        for side in sides:
            rates[side.name].append(1.0 / side.round(batches))
    gc.enable()
    for side in sides:
        side.close()
    return rates


def main() -> None:
    """Measure, print the table, and with --json the object."""
    parser = argparse.ArgumentParser(description="The HSE's whole way against a bare UDP echo.")
    parser.add_argument("--json", action="store_true", help="print a JSON object as the last line")
    parser.add_argument("--quick", action="store_true", help="a fifth of the datagrams")
    options = parser.parse_args()
    rounds, batches = (5, 10) if options.quick else (15, 20)
    rates = asyncio.run(measure(rounds, batches))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    paired = {
        name: [ours / echo for ours, echo in zip(rates[name], rates["echo"], strict=True)]
        for name in rates
        if name != "echo"
    }
    ratios = {name: statistics.median(values) for name, values in paired.items()}
    print(f"{'side':18} {'datagrams/s':>12} {'of the echo':>12}")
    for name, rate in medians.items():
        print(f"{name:18} {rate:12,.0f} {ratios.get(name, 1.0):12.2f}")
    if options.json:
        quartiles = statistics.quantiles(paired["esp-tunnel"], n=4)
        spread = (quartiles[2] - quartiles[0]) / quartiles[1]
        print(
            json.dumps(
                {
                    "name": "hse",
                    "figures": {
                        f"{name.replace('+', '_').replace('-', '_')}_pps": round(rate)
                        for name, rate in medians.items()
                    },
                    "ratios": {
                        "esp_tunnel_vs_echo": round(ratios["esp-tunnel"], 3),
                        "rohc_esp_tunnel_vs_echo": round(ratios["rohc+esp-tunnel"], 3),
                    },
                    "runs": rounds,
                    "spread": round(spread, 3),
                }
            )
        )


if __name__ == "__main__":
    main()
