"""Signals to the apps to the right, sent after commit.

`conversation_settings_changed(conversation)`: turns sends the new settings to the owner's open pages.
"""

from django.dispatch import Signal

conversation_settings_changed = Signal()
