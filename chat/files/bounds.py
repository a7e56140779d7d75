"""Limits what reading one file may use (child.py), and how much text may come out."""

MEMORY = 512 << 20  # address space, of which the interpreter with pypdf uses about 60 MB
CPU_SECONDS = 30
TEXT_CHARS = 1_000_000
PAGES = 2_000

IMAGE_MEMORY = 1 << 30  # a decoded pixel takes four bytes, and a conversion has two copies for a moment
PIXELS = 64_000_000  # of an image, before it is unpacked; cameras of phones have up to about 50 million
IMAGE_SIDE = 1_568  # pixels; the longest side that models read without making an image smaller once more
IMAGE_BYTES = 512 << 10  # of an image as it is stored and sent to a model
