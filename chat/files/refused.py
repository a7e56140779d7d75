class Refused(Exception):
    """Raised when a file cannot be read; the argument is a key of words.py."""
