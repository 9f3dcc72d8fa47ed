"""Refuse every network connection that leaves this machine (see ``offline``)."""

import sys

_EVENTS = {"socket.connect", "socket.sendto", "socket.sendmsg"}
_LOOKUPS = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}
_HERE = {"localhost", "::1", "::", "0.0.0.0", "", None}


def _local(host):
    if isinstance(host, (bytes, bytearray)):
        host = bytes(host).decode("ascii", "replace")
    return host in _HERE or host.startswith(("127.", "::ffff:127."))


def _refuse_the_outside(event, args):
    if event in _EVENTS:
        address = args[1]
        # unix sockets have a path for an address, a connected sendmsg has none
        outside = isinstance(address, tuple) and not _local(address[0])
    elif event in _LOOKUPS:
        outside = not _local(args[0])
        address = args[0]
    else:
        return
    if outside:
        raise ConnectionRefusedError(f"the lab works offline: no connection to {address!r}")


if not getattr(sys, "_ethicalai_lab_offline", False):
    sys._ethicalai_lab_offline = True
    sys.addaudithook(_refuse_the_outside)
