"""What the kernel says of the sandbox that this process is in; a controller compares it with what it asked for."""

import os

_FIELDS = ("CapBnd", "CapEff", "NoNewPrivs", "Seccomp")


def read():
    """Return the facts: capabilities, no-new-privileges, seccomp mode, user, whether the root is read-only, routes."""
    found = {}
    with open("/proc/self/status") as status:
        for line in status:
            name, _, value = line.partition(":")
            if name in _FIELDS:
                found[name] = value.strip()
    found["uid"] = os.getuid()
    found["read_only_root"] = bool(os.statvfs("/").f_flag & os.ST_RDONLY)
    found["routes"] = _routes()
    return found


def _routes():
    """Return how many ways out of this network there are; none where there is no network at all."""
    count = 0
    for name, header in (("route", 1), ("ipv6_route", 0)):
        try:
            with open("/proc/net/" + name) as table:
                rows = table.read().splitlines()[header:]
        except OSError:
            continue
        count += len([row for row in rows if row.split()[-1] != "lo"])
    return count
