"""Lists the policies that decide who may open a shared page.

To add a policy: a file with a class, a line here, its tests.

A distribution adds one by an entry point of the group `grokweb.share_policies` (docs/extending.md).
"""

from __future__ import annotations

from chat.sharing.policies.base import Policy
from inference.base.registry import Registry, RegistryError

POLICIES: Registry[type[Policy]] = Registry(
    "grokweb.share_policies",
    {
        "anyone": "chat.sharing.policies.anyone.Anyone",
        "members": "chat.sharing.policies.members.Members",
        "password": "chat.sharing.policies.password.Password",
    },
    noun="share policy",
    required=("label", "fields", "options", "may_open", "questions", "is_right"),
)
DEFAULT = "anyone"


def policies() -> dict[str, Policy]:
    """Returns every policy that can be chosen, by name."""
    return {name: policy() for name, policy in POLICIES.loaded().items()}


def policy_for(name: str) -> Policy:
    """Returns the policy of a share. A name that is no longer in the table, or broken, lets nobody in."""
    try:
        return POLICIES.load(name)()
    except RegistryError:
        return Policy()


def policy_label(name: str) -> str:
    """Returns the policy's label in the reader's language, or its name if it is gone."""
    return str(policy_for(name).label) or name
