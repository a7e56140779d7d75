"""Leads the first administrator through what a new installation needs: the setup page and `manage.py setup`.

servers.py looks for models on this machine. What is chosen is carried out by model_choice.py (model_keys.py
says which key may go where), stored_settings.py and mail.py. model_state.py says what becomes of the model,
missing.py what is still to do. views.py answers: steps.py reads the forms, page.py shows all of it.
"""
