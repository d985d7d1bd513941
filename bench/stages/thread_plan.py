# What a stage would take with more threads, from what it takes with one and with two: the paper plan of docs/performance.md.
# In: times and read rates measured with one and two threads, the bytes of the stage. Out: shares and computed times.
#   reading(n) = bytes / rate(n)            what memory alone would take
#   rest(1)    = T(1) - reading(1)          what is left of one thread's time
#   serial     = 2 * rest(2) / rest(1) - 1  Amdahl's share of that rest, from two threads; between 0 and 1
#   T(n)       = reading(n) + rest(1) * (serial + (1 - serial) / n)
# rate(n) beyond two threads is that of two threads: memory that two threads fill gives more threads no more. Where it is
# said to grow along, it is rate(1) * n.


def clipped(value):
    return min(1.0, max(0.0, value))


def shares(gb, times, rates):
    """gb: bytes / 1e9; times, rates: {1: , 2: } in ms and GB/s -> (memory's share of T(1), the serial share of the rest)"""
    reading = {count: min(times[count], gb / rates[count] * 1e3) for count in (1, 2)}
    rest = {count: times[count] - reading[count] for count in (1, 2)}
    serial = clipped(2 * rest[2] / rest[1] - 1) if rest[1] > 0 else 0.0
    return reading[1] / times[1], serial


def computed(gb, times, rates, count, memory_grows=False):
    """-> ms with `count` threads"""
    memory, serial = shares(gb, times, rates)
    reading = min(times[1], gb / rates[1] * 1e3)
    rate = rates[1] * count if memory_grows else max(rates[1], rates[2])
    return min(reading, gb / rate * 1e3) + times[1] * (1 - memory) * (serial + (1 - serial) / count)
