"""Regression tests on a bench: run them with ``pytest --bench bench.yaml``.

One passes, one fails, one cannot be decided with so few messages: see docs/regression.md.
"""

import pytest


def test_the_limits_of_the_bench_file_are_kept(campaign):
    campaign().assert_limits()


def test_esp_with_rohc_fits_into_80_octets(campaign):
    """Fails: a reading takes 92 octets under ROHC and tunnel ESP."""
    campaign().assert_limits({"uplink_bytes": {"max": "80 B", "configuration": "rohc+esp-tunnel"}})


def test_999_of_1000_messages_arrive(campaign):
    """Inconclusive: 48 messages without a loss don't show it."""
    campaign().assert_limits({"delivery": {"min": "99.9 %"}})


def test_an_answer_comes_back_within_two_seconds(module, hse, measure):
    """A datagram of one's own, without any security, to the echo of the bench's HSE."""
    with module.open_udp(hse.addresses.host, hse.addresses.plain_port) as socket:

        def exchange():
            socket.send(b"ping")
            socket.receive(timeout_s=40)

        measure(exchange, n=20, timeout_s=40).assert_at_most("2 s")


@pytest.mark.modules("bc66", "bc660k")
def test_the_module_tells_its_coverage_level(module):
    assert module.radio().ecl == 0


@pytest.mark.modules("bc95")
def test_what_only_a_bc95_can_do(module):
    assert module.identify().firmware
