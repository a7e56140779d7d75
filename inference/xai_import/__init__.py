"""Converts xAI's release of Grok-1 (770 pickles) into a model folder, without unpickling anything.

From the ground up: constants.py (sizes), unpickle.py (where the arrays of one file lie), child.py
and reader.py (the process that looks), layout.py (which file becomes which tensor), checkpoint.py (the
release's folder), convert.py (bytes to bytes), safefile.py (the format written), outfolder.py (the folder
written, resumable), progress.py, importer.py (the whole). Needs numpy; neither torch nor transformers, whose
import alone takes more memory than any of this.
"""
