"""Slack as a place where messages are edited (`messages.ports.Chat`), by a bot's token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from candlefish.adapters.http.slack_api import SlackApi, SlackRefused
from candlefish.adapters.http.slack_blocks import message_body, notification_body, without_picture
from candlefish.adapters.http.slack_secret import SlackSecret
from candlefish.bounds import fit_line
from candlefish.errors import Unavailable
from candlefish.messages.model import ChatMessage
from candlefish.signals.notification import Notification

# Links stay links.
ALONE = {"unfurl_links": False, "unfurl_media": False}
# What an edit is refused with where the message is gone, too old, or another's.
GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"})
# What a message with a picture is refused with where the picture is what is wrong.
NO_PICTURE = frozenset({"invalid_blocks", "invalid_attachments"})
# What an alternative text takes at files.getUploadURLExternal, in characters.
LONGEST_ALTERNATIVE = 1000


class SlackChat:
    """`messages.ports.Chat`. `secret` reads what may be rotated at any time; channels are by the secret's names."""

    def __init__(self, api: SlackApi, secret: Callable[[], SlackSecret]) -> None:
        self._api, self._secret = api, secret

    def edits(self) -> bool:
        return bool(self._secret().token)

    def post(self, channel: str, message: ChatMessage, *, below: str = "", aloud: bool = False) -> str:
        thread: dict[str, Any] = {"thread_ts": below, "reply_broadcast": aloud} if below else {}
        said = self._say(
            "chat.postMessage", channel, {**message_body(message), **ALONE, **thread}, message.picture
        )
        return _text_of(said, "ts")

    def edit(self, channel: str, id: str, message: ChatMessage) -> bool:
        try:
            self._say("chat.update", channel, {**message_body(message), "ts": id}, message.picture)
        except SlackRefused as error:
            if error.code in GONE:
                return False
            raise
        return True

    def send(self, channel: str, message: Notification) -> None:
        """Post what stands by itself."""
        self._say("chat.postMessage", channel, {**notification_body(message), **ALONE}, "")

    def share(self, channel: str, below: str, picture: bytes, says: str) -> str:
        """https://docs.slack.dev/messaging/working-with-files#uploading_files

        It is shared at once: of a file that nobody shared yet, Slack says that it is none.
        """
        known = self._secret()
        id = known.channel(channel)
        place = self._api.call_form(
            "files.getUploadURLExternal",
            known.token,
            {
                "filename": "rates.png",
                "length": str(len(picture)),
                "alt_txt": fit_line(says, LONGEST_ALTERNATIVE),
            },
        )
        file = _text_of(place, "file_id")
        self._api.put(_text_of(place, "upload_url"), picture, "image/png")
        self._api.call(
            "files.completeUploadExternal",
            known.token,
            {
                "files": [{"id": file, "title": "Failed requests by version"}],
                "channel_id": id,
                "thread_ts": below,
            },
        )
        return file

    def _say(self, method: str, channel: str, body: dict[str, Any], picture: str) -> dict[str, Any]:
        known = self._secret()
        whole = {"channel": known.channel(channel), **body}
        try:
            return self._api.call(method, known.token, whole)
        except SlackRefused as error:
            if not picture or error.code not in NO_PICTURE:
                raise
            # A picture that Slack still works on, or that was deleted: the words stand alone.
            return self._api.call(method, known.token, without_picture(whole))


def _text_of(said: dict[str, Any], name: str) -> str:
    found = said.get(name)
    if not isinstance(found, str) or not found:
        raise Unavailable(f"Slack's answer has no {name}; it will be tried again")
    return found
