"""Drive `candlefish watch` in tmux through a canary with an approval, a bad release and a train, and keep what was seen.

    python -m tools.captures [--directory build/captures] [--write]

starts a lab with users, opens each release in windows of three sizes, and looks at every moment whether the newest entry is
there. `--write` puts the pictures into docs/images/terminal-*.svg.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from cli.lab import environment_of
from cli.screen.clock import clock
from cli.screen.release import NARROW
from lab.looks import looks
from tools.layers import ROOT
from tools.terminal_svg import svg_of

SIZES = ((80, 24), (50, 24), (200, 50))
ENVIRONMENT = "production"
# Waited for at most; it says what hangs, and is no measure of how fast a machine is.
LONGEST = 600.0
# What a key does is seen sooner.
KEY_LONGEST = 120.0
# Answers to the questions of one release that follow each other, those counted that came too late for the one before.
MOST_ANSWERS = 12
PROMPT, SENDING = "Enter sends it", "approve: sending"


# Keys of whoever calls would win over the person whose profile is named.
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def _without_keys() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in KEYS}


class Window:
    """A terminal of a size, in which a command runs."""

    def __init__(
        self, server: Path, name: str, size: tuple[int, int], environ: dict[str, str], *words: str
    ) -> None:
        self.name, self.size, self._server = name, size, server
        unset = (word for name in KEYS for word in ("-u", name))
        command = shlex.join(["env", *unset, *(f"{key}={value}" for key, value in environ.items()), *words])
        self._tmux(
            *("-f", "/dev/null", "new-session", "-d", "-s", name),
            *(
                "-x",
                str(size[0]),
                "-y",
                str(size[1]),
                "sh",
                "-c",
                f"{command}; echo exit $?; exec sleep 3600",
            ),
        )
        self._tmux("set-option", "-t", name, "status", "off")
        self.resize(size)

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-u", "-S", str(self._server), *words], capture_output=True, text=True, check=True
        )
        return done.stdout

    def resize(self, size: tuple[int, int]) -> None:
        """Make it another size, as somebody who pulls at its corner."""
        self.size = size
        self._tmux("resize-window", "-t", self.name, "-x", str(size[0]), "-y", str(size[1]))

    def text(self) -> list[str]:
        """The lines that are on it."""
        lines = self._tmux("capture-pane", "-p", "-t", self.name).split("\n")
        return lines[: self.size[1]]

    def svg(self, title: str) -> str:
        """A picture of it."""
        return svg_of(self._tmux("capture-pane", "-p", "-e", "-t", self.name), *self.size, title)

    def press(self, *keys: str) -> None:
        """Press keys by their names in tmux."""
        self._tmux("send-keys", "-t", self.name, *keys)

    def type(self, text: str) -> None:
        """Type a text."""
        self._tmux("send-keys", "-t", self.name, "-l", text)

    def until(self, *texts: str) -> list[str]:
        """Look until all of the texts are there, or what runs in it is over."""
        lines: list[str] = []
        for _ in looks(LONGEST, every=0.2):
            lines = self.text()
            if all(text in "\n".join(lines) for text in texts):
                return lines
            if exited(lines):
                break
        raise TimeoutError(f"{self.name}: {texts} did not come:\n" + "\n".join(lines))

    def close(self) -> None:
        """End what runs in it."""
        self._tmux("kill-session", "-t", self.name)


def exited(lines: list[str]) -> bool:
    """Whether the command of a window is over."""
    return any(line.startswith("exit ") for line in lines)


def newest_shown(lines: list[str], entry: dict[str, Any], at: str) -> bool:
    """Whether the first entry below the last rule, or the first that there is, is the one that happened last."""
    rules = [number for number, line in enumerate(lines) if line.startswith("────")]
    below = lines[rules[-1] + 1 :] if rules else lines
    first = next((line for line in below if line[:2].isdigit() and line[2:3] == ":"), "")
    return first.startswith(at) and entry["word"][:6] in first


class Stage:
    """A lab with users, commands in it, and windows onto it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        found = environment_of(directory / "lab")
        self._environ = {
            **found,
            "PYTHONPATH": f"{ROOT}/layers/control_plane:{ROOT}",
            "LANG": "C.UTF-8",
            "TZ": "America/Los_Angeles",
        }
        self.server = directory / "tmux"
        self.images: dict[str, dict[str, str]] = json.loads((directory / "lab/images.json").read_text())
        self.pictures: dict[str, str] = {}
        self.texts: dict[str, list[str]] = {}
        # How often a window was compared with what had happened last.
        self.compared = 0

    def run(self, *words: str, person: str = "platform-lead") -> str:
        """What a command prints."""
        done = subprocess.run(
            [sys.executable, "-m", "cli", *words],
            cwd=ROOT,
            env={**_without_keys(), **self._environ, "AWS_PROFILE": person},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"candlefish {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def view(self, release: str) -> dict[str, Any]:
        """A release as the read model has it."""
        found: dict[str, Any] = json.loads(self.run("status", release, "-e", ENVIRONMENT, "--json"))
        return found

    @contextmanager
    def windows(self, name: str, *words: str) -> Iterator[list[Window]]:
        """A command in windows of all sizes."""
        opened = []
        try:
            for size in SIZES:
                titled = f"{name}-{size[0]}x{size[1]}"
                opened.append(
                    Window(
                        *(self.server, titled, size, {**self._environ, "AWS_PROFILE": "product-lead"}),
                        *(sys.executable, "-m", "cli", *words, "-e", ENVIRONMENT),
                    )
                )
            yield opened
        finally:
            for window in opened:
                window.close()

    def newest_is_there(self, windows: list[Window], release: str) -> None:
        """Look until each window shows what happened last in a release; what happens meanwhile counts, too."""
        for window in windows:
            seconds = window.size[0] >= NARROW
            for _ in looks(LONGEST, every=0.3):
                entry = self.view(release)["timeline"][0]
                lines = window.text()
                if newest_shown(
                    lines, entry, clock(entry["at"], ZoneInfo(self._environ["TZ"]), seconds=seconds)
                ):
                    break
            else:
                raise AssertionError(f"{window.name} does not show {entry}:\n" + "\n".join(lines))
            self.compared += 1

    def keep(self, window: Window, what: str) -> None:
        """Keep a picture of a window, and its text."""
        name = f"terminal-{what}-{window.size[0]}x{window.size[1]}"
        self.texts[name] = window.text()
        self.pictures[name] = window.svg(f"candlefish watch, {window.size[0]} x {window.size[1]}")
        (self.directory / f"{name}.svg").write_text(self.pictures[name], encoding="utf-8")
        (self.directory / f"{name}.txt").write_text("\n".join(self.texts[name]) + "\n", encoding="utf-8")


def canary(stage: Stage) -> None:
    """A good version: judged, asked for, approved by a key, promoted."""
    release = _released(stage, "1.1.0", "faster search")
    with stage.windows("canary", "watch", release) as windows:
        first = windows[0]
        first.until("● judge", "promote")
        stage.newest_is_there(windows, release)
        for window in windows:
            stage.keep(window, "canary")
        for window in windows:
            window.until("left, until", "a approve")
        stage.newest_is_there(windows, release)
        for window in windows:
            stage.keep(window, "canary-question")
        # Pulled at its corner, and back.
        first.resize((50, 24))
        first.until("a approve", "q leave")
        stage.newest_is_there([first], release)
        first.resize((80, 24))
        first.until("a approve", "q leave")
        stage.newest_is_there([first], release)
        first.press("a")
        first.until("approve? ", "Enter sends it")
        first.type("looks good at 10%")
        first.until("looks good at 10%_")
        stage.keep(first, "canary-confirm")
        first.press("Escape")
        first.until("nothing was sent")
        approve(stage.view, first, release, "looks good at 10%")
        _to_the_end(stage, windows, release)
        stage.keep(first, "canary-promoted")


def bad(stage: Stage) -> None:
    """A version that fails a fifth of its requests: taken back on its own."""
    release = _released(stage, "bad", "a new cache")
    with stage.windows("bad", "watch", release) as windows:
        for window in windows:
            window.until("rolling back")
            stage.keep(window, "rollback")
        for window in windows:
            window.until("exit 3")
        stage.keep(windows[0], "rolled-back")


def train(stage: Stage, services: list[str]) -> None:
    """Two services in the order of their dependencies; each asks once, and is answered by a key."""
    file = stage.directory / "train.json"
    cars = [{"service": name, "image": stage.images[name]["1.2.0"], "label": "1.2.0"} for name in services]
    file.write_text(json.dumps({"reason": "the new API", "releases": cars}))
    name = stage.run("train", str(file), "-e", ENVIRONMENT, "--no-follow", person="developer").split()[-1]
    with stage.windows("train", "watch", name) as windows:
        first = windows[0]
        for service in services:
            _asked_about(stage, first, name, service, services)
            for window in windows:
                window.until(service, "q leave")
            stage.newest_is_there(windows, _car(name, service))
            for window in windows:
                stage.keep(window, "train")
            approve(stage.view, first, _car(name, service))
        _to_the_end(stage, windows, _car(name, services[-1]))
        stage.keep(first, "train-arrived")


def _asked_about(stage: Stage, window: Window, train: str, service: str, services: list[str]) -> None:
    """Wait until a service of a train is asked about; what is asked of those before it meanwhile is approved."""
    lines: list[str] = []
    for _ in looks(LONGEST, every=0.5):
        lines = window.text()
        if exited(lines):
            break
        if _asks(lines):
            now = next((each for each in services if any(line.startswith(f"{each}  ") for line in lines)), "")
            if now == service:
                return
            if now:
                approve(stage.view, window, _car(train, now))
    raise TimeoutError(f"nobody was asked about {service}:\n" + "\n".join(lines))


class Keys(Protocol):
    """What somebody at a window sees and can do."""

    def text(self) -> list[str]: ...

    def press(self, *keys: str) -> None: ...

    def type(self, text: str) -> None: ...


def approve(view: Callable[[str], dict[str, Any]], window: Keys, release: str, reason: str = "go on") -> int:
    """Say yes by keys, with a reason, to whatever is open until nothing is; how many answers were sent.

    A screen looks once a second: it may still have the question before, whose answer is refused. So another answer goes
    to the one that is open now.
    """
    asked: dict[str, Any] | None = None
    for sent in range(MOST_ANSWERS + 1):
        asked = view(release)["question"]
        if asked is None:
            return sent
        if sent == MOST_ANSWERS:
            break
        if not _asking(view, window, release):
            continue
        window.type(reason)
        window.press("Enter")
        _until(window, lambda text: PROMPT not in text and SENDING not in text)
    raise TimeoutError(
        f"{release} still asks {asked} after {MOST_ANSWERS} answers:\n" + "\n".join(window.text())
    )


def _asking(view: Callable[[str], dict[str, Any]], window: Keys, release: str) -> bool:
    """Make the screen ask for a reason; False when nothing is open any more, and it has nothing to ask."""
    for _ in looks(KEY_LONGEST, every=0.3):
        lines = window.text()
        if PROMPT in "\n".join(lines):
            return True
        if _asks(lines):
            window.press("a")
            if _until(window, lambda text: PROMPT in text or not _asks(text.split("\n"))):
                return True
        elif view(release)["question"] is None:
            return False
    raise TimeoutError(f"the question of {release} is not on the screen:\n" + "\n".join(window.text()))


def _until(window: Keys, seen: Callable[[str], bool]) -> bool:
    """Look until it is so; whether the screen asks for a reason then."""
    text = ""
    for _ in looks(KEY_LONGEST, every=0.2):
        text = "\n".join(window.text())
        if seen(text):
            return PROMPT in text
    raise TimeoutError("the screen does not do what its keys say:\n" + text)


def _asks(lines: list[str]) -> bool:
    return any(line.startswith("a approve") for line in lines[-3:])


def _to_the_end(stage: Stage, windows: list[Window], release: str) -> None:
    """Wait until it is promoted; what else is asked on the way, on a machine that is slow, is approved."""
    for _ in looks(LONGEST, every=0.5):
        lines = windows[0].text()
        if exited(lines):
            break
        if _asks(lines):
            approve(stage.view, windows[0], release)
    else:
        raise TimeoutError(f"{release} does not end:\n" + "\n".join(windows[0].text()))
    for window in windows:
        window.until("exit 0")


def _car(train: str, service: str) -> str:
    from candlefish.service.model import name_of_car

    return name_of_car(train, service)


def _released(stage: Stage, version: str, reason: str) -> str:
    words = ("deploy", SERVICE, stage.images[SERVICE][version], "--label", version, "-e", ENVIRONMENT)
    return stage.run(*words, "--reason", reason, "--no-follow", person="developer").split()[-1]


SERVICE, SECOND = "backend-api", "api-gateway"
# Requests a second: the judge comes to a verdict where the machine keeps up, and asks where it does not.
RATE = 240


@contextmanager
def staged(directory: Path) -> Iterator[Stage]:
    """A lab with users of two services, and nothing of it afterwards."""
    directory.mkdir(parents=True, exist_ok=True)
    at = ("--directory", str(directory / "lab"))
    environ = {**os.environ, "PYTHONPATH": f"{ROOT}/layers/control_plane:{ROOT}"}

    def lab(*words: str) -> None:
        subprocess.run([sys.executable, "-m", "cli", "lab", *words, *at], cwd=ROOT, env=environ, check=True)

    try:
        lab("up", "--detach", "-s", SERVICE, "-s", SECOND)
        stage = Stage(directory)
        for service, rate in ((SERVICE, RATE), (SECOND, RATE // 3)):
            lab("load", "--detach", "-s", service, "--rate", str(rate))
        yield stage
    finally:
        subprocess.run(
            ["tmux", "-S", str(directory / "tmux"), "kill-server"], capture_output=True, check=False
        )
        lab("down")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, default=ROOT / "build/captures")
    parser.add_argument("--write", action="store_true", help="Put the pictures into docs/images.")
    asked = parser.parse_args()
    if shutil.which("tmux") is None:
        raise SystemExit("captures need tmux: apt-get install tmux")
    with staged(asked.directory) as stage:
        for scene in (canary, bad, lambda stage: train(stage, [SERVICE, SECOND])):
            scene(stage)
    where = ROOT / "docs/images" if asked.write else asked.directory
    for name, picture in stage.pictures.items():
        (where / f"{name}.svg").write_text(picture, encoding="utf-8")
    print(
        f"{len(stage.pictures)} pictures in {where}; the newest entry was there in {stage.compared} of {stage.compared} looks"
    )


if __name__ == "__main__":
    main()
