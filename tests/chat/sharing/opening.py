"""Makes shared links and opens them."""

from __future__ import annotations

from typing import Any

from chat.accounts.models import User
from chat.sharing import copying
from chat.sharing.models import Share
from tests.chat.cast import Cast
from tests.chat.conversations.building import talk


def shared(owner: User, *texts: str, **choices: Any) -> Share:
    conversation = talk(owner, *texts, title=choices.pop("title", "A talk"))
    return copying.create_share(conversation=conversation, owner=owner, **choices)


def opened(cast: Cast, share: Share, who: str = "anonymous") -> Any:
    return cast.client(who).get(share.get_absolute_url())
