"""Signals: raised where nothing is half done."""

import signal
from collections.abc import Iterator

import pytest

from dicomae.spark import stopping


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_may_not_be_interrupted_ends_first(number: signal.Signals) -> None:
    stopping.interrupt_on_sigterm()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    done = []

    def work() -> None:
        with stopping.interrupted_afterwards():
            signal.raise_signal(number)
            done.append(1)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == [1]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


def test_a_handler_that_the_work_installs_stays() -> None:
    with stopping.interrupted_afterwards():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_sigterm_is_a_wish_where_it_is_asked_for() -> None:
    stopping.interrupt_on_sigterm()
    with stopping.on_sigterm() as stop:
        assert not stop.is_set()
        signal.raise_signal(signal.SIGTERM)
        assert stop.is_set()
    assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
