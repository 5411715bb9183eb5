"""Single-server queues: closed forms, and the exact path of given arrivals and services.

Kleinrock, Queueing Systems, vol. 1 and 2 (Wiley 1975, 1976). The mean service time is 1.
"""

import numpy as np
from numba import njit


def mm1_wait(load):
    """Mean waiting time of M/M/1."""
    return load / (1 - load)


def md1_wait(load):
    """Mean waiting time of M/D/1."""
    return load / (2 * (1 - load))


def preemptive_waits(load_high, load_low):
    """Mean time in system less the own service, M/M/1 with two preemptive-resume classes."""
    both = load_high + load_low
    high = load_high / (1 - load_high)
    low = 1 / (1 - load_high) + both / ((1 - load_high) * (1 - both)) - 1
    return high, low


def mm1_age(load):
    """Mean age of information of M/M/1, first come first served (Kaul, Yates, Gruteser 2012)."""
    return 1 + 1 / load + load**2 / (1 - load)


@njit
def path(arrival, service, is_high):
    """Completion times under two preemptive-resume priorities; FIFO if `is_high` is constant."""
    n = arrival.size
    left, done = service.copy(), np.zeros(n)
    queues = np.empty((2, n), np.int64)
    head, tail = np.zeros(2, np.int64), np.zeros(2, np.int64)
    now = 0.0
    for i in range(n + 1):
        until = arrival[i] if i < n else np.inf
        while now < until:
            row = 0 if head[0] < tail[0] else 1
            if head[row] == tail[row]:
                break
            job = queues[row, head[row]]
            if now + left[job] <= until:
                now += left[job]
                done[job] = now
                head[row] += 1
            else:
                left[job] -= until - now
                now = until
        if i < n:
            now = until
            row = 0 if is_high[i] else 1
            queues[row, tail[row]] = i
            tail[row] += 1
    return done
