"""The Django project: settings, the processes of a service, and what operators run."""

import gc

# The applications consist of some 300,000 objects that stay. Python would look for garbage among them after
# every 700 new ones, which takes a tenth of a process' start.
gc.set_threshold(50_000, 10, 10)
