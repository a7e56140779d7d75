"""Backups of a whole installation, their restore, and the move from SQLite to PostgreSQL."""
