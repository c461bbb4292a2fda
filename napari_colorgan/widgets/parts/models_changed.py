"""What all pickers of all viewers hear when the user's models have changed."""

from psygnal import SignalInstance

models_changed = SignalInstance((str, str), name="models_changed")
"""Emitted in the GUI thread: the old and the new name of a model.

The old one is empty for a model that is new or was made anew, the new one for a model
that is gone. Docks disconnect from it when they are closed.
"""
