"""Fetches models by name from a Hugging Face hub, into folders of the data directory.

    from inference.hub.fetching import fetch
    folder = fetch("hf:ibm-granite/granite-3.1-1b-a400m-instruct")

fetching.py plans, transfers, checks and places a folder; names.py reads names; client.py asks the hub.
"""
