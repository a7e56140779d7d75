"""xAI's release of Grok-1 (770 pickles) -> a model folder, without ever unpickling anything.

From the ground up: constants.py (sizes), unpickle.py (where the arrays of one file lie), confine.py and
reader.py (the process that looks), checkpoint.py (the folder of the release), layout.py (which file becomes
which tensor), convert.py (bytes to bytes), safefile.py (the format written), target.py (the folder written,
resumable), progress.py, importer.py (the whole). Needs numpy; neither torch nor transformers, whose import
alone takes more memory than any of this.
"""
