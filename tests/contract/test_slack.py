"""Releases in Slack, against its API as it is recorded: what stands after each event, and what Slack may do meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from candlefish.adapters.http.slack import SlackChannel
from candlefish.adapters.http.slack_api import SlackApi
from candlefish.adapters.http.slack_blocks import message_body, notification_body
from candlefish.adapters.http.slack_chat import SlackChat
from candlefish.adapters.http.slack_secret import slack_secret
from candlefish.errors import AskedToWait, Misconfigured, Unavailable
from candlefish.messages.decide import decide_messages
from candlefish.messages.record import BUSY, Shown
from candlefish.messages.show_release import release_named_in
from candlefish.signals.notification import Notification
from candlefish.views.model import ReleaseView, Who
from tests.support import views
from tests.support.slack_api import CHANNELS, TOKEN, RecordedSlack, markup_of, secret, texts_of
from tests.support.slack_world import SlackWorld, entry


@pytest.fixture
def slack() -> Iterator[RecordedSlack]:
    with RecordedSlack() as server:
        yield server


@pytest.fixture
def world(slack: RecordedSlack) -> SlackWorld:
    return SlackWorld(slack)


def approved(view: ReleaseView) -> ReleaseView:
    """The question was answered, and the release goes on."""
    after = entry(view, "approved", "approved", "looks well", by="platform-lead", tone="good")
    return replace(after, status="running", question=None, says="50% to 1.1.0, judged", tone="info", left=())


# --- a release with a question


def test_a_release_is_one_message_that_is_edited_in_place(world: SlackWorld, slack: RecordedSlack) -> None:
    canary = views.release_canary()
    for says in ("starting", "no sign of harm: 3 of 900", "no sign of harm: 12 of 5,020"):
        world.show(replace(canary, says=says))
    (main,) = slack.in_channel("platform")
    assert main.edits == 2
    first, steps = main.texts()[0], main.texts()[1]
    assert first == "backend-api 1.0.0 → 1.1.0 in production: no sign of harm: 12 of 5,020"
    assert steps.startswith("Step 4 of 9: ✓ deploy ✓ smoke ✓ 10% ● judge ○ approve ○ 50%")
    assert any("Then: approval by somebody else" in text for text in main.texts())


def test_what_is_judged_and_shifted_posts_nothing(world: SlackWorld, slack: RecordedSlack) -> None:
    view = views.release_canary()
    world.show(view)
    for n in range(5):
        view = entry(view, "judged", "judged", f"no sign of harm ({n} of 12 windows)", by="judge")
        world.show(replace(view, says=f"no sign of harm after {n}"))
    assert slack.methods() == ["chat.postMessage", *["chat.update"] * 5]


def test_an_event_that_changes_nothing_calls_nothing(world: SlackWorld, slack: RecordedSlack) -> None:
    for n in range(3):
        world.show(replace(views.release_canary(), now=views.NOW + n))
    assert slack.methods() == ["chat.postMessage"]


def test_a_message_says_as_of_when_it_stands_so(world: SlackWorld, slack: RecordedSlack) -> None:
    """It may be read hours later, and says how long something lasts."""
    world.show(views.release_promoted())
    (main,) = slack.in_channel("platform")
    assert (
        f"as of <!date^{int(views.NOW)}^{{date_short_pretty}} {{time}}|2026-11-30 22:41 UTC>" in main.texts()
    )
    world.show(replace(views.release_promoted(), left=(), says="1.1.0 is live for all users"))
    assert not [text for text in main.texts() if text.startswith("as of")]


def test_a_question_is_asked_in_the_thread_and_aloud_with_all_that_decides_it(
    world: SlackWorld, slack: RecordedSlack
) -> None:
    world.show(views.release_canary())
    world.show(views.release_question())
    (main,) = slack.in_channel("platform")
    (asked,) = slack.in_channel("platform", main.ts)
    assert asked.aloud
    whole = "\n".join(asked.texts())
    for words in (
        "backend-api in production: shall 1.1.0 of backend-api go on from 10% to 50%?",
        "no sign of harm: 31 of 12,410 requests failed (0.25%)",
        "Now 10%, next 50%",
        "If yes: 50% to 1.1.0, then it is judged again",
        "If no: 100% to 1.0.0 within seconds",
        "If nobody answers: it is rolled back",
        "Asked for by: developer: faster search",
        "Can answer: platform-lead, product-lead",
        "answer by <!date^1796106783^{date_short_pretty} {time}|2026-12-01 06:33 UTC>",
    ):
        assert words in whole
    assert json.loads(asked.buttons()["candlefish-approve"]) == {"release": views.ID, "question": "5f2c9a10"}
    (actions,) = [b for b in asked.body["attachments"][0]["blocks"] if b["type"] == "actions"]
    assert [each["confirm"]["text"]["text"][:12] for each in actions["elements"]] == [
        "50% to 1.1.0",
        "100% to 1.0.",
    ]


def test_an_answer_takes_the_buttons_and_says_who_said_what(world: SlackWorld, slack: RecordedSlack) -> None:
    world.show(views.release_question())
    world.show(approved(views.release_question()))
    (main,) = slack.in_channel("platform")
    (asked,) = slack.in_channel("platform", main.ts)
    assert asked.buttons() == {} and asked.texts()[0].endswith("approved by platform-lead")
    assert "looks well" in asked.texts()
    # A later question of the same release leaves the first as it was answered.
    again = entry(approved(views.release_question()), "approval_requested", "asked", "and to 100%?")
    question = replace(views.question(), id="0badcafe", weight=50, next_weight=100)
    world.show(replace(again, question=question, status="awaiting_approval"))
    world.show(entry(replace(again, question=None), "denied", "denied", "no", by="product-lead"))
    assert asked.texts()[0].endswith("approved by platform-lead")
    _, second = slack.in_channel("platform", main.ts)
    assert second.texts()[0].endswith("denied by product-lead") and second.buttons() == {}


def test_an_answer_to_a_question_that_stands_nowhere_is_said_in_the_thread(
    world: SlackWorld, slack: RecordedSlack
) -> None:
    world.show(approved(views.release_question()))
    (main,) = slack.in_channel("platform")
    (decided,) = slack.in_channel("platform", main.ts)
    assert decided.texts()[0] == "approved by platform-lead: looks well" and not decided.aloud


def test_a_no_stands_where_the_question_was_and_not_what_followed_from_it(
    world: SlackWorld, slack: RecordedSlack
) -> None:
    view = views.release_question()
    world.show(view)
    denied = entry(view, "denied", "denied", "too many errors", by="product-lead", tone="warning")
    after = entry(denied, "rolling_back", "rolling back", "product-lead said no", by="release", tone="bad")
    world.show(
        replace(after, question=None, status="rolling_back", says="rolling back: product-lead said no")
    )
    main = slack.in_channel("platform")[0]
    (asked,) = slack.in_channel("platform", main.ts)
    assert asked.texts()[0].endswith("denied by product-lead") and "too many errors" in asked.texts()


def test_a_refused_release_is_one_message(world: SlackWorld, slack: RecordedSlack) -> None:
    view = entry(views.release_canary(), "refused", "refused", "its image was never scanned", tone="warning")
    world.show(replace(view, status="refused", says="refused: its image was never scanned", points=()))
    assert len(slack.standing) == 1


def test_the_first_of_two_answers_is_seen_and_the_buttons_stay(
    world: SlackWorld, slack: RecordedSlack
) -> None:
    view = views.release_question()
    assert view.question
    world.show(replace(view, question=replace(view.question, needed=2)))
    world.show(replace(view, question=replace(view.question, needed=2, given=(views.LEAD,))))
    (main,) = slack.in_channel("platform")
    (asked,) = slack.in_channel("platform", main.ts)
    assert asked.edits == 1 and len(asked.buttons()) == 2
    assert "Two people have to say yes; platform-lead said yes already" in "\n".join(asked.texts())


def test_a_picture_of_both_rates_comes_with_the_question_and_its_words_with_it(
    world: SlackWorld, slack: RecordedSlack
) -> None:
    world.show(views.release_question())
    world.show(replace(views.release_question(), says="still waits"))
    (file,) = slack.files.values()
    (main,) = slack.in_channel("platform")
    assert file["shared"] == [CHANNELS["platform"]] and file["thread"] == main.ts
    assert file["alt_txt"].startswith("Share of failed requests by window: 1.1.0 ····")
    (image,) = [b for b in main.body["attachments"][0]["blocks"] if b["type"] == "image"]
    assert image["slack_file"] == {"id": "F0FILE0001"} and image["alt_text"] == file["alt_txt"]


@pytest.mark.parametrize("how", ["no uploads", "not processed yet", "down"])
def test_where_a_picture_is_refused_the_words_stand_alone(
    world: SlackWorld, slack: RecordedSlack, how: str
) -> None:
    slack.uploads, slack.processed = how != "no uploads", how != "not processed yet"
    if how == "down":
        slack.fail("files.getUploadURLExternal", 2, status=503)
    world.show(views.release_question())
    world.show(replace(views.release_question(), says="still waits"))
    (main,) = slack.in_channel("platform")
    assert main.texts()[0].endswith("still waits")
    kinds = [block["type"] for block in main.body["attachments"][0]["blocks"]]
    assert ("image" in kinds) is (how == "down")


# --- a rollback


def test_a_rollback_is_a_new_message_to_its_owner_and_to_everybody(
    world: SlackWorld, slack: RecordedSlack
) -> None:
    world.show(views.release_canary())
    world.show(views.release_harmed())
    _, mine = slack.in_channel("platform")
    (everybodys,) = slack.in_channel("default")
    whole = "\n".join(mine.texts())
    for words in (
        "21 of 100 requests failed (21%), 0 of 800 on 1.0.0",
        "Changed: 1.0.0 → 1.1.0, asked for by developer: faster search",
        "██████████ 100% 1.0.0 in green",
        "backend-api-blue-7d9f-x2x: restarts again and again: exit code 137, out of memory",
        "Next: candlefish watch",
        "<https://console.example/#/releases/",
    ):
        assert words in whole
    assert everybodys.texts() == mine.texts()
    # It says how it ended, and is not posted once more.
    world.show(views.release_rolled_back())
    assert len(slack.in_channel("default")) == 1
    assert "rolled back after 3 minutes" in everybodys.texts()[0] and everybodys.edits == 1
    assert "Cause: harmed: 21 of 100 requests failed (21%)" in "\n".join(everybodys.texts())


def test_a_rollback_without_an_owner_is_told_once(slack: RecordedSlack) -> None:
    world = SlackWorld(slack, owner="")
    world.show(views.release_harmed())
    loud = [each for each in slack.in_channel("default") if "Changed:" in "\n".join(each.texts())]
    assert len(loud) == 1


@pytest.mark.parametrize("lost", ["deleted", "not to be edited", "another's", "forgotten"])
def test_a_lost_message_never_loses_a_rollback(world: SlackWorld, slack: RecordedSlack, lost: str) -> None:
    world.show(views.release_canary())
    (main,) = slack.in_channel("platform")
    if lost == "deleted":
        slack.delete(main.ts)
    elif lost == "forgotten":
        world.shown.stored.clear()
    else:
        code = "edit_window_closed" if lost == "not to be edited" else "cant_update_message"
        slack.fail("chat.update", error=code)
    world.show(views.release_harmed())
    for channel in ("platform", "default"):
        found = [each for each in slack.in_channel(channel) if "Changed:" in "\n".join(each.texts())]
        assert len(found) == 1
    # And the release's own message stands again.
    assert slack.in_channel("platform")[-1].texts()[1].startswith("Step 4 of 9")


def test_an_owners_channel_that_is_gone_leaves_it_to_everybodys_which_says_so(
    world: SlackWorld, slack: RecordedSlack
) -> None:
    slack.archived.add(CHANNELS["platform"])
    world.show(views.release_harmed())
    assert slack.in_channel("platform") == [] and world.mail.got == []
    loud = slack.in_channel("default")[0]
    assert "Not in the channel platform: Slack refused chat.postMessage: is_archived" in "\n".join(
        loud.texts()
    )


def test_an_answer_is_said_where_the_release_is_told_now_when_the_questions_channel_is_gone(
    world: SlackWorld, slack: RecordedSlack
) -> None:
    world.show(views.release_question())
    slack.archived.add(CHANNELS["platform"])
    world.clock.forward(5)
    world.show(approved(views.release_question()))
    (main,) = slack.in_channel("default")
    said = [each.texts()[0] for each in slack.in_channel("default", main.ts)]
    assert said == ["approved by platform-lead: looks well"]


def test_a_question_is_closed_where_it_stands_after_its_owner_got_another_channel(
    world: SlackWorld, slack: RecordedSlack
) -> None:
    world.show(views.release_question())
    (main,) = slack.in_channel("platform")
    (asked,) = slack.in_channel("platform", main.ts)
    world.owner = "web"
    world.clock.forward(5)
    world.show(approved(views.release_question()))
    assert asked.buttons() == {} and asked.texts()[0].endswith("approved by platform-lead")


def test_that_it_went_out_by_mail_is_written_down_once_it_did(
    world: SlackWorld, slack: RecordedSlack
) -> None:
    slack.fail("*", 100, error="invalid_auth")
    world.mail.error = Unavailable("SNS does not answer")
    with pytest.raises(Unavailable):
        world.once(views.release_harmed())
    assert world.timeline.entries(views.ID) == []
    world.mail.error = None
    world.clock.forward(BUSY + 1)
    world.once(views.release_harmed())
    (written,) = world.timeline.entries(views.ID)
    assert written.kind == "not_told" and len(world.mail.got) == 1


@pytest.mark.parametrize("code", ["invalid_auth", "token_revoked", "missing_scope"])
def test_a_slack_that_takes_nothing_is_said_by_mail_and_in_the_timeline_once(
    world: SlackWorld, slack: RecordedSlack, code: str
) -> None:
    slack.fail("*", 100, error=code)
    looks = [world.once(views.release_harmed()) for _ in range(3)]
    # What stands is wrong until somebody has mended it: it comes again.
    assert [each.again for each in looks] == [600.0] * 3
    (mail,) = world.mail.got
    assert mail.title == "backend-api 1.1.0 in production: rolling back; not in Slack"
    assert code in mail.text and "21 of 100 requests failed" in mail.text
    (written,) = world.timeline.entries(views.ID)
    assert written.kind == "not_told" and code in written.reason
    assert TOKEN not in mail.plain() + written.reason
    # Mended, it is told after all.
    slack.up()
    world.clock.forward(601)
    world.show(views.release_harmed())
    assert len(slack.in_channel("default")) == 1


# --- outages and limits


def test_an_outage_fails_nothing_and_all_is_told_after_it_once(
    world: SlackWorld, slack: RecordedSlack
) -> None:
    slack.down(4)
    began = world.clock()
    world.show(views.release_harmed())
    assert [len(slack.in_channel(name)) for name in ("platform", "default")] == [2, 1]
    assert world.clock() - began >= 30 and world.mail.got == []


def test_a_long_outage_is_told_by_mail_meanwhile(world: SlackWorld, slack: RecordedSlack) -> None:
    slack.down(20)
    world.show(views.release_harmed())
    (mail,) = world.mail.got
    assert "Slack answered 503" in mail.text
    assert [len(slack.in_channel(name)) for name in ("platform", "default")] == [2, 1]


def test_retry_after_is_honoured_and_other_channels_do_not_wait(
    world: SlackWorld, slack: RecordedSlack
) -> None:
    slack.fail("chat.postMessage", status=429, retry_after=37, channel=CHANNELS["platform"])
    first = world.once(views.release_harmed())
    assert first.again == 37.0
    assert len(slack.in_channel("default")) == 1 and slack.in_channel("platform") == []
    # Whoever comes meanwhile, for whatever release, waits as well.
    other = replace(views.release_canary(), id="website-1", service="website")
    world.clock.forward(5)
    assert world.once(other).again == pytest.approx(32.0)
    calls = len(slack.calls)
    world.clock.forward(31.9)
    world.once(views.release_harmed())
    assert len(slack.calls) == calls
    world.clock.forward(1)
    world.show(views.release_harmed())
    assert len(slack.in_channel("platform")) == 2


def test_a_channel_that_may_soon_is_not_kept_waiting_by_one_that_may_late(
    world: SlackWorld, slack: RecordedSlack
) -> None:
    slack.fail("chat.postMessage", status=429, retry_after=37, channel=CHANNELS["platform"])
    # Somebody else told everybody just now.
    world.pace.take("default", world.clock())
    first = world.once(views.release_harmed())
    assert first.again == pytest.approx(1.0)
    world.clock.forward(first.again)
    assert world.once(views.release_harmed()).again == pytest.approx(36.0)
    assert len(slack.in_channel("default")) == 1 and slack.in_channel("platform") == []


def test_who_is_asked_to_wait_for_no_time_at_all_comes_again(world: SlackWorld, slack: RecordedSlack) -> None:
    slack.fail("chat.postMessage", status=429, retry_after=0)
    assert world.once(views.release_canary()).again > 0
    world.clock.forward(2)
    world.show(views.release_canary())
    assert len(slack.in_channel("platform")) == 1


def test_a_channel_gets_one_message_a_second_and_the_newest_wins(
    world: SlackWorld, slack: RecordedSlack
) -> None:
    world.show(views.release_canary())
    world.clock.forward(5)
    results = [world.once(replace(views.release_canary(), says=f"says {n}")) for n in range(20)]
    assert slack.methods().count("chat.update") == 1
    assert [bool(each.again) for each in results] == [False, *[True] * 19]
    world.clock.forward(1.0)
    world.once(replace(views.release_canary(), says="the newest"))
    assert slack.methods().count("chat.update") == 2
    assert slack.in_channel("platform")[0].texts()[0].endswith("the newest")


# --- two at once


def test_two_at_once_post_one_message(world: SlackWorld, slack: RecordedSlack) -> None:
    nested: list[Any] = []

    def other() -> None:
        world.between = lambda: None
        nested.append(world.once(views.release_canary()))

    world.between = other
    mine = world.once(views.release_canary())
    assert nested[0].done == ("posted main in platform",) and mine.done == ()
    assert slack.methods() == ["chat.postMessage"]


def test_who_comes_while_another_edits_waits_for_it(world: SlackWorld, slack: RecordedSlack) -> None:
    results: list[Any] = []
    call = world.chat._api.call

    def meanwhile(*arguments: Any) -> Any:
        if not results:
            results.append(world.once(replace(views.release_canary(), says="newer")))
        return call(*arguments)

    world.chat._api.call = meanwhile  # type: ignore[method-assign,assignment]
    world.once(views.release_canary())
    assert results[0].done == ("somebody else is at it",) and results[0].again > 0
    world.clock.forward(results[0].again)
    world.show(replace(views.release_canary(), says="newer"))
    (main,) = slack.in_channel("platform")
    assert main.texts()[0].endswith("newer")


def test_who_dies_in_the_middle_leaves_it_to_the_next_who_says_nothing_twice(
    world: SlackWorld, slack: RecordedSlack
) -> None:
    class Killed(BaseException):
        pass

    count = 0
    call = world.chat._api.call

    def die(*arguments: Any) -> Any:
        nonlocal count
        count += 1
        if count == 2:
            raise Killed
        return call(*arguments)

    world.chat._api.call = die  # type: ignore[method-assign,assignment]
    world.owner = ""
    with pytest.raises(Killed):
        for _ in range(5):
            world.clock.forward(world.once(views.release_harmed()).again)
    world.clock.forward(BUSY + 1)
    world.show(views.release_harmed())
    assert len([each for each in slack.in_channel("default") if "Changed:" in "\n".join(each.texts())]) == 1


# --- trains


def test_a_train_is_one_message_and_its_members_are_told_in_the_thread(
    world: SlackWorld, slack: RecordedSlack
) -> None:
    member = views.release_train_member()
    first = replace(
        views.release_promoted(),
        id="train-20261130-2220-backend",
        train=member.train,
        left=(),
        says="1.1.0 is live",
    )
    world.show(first)
    world.show(entry(member, "held", "held", "the alarm gateway-latency fires", tone="warning"))
    (main,) = slack.in_channel("platform")
    lines = main.texts()[1].splitlines()
    assert main.texts()[0].startswith("Train train-20261130-2220 to production: gateway: held at 10%")
    assert lines[0] == "✓ backend-api: 1.1.0 is live" and lines[1].startswith("! gateway: held at 10%")
    thread = slack.in_channel("platform", main.ts)
    said = [each.texts()[0] for each in thread]
    assert said == [
        "backend-api: promoted by control-plane: 1.1.0 is live in production",
        "gateway: held by control-plane: the alarm gateway-latency fires",
    ]
    assert thread[1].aloud


# --- hostile text, secrets, shapes


@pytest.mark.parametrize("name", [name for name in views.SAMPLES if name.startswith("release-")])
def test_every_sample_is_taken_by_slack_and_text_stays_text(slack: RecordedSlack, name: str) -> None:
    view = views.SAMPLES[name]()
    assert isinstance(view, ReleaseView)
    world = SlackWorld(slack)
    world.show(view)
    assert slack.standing and not [call for call in slack.calls if not call.answer.get("ok", True)]
    for each in slack.standing.values():
        for markup in markup_of(each.body):
            assert markup.startswith(("!date^", "https://console.example/")), markup
        for text in texts_of(each.body):
            assert "\x1b" not in text and "\u202e" not in text


def test_messages_of_any_length_fit(slack: RecordedSlack) -> None:
    long = "x" * 9000
    view = views.release_hostile()
    assert view.question
    many = replace(
        view,
        says=long,
        reason=long,
        holds=tuple(long for _ in range(60)),
        question=replace(view.question, if_yes=long, asks=long, may_answer=(Who(long),) * 30),
    )
    world = SlackWorld(slack)
    done = world.show(many)
    assert not [each for each in done if "refused" in each]


def test_the_secret_has_a_token_webhooks_or_both() -> None:
    both = slack_secret(secret("https://hooks.slack.com"))
    assert both.token == TOKEN and both.channel("web") == CHANNELS["web"]
    assert both.webhook("web") == "https://hooks.slack.com/services/T0/B0/web"
    assert slack_secret("https://hooks.slack.com/services/x\n").webhook("default").endswith("/x")
    with pytest.raises(Misconfigured, match="no channel called data") as refused:
        both.channel("data")
    assert TOKEN not in str(refused.value)
    assert slack_secret('{"token": 3, "channels": []}').channels == {}


def test_what_stands_by_itself_goes_by_the_token_or_by_the_webhook(slack: RecordedSlack) -> None:
    message = Notification("P0 ServiceDown on backend-api in production", "It is down.", "bad")
    api = SlackApi(slack.address)
    for text, method in (
        (secret(), "chat.postMessage"),
        (json.dumps({"web": f"{slack.host}/services/T0/B0/web"}), "webhook"),
    ):
        known = partial(slack_secret, text)
        SlackChannel(known, "web", SlackChat(api, known)).send(message)
        assert slack.calls[-1].method == method
    one, two = slack.in_channel("web")
    assert one.texts() == two.texts() == ["P0 ServiceDown on backend-api in production", "It is down."]


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ({"status": 429, "retry_after": 3}, AskedToWait),
        ({"error": "ratelimited"}, AskedToWait),
        ({"error": "internal_error"}, Unavailable),
        ({"status": 503}, Unavailable),
        ({"error": "msg_too_long"}, Misconfigured),
        ({"error": "channel_not_found"}, Misconfigured),
    ],
)
def test_what_slack_says_is_an_error_of_ours_without_the_token(
    slack: RecordedSlack, how: dict[str, Any], error: type[Exception]
) -> None:
    slack.fail("chat.postMessage", **how)
    chat = SlackChat(SlackApi(slack.address), lambda: slack_secret(secret()))
    with pytest.raises(error) as told:
        chat.send("web", Notification("x", "y"))
    assert TOKEN not in str(told.value)


def test_an_edit_leaves_nothing_of_what_stood_before(slack: RecordedSlack) -> None:
    """Slack keeps the blocks and attachments that an edit leaves out."""
    for view in (views.release_canary(), views.release_question(), views.release_rolled_back()):
        wish = decide_messages(view, Shown(view.id), owner="", link="", now=0.0)
        assert all(
            {"text", "blocks", "attachments"} <= message_body(each.message).keys() for each in wish.messages
        )
    assert {"text", "blocks", "attachments"} <= notification_body(Notification("x", "y")).keys()


@pytest.mark.parametrize(
    ("event", "release"),
    [
        ({"detail-type": "release.judged", "detail": {"release": "api-1", "service": "api"}}, "api-1"),
        ({"detail-type": "Step Functions Execution Status Change", "detail": {"name": "api-1"}}, "api-1"),
        ({"detail": {}}, ""),
        ({"detail": {"release": 3}}, ""),
        ([], ""),
    ],
)
def test_an_event_names_its_release(event: Any, release: str) -> None:
    assert release_named_in(json.dumps(event)) == release


def test_a_call_says_who_it_is_in_a_header_alone(slack: RecordedSlack) -> None:
    SlackChat(SlackApi(slack.address), lambda: slack_secret(secret())).send("web", Notification("x", "y"))
    assert TOKEN not in msgspec.json.encode(slack.calls[-1].arguments).decode()
