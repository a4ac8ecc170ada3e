"""Many reads at once: every read has one outcome, in its place."""

import threading
import time

import pytest

from dicomae.sources import in_flight


def test_results_are_in_the_order_of_the_reads():
    assert in_flight.read_all(lambda i: i * i, 1_000, 10) == [i * i for i in range(1_000)]
    assert in_flight.read_all(lambda i: i, 0, 10) == []


def test_a_quick_source_is_read_by_one_thread(monkeypatch):
    monkeypatch.setattr(in_flight, "SLOW_SECONDS", 100)
    readers = set()
    in_flight.read_all(lambda i: readers.add(threading.get_ident()) or time.sleep(0.002), 30, 10)
    assert len(readers) == 1


def test_a_slow_source_is_read_by_many_threads_but_no_more_than_that():
    busy, most, lock = 0, 0, threading.Lock()

    def read(i):
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        time.sleep(0.02)
        with lock:
            busy -= 1
        return i

    assert in_flight.read_all(read, 300, 10) == list(range(300))
    assert 16 < most <= in_flight.THREADS


def test_reads_that_hang_are_none_and_the_rest_is_read():
    release = threading.Event()
    found = in_flight.read_all(lambda i: (i % 7 == 3 and release.wait(60)) or i, 100, 0.3)
    release.set()
    assert found == [None if i % 7 == 3 else i for i in range(100)]


def test_a_source_that_never_answers_ends_after_one_timeout():
    release = threading.Event()
    asked = []
    found = in_flight.read_all(lambda i: asked.append(i) or release.wait(60), 500, 0.3)
    release.set()
    assert found == [None] * 500
    assert len(asked) == in_flight.THREADS


def test_work_may_take_long_but_no_answer():
    wait, release = in_flight.Wait(), threading.Event()

    def asks(seconds):
        for _ in range(4):
            wait.begin()
            release.wait(seconds)
            wait.end()
        return seconds

    assert in_flight.watched(lambda: asks(0.1), wait, 0.3) == 0.1
    assert in_flight.watched(lambda: time.sleep(0.5), in_flight.Wait(), 0.2) is None
    with pytest.raises(TimeoutError, match=r"no answer within 0\.1 s"):
        in_flight.watched(lambda: asks(30), wait, 0.1)
    release.set()
    with pytest.raises(ZeroDivisionError):
        in_flight.watched(lambda: 1 // 0, in_flight.Wait(), 1)


def test_an_answer_is_waited_for_so_long():
    release = threading.Event()
    assert in_flight.answered(lambda: 7, 10) == 7
    with pytest.raises(TimeoutError, match=r"no answer within 0\.1 s"):
        in_flight.answered(lambda: release.wait(20), 0.1)
    release.set()
    with pytest.raises(ZeroDivisionError):
        in_flight.answered(lambda: 1 // 0, 10)


def test_a_programming_error_is_raised_to_the_caller():
    with pytest.raises(ZeroDivisionError):
        in_flight.read_all(lambda i: 1 // (5 - i), 10, 10)
