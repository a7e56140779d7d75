"""News that any app may send and the project listens to.

`text_erased`: text that people wrote was overwritten or removed without a row being deleted. Sent inside the
transaction; grokweb/erasure.py clears what is left of it in other files after the commit.
"""

from django.dispatch import Signal

text_erased = Signal()
