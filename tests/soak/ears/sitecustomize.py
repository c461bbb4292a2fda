"""Hears in every Python process that has this folder in PYTHONPATH what it connects to.

Python imports it before anything else. A line a thing that happened is appended to the
file that `SOAK_EARS` names: JSON of event, address and the places in the code.
"""

import json
import os
import socket
import sys

_INET = (socket.AF_INET, socket.AF_INET6)
_NAMES = (
    "socket.getaddrinfo",
    "socket.gethostbyaddr",
    "socket.gethostbyname",
    "urllib.Request",
)
_CALLS = tuple(
    f"socket.{name}" for name in ("__new__", "connect", "bind", "sendto", "sendmsg")
)


def _address(event, args):
    """What is connected to; None for what stays in this computer's files."""
    if event in _NAMES:
        return str(args[0]) or "this computer"
    if event not in _CALLS or args[0].family not in _INET:
        return None
    return "no address yet" if event == "socket.__new__" else str(args[1])


def _places():
    """Innermost files and lines that are not Python's own."""
    frame, places = sys._getframe(2), []
    while frame is not None and len(places) < 4:
        name = frame.f_code.co_filename
        if "/lib/python3" not in name or "-packages/" in name:
            places.append(f"{name.rpartition('-packages/')[2]}:{frame.f_lineno}")
        frame = frame.f_back
    return places


def _hear(event, args):
    address = _address(event, args)
    if address is not None:
        line = json.dumps([event, address, _places()]) + "\n"
        os.write(_FILE, line.encode())


if "SOAK_EARS" in os.environ:
    _FILE = os.open(os.environ["SOAK_EARS"], os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    sys.addaudithook(_hear)
