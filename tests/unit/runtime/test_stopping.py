"""Signals: raised where nothing is half done."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress

import pytest

from dicomae.runtime import stopping


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    stopping.CAME.clear()


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
    before, stop = signal.getsignal(signal.SIGTERM), threading.Event()
    with stopping.on_sigterm(stop):
        assert not stop.is_set()
        signal.raise_signal(signal.SIGTERM)
        assert stop.is_set()
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("on_ctrl_c", [signal.SIG_IGN, signal.SIG_DFL, lambda _, __: None])
def test_sigterm_interrupts_whatever_ctrl_c_does(on_ctrl_c: Callable[[int, object], None] | int) -> None:
    stopping.interrupt_on_sigterm()
    signal.signal(signal.SIGINT, on_ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)


def test_sigterm_cancels_what_ctrl_c_cancels() -> None:
    cancelled = []
    stopping.interrupt_on_sigterm()
    signal.signal(signal.SIGINT, lambda number, _: cancelled.append(number))
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    assert cancelled == [signal.SIGTERM]


@pytest.mark.parametrize(
    "waiting",
    [
        nullcontext(),
        stopping.on_sigterm(threading.Event()),
        stopping.interrupted_afterwards(),
    ],
)
def test_that_sigterm_came_is_remembered(waiting: AbstractContextManager[None]) -> None:
    stopping.interrupt_on_sigterm()
    with suppress(KeyboardInterrupt), waiting:
        signal.raise_signal(signal.SIGTERM)
    assert stopping.CAME.is_set()
