"""Labels for sentences."""

from magicgui.widgets import Label
from qtpy.QtWidgets import QSizePolicy


def wrap(label: Label) -> Label:
    """Make a label as wide as the dock and as high as its text takes; return it."""
    label.native.setWordWrap(True)
    policy = QSizePolicy.Policy
    label.native.setSizePolicy(policy.Ignored, policy.Minimum)
    return label


def say(label: Label, text: str) -> None:
    """Show a text, or nothing."""
    if label.value != text:
        label.value = text
    if label.visible != bool(text):
        label.visible = bool(text)
