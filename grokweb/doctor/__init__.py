"""Checks what an installation depends on (`manage.py doctor`); one line per check says what to do.

To add a check, write a function that returns a CheckResult, and add its line to table.py.
"""
