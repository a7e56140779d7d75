class Refused(Exception):
    """A file cannot be read; the argument is a key of words.py."""
