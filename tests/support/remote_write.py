"""Writing to a Prometheus by its remote write protocol: the only way to hand it native histograms with times of their own.

Protocol buffers and Snappy's framing by hand, as little of them as that takes
(https://github.com/prometheus/prometheus/blob/main/prompb/types.proto).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence

import urllib3

# Buckets of a native histogram by index: the bounds of index n, at the schema 0, are 2**(n-1) and 2**n.
Buckets = Mapping[int, int]


def write(
    url: str, series: Iterable[tuple[Mapping[str, str], Sequence[tuple[float, float | Buckets]]]]
) -> None:
    """Write series: labels, and (epoch seconds, value or histogram) in order."""
    body = b"".join(_field(1, _series(labels, samples)) for labels, samples in series)
    headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
    headers["X-Prometheus-Remote-Write-Version"] = "0.1.0"
    answer = urllib3.PoolManager(timeout=10).request(
        "POST", f"{url}/api/v1/write", body=_snappy(body), headers=headers
    )
    assert answer.status in (200, 204), answer.data.decode()


def _series(labels: Mapping[str, str], samples: Sequence[tuple[float, float | Buckets]]) -> bytes:
    made = b"".join(
        _field(1, _field(1, name.encode()) + _field(2, value.encode()))
        for name, value in sorted(labels.items())
    )
    for at, value in samples:
        moment = round(at * 1000)
        if isinstance(value, Mapping):
            made += _field(4, _histogram(value, moment))
        else:
            made += _field(2, b"\x09" + struct.pack("<d", value) + _number(2, moment))
    return made


def _histogram(buckets: Buckets, moment: int) -> bytes:
    made = (
        _number(1, sum(buckets.values())) + b"\x19" + struct.pack("<d", 1.0) + _number(4, 0) + _number(6, 0)
    )
    deltas, before, next_index = b"", 0, 0
    for index, count in sorted(buckets.items()):
        made += _field(11, _number(1, _zigzag(index - next_index)) + _number(2, 1))
        deltas += _varint(_zigzag(count - before))
        before, next_index = count, index + 1
    return made + _field(12, deltas) + _number(15, moment)


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _field(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _snappy(data: bytes) -> bytes:
    """Snappy's format, of literals only."""
    pieces = [data[at : at + 60] for at in range(0, len(data), 60)]
    return _varint(len(data)) + b"".join(bytes([(len(piece) - 1) << 2]) + piece for piece in pieces)
