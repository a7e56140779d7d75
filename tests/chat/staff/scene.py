"""Builds something to look at in every list of the admin."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from chat.conversations.models import Conversation
from chat.model_cards.models import ModelCard
from chat.moderation import deciding, reporting
from chat.moderation.models import Rule
from chat.quotas import services as quotas
from chat.quotas.models import QuotaPolicy
from chat.sharing.copying import store_copy
from chat.sharing.models import Share
from chat.turns.models import Generation, Status
from tests.chat.cast import Cast

SECRET = "alice's <script>secret</script> soup"


class Scene:
    """Something to look at in every list."""

    def __init__(self, cast: Cast, model_card: ModelCard) -> None:
        self.conversation = Conversation.objects.create(
            owner=cast.alice, model=model_card, title="Alice's soup"
        )
        self.asked = self.conversation.messages.create(role="user", author=cast.alice, text=SECRET)
        self.reply = self.conversation.messages.create(role="assistant", parent=self.asked, text="Hot & good")
        self.generation = Generation.objects.create(
            message=self.reply, user=cast.alice, model="scripted", seed=1, status=Status.COMPLETE
        )
        snapshot = [{"id": str(self.reply.pk), "role": "assistant", "text": self.reply.text}]
        self.share = store_copy(
            Share(conversation=self.conversation, owner=cast.alice, title="Soup"), snapshot
        )
        self.report = reporting.report_message(
            reporter=cast.alice, message=self.reply, reason="harmful", note="burnt"
        )
        self.shared_report = reporting.report_share(
            reporter=None, share_id=self.share.pk, text="Hot & good", author=cast.alice, reason="other"
        )
        deciding.decide(report=self.shared_report, by=cast.staff, action="dismissed")
        self.rule = Rule.objects.create(name="fish", options={"pattern": "fish"})
        self.policy = QuotaPolicy.objects.create(user=cast.alice, tokens_per_day=1000)
        quotas.reserve(
            user=cast.alice,
            allowance=quotas.open_today(cast.alice),
            generation_id=uuid4(),
            model="scripted",
            prompt_tokens=1,
            max_new_tokens=20,
        )


def page_of(obj: Any, *more: str) -> str:
    return "/".join([f"/admin/{obj._meta.app_label}/{obj._meta.model_name}/{obj.pk}", *more]) + "/"
