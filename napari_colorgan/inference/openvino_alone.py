"""OpenVINO without what tells its maker of its use.

Its import and its `convert_model` make the folder `intel` in the user's home, with a
number for this user, and send this number and events to Google Analytics; nobody is
asked, and it happens in a process of its own.
"""

import sys
from importlib import import_module
from typing import Any

_TELEMETRY = "openvino_telemetry"


def import_openvino() -> Any:
    """Import OpenVINO, and let nothing of it send anything from this process.

    Raises
    ------
    ImportError
        It is not installed, or cannot be kept from sending.
    """
    absent = _TELEMETRY not in sys.modules
    if absent:  # OpenVINO does without it
        sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
    try:
        import openvino

        stub = import_module("openvino.tools.ovc.telemetry_stub")
        import_module("openvino.tools.ovc.convert_impl")  # it would tell of each model
    finally:
        if absent:
            del sys.modules[_TELEMETRY]
    for name, module in list(sys.modules.items()):  # somebody may have imported it
        if name.startswith("openvino.tools.") and "tm" in vars(module):
            vars(module)["tm"] = stub
    return openvino
