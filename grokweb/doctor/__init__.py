"""`manage.py doctor`: looks at what an installation rests on, and says what to do. One check, one line.

To add a check: a function that returns a Finding, and its line in table.py.
"""
