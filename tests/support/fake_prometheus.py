"""A small Prometheus over HTTP: samples as told, selectors, `sum by`, `last_over_time`, staleness, and credentials.

What it does not know it refuses, as Prometheus refuses what it cannot parse.
"""

from __future__ import annotations

import json
import re
import threading
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

LOOKBACK = 300.0
_SELECTOR = re.compile(r"([A-Za-z_:][\w:]*)?\{(.*)\}")
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"((?:[^"\\]|\\.)*)"')
_SUM = re.compile(r"sum by \(([^)]*)\) \((.*)\)", re.DOTALL)
_LAST = re.compile(r"last_over_time\((.*)\[(\d+)([smh])\]\)", re.DOTALL)

Labels = Mapping[str, str]


class FakePrometheus:
    """Samples by series. A value is a number, or text as Prometheus writes it ("NaN"); None: the series went stale."""

    def __init__(self) -> None:
        self._series: dict[tuple[tuple[str, str], ...], list[tuple[float, Any]]] = {}
        # What was asked, and what `Authorization` must be; None: nobody is asked who he is.
        self.asked: list[str] = []
        self.wants: str | None = None
        self.seen: list[str] = []

    def put(self, name: str, labels: Labels, samples: Sequence[tuple[float, Any]]) -> None:
        key = tuple(sorted({"__name__": name, **labels}.items()))
        self._series.setdefault(key, []).extend(samples)
        self._series[key].sort(key=lambda each: each[0])

    def open_metrics(self) -> str:
        """The same samples, for a real Prometheus; staleness is not among what can be written."""
        lines: list[str] = []
        for key, samples in sorted(self._series.items(), key=lambda each: dict(each[0])["__name__"]):
            name = dict(key)["__name__"]
            if f"# TYPE {name} gauge" not in lines:
                lines.append(f"# TYPE {name} gauge")
            labels = ",".join(f'{label}="{value}"' for label, value in key if label != "__name__")
            lines += [
                f"{name}{{{labels}}} {_text(value)} {at:.0f}" for at, value in samples if value is not None
            ]
        return "\n".join([*lines, "# EOF", ""])

    def answer(self, query: str, times: Sequence[float]) -> list[dict[str, Any]]:
        """The matrix of a query; raises ValueError for what it does not know."""
        if summed := _SUM.fullmatch(query):
            return self._summed([name.strip() for name in summed[1].split(",")], summed[2], times)
        if last := _LAST.fullmatch(query):
            back = float(last[2]) * {"s": 1, "m": 60, "h": 3600}[last[3]]
            return [
                self._row(key, [self._last(key, at, back) for at in times], times)
                for key in self._found(last[1])
            ]
        return [self._row(key, [self._now(key, at) for at in times], times) for key in self._found(query)]

    def _found(self, selector: str) -> Iterator[tuple[tuple[str, str], ...]]:
        match = _SELECTOR.fullmatch(selector)
        if match is None:
            raise ValueError(f"unknown function or syntax: {selector}")
        wanted = [*_MATCHER.findall(match[2])]
        if match[1]:
            wanted.append(("__name__", "=", match[1]))
        for key in self._series:
            labels = dict(key)
            if all(_matches(labels.get(name, ""), how, text) for name, how, text in wanted):
                yield key

    def _now(self, key: tuple[tuple[str, str], ...], at: float) -> Any:
        samples = self._series[key]
        index = bisect_right(samples, at, key=lambda each: each[0]) - 1
        return samples[index][1] if index >= 0 and samples[index][0] > at - LOOKBACK else None

    def _last(self, key: tuple[tuple[str, str], ...], at: float, back: float) -> Any:
        within = [
            value for moment, value in self._series[key] if at - back < moment <= at and value is not None
        ]
        return within[-1] if within else None

    def _summed(self, names: Sequence[str], selector: str, times: Sequence[float]) -> list[dict[str, Any]]:
        groups: dict[tuple[tuple[str, str], ...], list[float | None]] = {}
        for key in self._found(selector):
            group = tuple((name, dict(key)[name]) for name in names if name in dict(key))
            values = groups.setdefault(group, [None] * len(times))
            for index, at in enumerate(times):
                if (value := self._now(key, at)) is not None:
                    values[index] = (values[index] or 0.0) + float(value)
        return [self._row(group, values, times) for group, values in groups.items()]

    @staticmethod
    def _row(key: Any, values: Sequence[Any], times: Sequence[float]) -> dict[str, Any]:
        told = [[at, _text(value)] for at, value in zip(times, values, strict=True) if value is not None]
        return {"metric": dict(key), "values": told}

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Its address, while the block lasts."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                asked = {name: said[0] for name, said in parse_qs(self.rfile.read(length).decode()).items()}
                who = self.headers.get("Authorization", "")
                outer.seen.append(who)
                if outer.wants is not None and who != outer.wants:
                    self._send(401, {"status": "error", "error": "who are you"})
                    return
                outer.asked.append(asked["query"])
                start, end, step = (float(asked[name]) for name in ("start", "end", "step"))
                times = [start + step * index for index in range(round((end - start) / step) + 1)]
                try:
                    rows = [row for row in outer.answer(asked["query"], times) if row["values"]]
                except ValueError as error:
                    self._send(400, {"status": "error", "errorType": "bad_data", "error": str(error)})
                    return
                self._send(200, {"status": "success", "data": {"resultType": "matrix", "result": rows}})

            def _send(self, status: int, body: object) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                # Whoever asked may have read enough.
                with suppress(ConnectionError):
                    self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            server.server_close()


def _matches(value: str, how: str, text: str) -> bool:
    if how in ("=", "!="):
        return (value == text) == (how == "=")
    return bool(re.fullmatch(text, value)) == (how == "=~")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else repr(float(value))
