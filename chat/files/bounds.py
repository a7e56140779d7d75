"""Limits what reading one file may use (child.py), and how much text may come out."""

MEMORY = 512 << 20  # address space, of which the interpreter with pypdf uses about 60 MB
CPU_SECONDS = 30
TEXT_CHARS = 1_000_000
PAGES = 2_000
