"""Reads, changes and describes `models.toml`, which lists the models that `manage.py up` serves."""
