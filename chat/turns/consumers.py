"""The websocket: one method for each frame of docs/protocol.md. It parses, calls one service and answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar
from uuid import UUID

from django.utils import translation
from msgspec import UNSET

from chat.core.errors import ChatError
from chat.core.rate_limiter import ASK, FRAME_BYTES_A_UNIT, READ, rate_limiter
from chat.turns import (
    acknowledgement,
    call_decisions,
    endings,
    events,
    frames,
    idempotency,
    starting,
    stopping,
    visible_tabs,
)
from chat.turns.access import steps_for
from chat.turns.connection import Connection, OverRate, error_for
from chat.turns.event_positions import number_of, place_of
from chat.turns.followed import Followed
from chat.turns.greeting import hello
from chat.turns.hub import hub
from chat.turns.models import LIVE, Generation
from chat.turns.new_conversation import NewConversation
from chat.turns.next_step import has_next, step_id
from chat.turns.outbox import Item, QueuePosition
from chat.turns.question import Question
from chat.turns.reply_options import ReplyOptions
from inference.contract import Kind, Piece
from inference.wire.log import End

Work = Callable[[], Awaitable[None]]


class ChatConsumer(Connection):
    """Serves one tab of one person: carries out its frames, and sends what it follows."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.watching: dict[str, Followed] = {}  # by generation id
        self.last_event: int | None = None  # number of the last control event that came
        self.writable: bool | None = None  # whether messages can be stored, as the page has it
        self.storage_changed = False  # since the page heard of it
        self.models_changed = False  # whether the page must still hear that the states of models changed

    # --- in -----------------------------------------------------------------------------------------------

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.pump is None:
            return  # on its way out
        try:
            await self.pay(READ + len(text_data or bytes_data or "") // FRAME_BYTES_A_UNIT)
            with translation.override(self.language):
                frame = frames.parse(text_data)
                work = self.handlers[type(frame)](self, frame)  # checks everything that needs no database
            if isinstance(frame, frames.Send | frames.Regenerate | frames.Continue):
                await self.pay(ASK * (2 if isinstance(frame, frames.Send) and frame.also else 1))
            await work()
        except OverRate as error:
            await self._send_error(error, text_data)
            # Nothing is read from this socket meanwhile: its frames wait with their sender.
            await asyncio.sleep(rate_limiter().backoff(self.person))
        except ChatError as error:
            await self._send_error(error, text_data)
        except Exception as error:  # noqa: BLE001 - error_for logs it whole
            with translation.override(self.language):
                await self._send_error(error_for(error), text_data)

    def on_send(self, frame: frames.Send) -> Work:
        idempotency.check_client_id(frame.client_id)
        store = partial(
            starting.send,
            user=self.user,
            conversation_id=frame.conversation,
            parent_id=frame.parent,
            question=Question(frame.content, frame.files or ()),
            client_id=frame.client_id,
            options=ReplyOptions.parse(frame.params),
            start=NewConversation.parse(frame.start),
            also=frame.also,
        )
        return partial(self._start_turn, frame, store)

    def on_regenerate(self, frame: frames.Regenerate) -> Work:
        idempotency.check_client_id(frame.client_id)
        store = partial(
            starting.regenerate,
            user=self.user,
            message_id=frame.message_id,
            client_id=frame.client_id,
            options=ReplyOptions.parse(frame.params),
        )
        return partial(self._start_turn, frame, store)

    def on_continue(self, frame: frames.Continue) -> Work:
        idempotency.check_client_id(frame.client_id)
        store = partial(
            starting.continue_reply, user=self.user, message_id=frame.message_id, client_id=frame.client_id
        )
        return partial(self._start_turn, frame, store)

    def on_resume(self, frame: frames.Resume) -> Work:
        return partial(self._resume, frame.message_id, frame.after, frame.run)

    def on_decide(self, frame: frames.Decide) -> Work:
        return partial(self._decide, frame.call, frame.allow)

    def on_stop(self, frame: frames.Stop) -> Work:
        return partial(self.with_rights, partial(stopping.stop, user=self.user, message_id=frame.message_id))

    def on_visible(self, frame: frames.Visible) -> Work:
        return partial(
            self.in_thread, partial(visible_tabs.note, self.user.pk, self.channel_name, frame.visible)
        )

    handlers: ClassVar[dict[type[frames.FrameIn], Callable[[ChatConsumer, Any], Work]]] = {
        frames.Send: on_send,
        frames.Regenerate: on_regenerate,
        frames.Continue: on_continue,
        frames.Resume: on_resume,
        frames.Stop: on_stop,
        frames.Decide: on_decide,
        frames.Visible: on_visible,
    }

    async def _start_turn(self, frame: frames.FrameIn, store: Callable[[], idempotency.Turn]) -> None:
        """Stores, acknowledges after the commit, follows the replies, tells the person's other tabs."""
        turn, ack, number = await self.with_rights(partial(acknowledgement.store, store, ref=frame.ref))
        await self.send_frame(ack)
        if not turn.is_new:  # it may have more steps by now
            for generation in turn.generations:
                await self._resume(generation.message_id, 0, 0)
            return
        for generation in turn.generations:
            await self._follow([generation], 0)
        changes = acknowledgement.changes(ack)
        await events.publish(self.user.pk, *changes, number=number, without_channel=self.channel_name)

    async def _resume(self, message_id: UUID, after: int, run: int) -> None:
        steps = await self.with_rights(partial(steps_for, self.user, message_id))
        await self._follow(steps, after, run)

    async def _decide(self, call: UUID, allow: bool) -> None:
        """Answers with the call's state where another tab has decided before."""
        state = await self.with_rights(
            partial(call_decisions.decide, user=self.user, call_id=call, allow=allow)
        )
        if state is not None:
            await self.send_frame(state)

    async def _follow(self, steps: list[Generation], after: int, run: int = 0) -> None:
        """A live step is answered from its log, a settled reply from its rows (rule 3)."""
        last = steps[-1]
        if last.status in LIVE:
            key = str(last.pk)
            self.watching[key] = Followed(str(last.message_id), str(steps[0].pk), last.step, last.model)
            step, tokens = place_of(after)
            if last.step:
                for frame in await self.in_thread(partial(endings.frames_of_earlier_steps, steps, after)):
                    await self.send_frame(frame)
            held = tokens if step == last.step else 0
            hub().watch(self.outbox, key, last.model, held, run, last.step)
            return
        for frame in await self.in_thread(partial(endings.settled_frames, steps)):
            await self.send_frame(frame)

    # --- out ----------------------------------------------------------------------------------------------

    async def say_hello(self) -> None:
        frame = await self.in_thread(partial(hello, self.user))
        self.last_event, self.writable = frame.event_number, frame.writable
        await self.send_frame(frame)

    async def send_waiting(self) -> None:
        if self.storage_changed:
            self.storage_changed = False
            await self.send_frame(frames.Storage(writable=bool(self.writable)))
        if self.models_changed:
            self.models_changed = False
            await self.send_frame(frames.ModelsChanged())
        for generation_id, item in self.outbox.take():
            followed = self.watching.get(generation_id)
            if followed is not None:
                await self._send_item(followed, generation_id, item)

    async def _send_item(self, followed: Followed, generation_id: str, item: Item) -> None:
        message_id = followed.message_id
        if isinstance(item, End) and has_next(item.reason, followed.step):
            await self._follow_next_step(followed, generation_id, item)
            return
        if isinstance(item, Piece):
            frame: frames.FrameOut = frames.Token(
                message_id=message_id,
                generation_id=followed.reply_id,
                after=number_of(followed.step, item.after),
                seq=number_of(followed.step, item.seq),
                text=item.text,
                kind=UNSET if item.kind is Kind.TEXT else item.kind,
                run=item.run or UNSET,
                duration_ms=item.duration_ms or UNSET,
            )
        elif isinstance(item, QueuePosition):
            frame = frames.Queued(message_id=message_id, position=item.position, estimate=item.estimate)
        else:
            del self.watching[generation_id]
            frame = await self.in_thread(partial(endings.done_from_log, followed, generation_id, item))
        await self.send_frame(frame)

    async def _follow_next_step(self, followed: Followed, generation_id: str, end: End) -> None:
        """Follows the step after one that called tools; its settlement stores it, perhaps a moment later."""
        del self.watching[generation_id]
        await self.send_frame(endings.border_frame(followed, end))
        key = str(step_id(UUID(followed.reply_id), followed.step + 1))
        self.watching[key] = replace(followed, step=followed.step + 1)
        hub().watch(self.outbox, key, followed.model, 0, end.run, followed.step + 1)

    async def _send_error(self, error: ChatError, text: str | None) -> None:
        await self.send_frame(frames.Error.of(error, frames.echo_of(text)))

    # --- events of other tabs and of staff ----------------------------------------------------------------

    async def tab_frames(self, event: dict[str, Any]) -> None:
        """Frames for all tabs of this person but one, encoded already."""
        number = event["number"]
        if number is not None and self.last_event is not None:
            if number > self.last_event + 1:
                await self.send_frame(frames.Missed())
            self.last_event = max(self.last_event, number)
        if event["without"] != self.channel_name:
            for text in event["frames"]:
                await self.send_text(text)

    async def tab_close(self, event: dict[str, Any]) -> None:
        await self.close(event["code"])

    async def tab_check_session(self, event: dict[str, Any]) -> None:
        await self.close_if_session_ended()

    async def catch_up(self, number: int) -> None:
        """Called by the socket monitor: events up to this number were published, and those that have not come
        by now are lost."""
        missed = self.last_event is not None and self.last_event < number
        self.last_event = number  # lower than before when Redis has forgotten it
        if missed:
            await self.send_frame(frames.Missed())

    async def note_storage(self, writable: bool) -> None:
        """Called by the socket monitor: whether messages can be stored. The pump sends it, for a send may
        wait for a client that does not read, and the monitor must not."""
        if self.writable is not None and writable != self.writable:
            self.writable, self.storage_changed = writable, True
            self.outbox.ready.set()

    async def note_models(self) -> None:
        """Called by the socket monitor: some model began or ceased to answer."""
        self.models_changed = True
        self.outbox.ready.set()
