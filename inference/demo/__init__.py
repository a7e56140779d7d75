"""The demo model: its weights, what it was trained on, and how."""
