"""A run that is scraped regularly waits for one more scrape, and for nobody else."""

import threading

from testbed.metrics.last_scrape import MOST_S, LastScrape


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_without_a_scraper_nobody_is_waited_for() -> None:
    clock = Clock()
    scrape = LastScrape(clock)
    assert scrape.patience_s == 0
    assert not scrape.wait()
    list(scrape.collect())
    assert scrape.patience_s == 0  # once is somebody who looked


def test_a_regular_scraper_is_waited_for_an_interval_and_a_half() -> None:
    clock = Clock()
    scrape = LastScrape(clock)
    for clock.now in (100.0, 105.0):
        list(scrape.collect())
    clock.now = 107.0
    assert scrape.patience_s == 5.5
    clock.now = 120.0
    assert scrape.patience_s == 0  # it has gone


def test_patience_has_an_end() -> None:
    clock = Clock()
    scrape = LastScrape(clock)
    for clock.now in (0.0, 3600.0):
        list(scrape.collect())
    assert scrape.patience_s == MOST_S


def test_it_goes_on_once_it_was_scraped() -> None:
    clock = Clock()
    scrape = LastScrape(clock)
    for clock.now in (0.0, 50.0):
        list(scrape.collect())
    waiting = threading.Thread(target=scrape.wait)
    waiting.start()
    while waiting.is_alive():  # whichever comes first, the wait or the scrape
        list(scrape.collect())
    waiting.join(timeout=5)
    assert not waiting.is_alive()
