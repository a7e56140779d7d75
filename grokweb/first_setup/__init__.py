"""Leads the first administrator through what a new installation needs: the setup page and `manage.py setup`.

servers.py looks for models on this machine, choices.py carries out what is chosen, model_state.py says what
becomes of the model, missing.py what is still to do; views.py shows all of it.
"""
