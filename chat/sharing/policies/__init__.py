"""Who may open a shared page. To add a policy: a file with a class, a line here, its tests."""

from __future__ import annotations

import functools

from django.utils.module_loading import import_string

from chat.sharing.policies.base import Policy

POLICIES = {
    "anyone": "chat.sharing.policies.anyone.Anyone",
    "members": "chat.sharing.policies.members.Members",
}


@functools.cache
def policy_for(name: str) -> Policy:
    """A name that is no longer in the table lets nobody in."""
    path = POLICIES.get(name, "chat.sharing.policies.base.Policy")
    policy: Policy = import_string(path)()
    return policy
