"""The request that a model worker gets for one attempt of a reply (inference/contract.py)."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
from uuid import UUID

from django.conf import settings

from chat.files.prompt_images import read_images
from chat.moderation import blocking
from chat.quotas import services as quotas
from chat.tools import services as tools
from chat.turns import model_titles
from chat.turns.continued_thought import continued_thought
from chat.turns.models import MOST_STEPS, Generation
from chat.turns.prompts import Prompt, prompt_for
from inference.contract import GenerationRequest, ReplyRule

HOLD_BACK = 64  # characters kept unshown while reply rules are active: the longest match that is hidden whole


def request_for(
    generation: Generation, messages: Prompt | None = None, terms: quotas.Terms | None = None
) -> GenerationRequest:
    """Returns the contract for one attempt; the same row and branch give the same request.

    Raises ValueError for a row that no worker could run.
    """
    return with_images(request_without_images(generation, messages, terms))


def with_images(request: GenerationRequest) -> GenerationRequest:
    """Returns the request with the images that its messages name, read from the store of files: not within a
    transaction, which would hold its locks as long."""
    images = read_images(request.messages)
    return dataclasses.replace(request, images=images) if images else request


def request_without_images(
    generation: Generation, messages: Prompt | None = None, terms: quotas.Terms | None = None
) -> GenerationRequest:
    """Returns the same request as request_for, for `with_images` to complete after the commit."""
    message = generation.message
    if messages is None:
        messages = prompt_for(generation).messages
    terms = terms or quotas.terms_for(generation.user)
    rules = tuple(ReplyRule(**rule) for rule in blocking.reply_rules())
    return GenerationRequest(
        generation_id=str(generation.pk),
        attempt=generation.attempt,
        model=generation.model,
        messages=tuple(messages),
        max_new_tokens=generation.parameters.max_new_tokens,
        seed=generation.seed,
        sampling=generation.parameters.sampling(),
        user_key=opaque("user", generation.user_id),
        cache_key=opaque("conversation", message.conversation_id),
        weight=terms.weight,
        running_limit=terms.running_limit,
        estimate=generation.reserved,
        strikes=generation.strikes,
        rules=rules,
        hold_back=HOLD_BACK if rules else 0,
        title=model_titles.is_wanted(message),
        run=generation.run,
        tools=tools.described(generation.parameters.tools),
        may_call=generation.step + 1 < MOST_STEPS or not generation.parameters.tools,
        effort=generation.parameters.effort,
        thought=continued_thought(generation),
        context_limit=generation.parameters.context_limit,
    )


def opaque(kind: str, pk: UUID) -> str:
    """Returns the HMAC that inference gets in place of an id of ours."""
    digest = hmac.new(settings.SECRET_KEY.encode(), f"{kind}:{pk.hex}".encode(), hashlib.sha256)
    return digest.hexdigest()[:32]
