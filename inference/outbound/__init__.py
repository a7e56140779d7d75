"""Adapters that give libraries with a client of their own the protection of `inference.base.outbound`."""
