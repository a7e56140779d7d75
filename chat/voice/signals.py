"""News for the apps to the right, after commit.

`manner_changed(conversation)`: turns tells the owner's open pages.
"""

from django.dispatch import Signal

manner_changed = Signal()
