"""The sandbox that this process is in: what the kernel says of it, and what this process closes of what it leaves open.

A controller compares the first with what it asked for. The second keeps cells, which may run whatever a model has them run, from
the process that they are forked from, from each other, and from what an engine's own seccomp profile lets through.
"""

import ctypes
import os
import signal
import stat
import struct

_FIELDS = ("CapBnd", "CapEff", "NoNewPrivs", "Seccomp")

# Where a control group shows its own limits at its root: version 2, then version 1.
_LIMITS = {
    "memory": ("memory.max", "memory/memory.limit_in_bytes"),
    "processes": ("pids.max", "pids/pids.max"),
    "processors": ("cpu.max", "cpu/cpu.cfs_quota_us"),
}
_NO_LIMIT = 1 << 62

_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2

# Classic BPF over struct seccomp_data (linux/filter.h, linux/seccomp.h, linux/audit.h).
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER_AT, _ARCH_AT, _FIRST_AT = 0, 4, 16
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050001
_X86_64 = 0xC000003E
_X32 = 0x40000000

# System calls of x86-64 (arch/x86/entry/syscalls/syscall_64.tbl).
_REFUSED = {
    # What they make is there for the next cell, and counts against its memory.
    "shmget": 29,
    "semget": 64,
    "msgget": 68,
    "mq_open": 240,
    # It opens sockets, and no filter sees of which family.
    "io_uring_setup": 425,
}
_FIRST_ARGUMENTS = {
    # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: those that a network namespace holds. AF_VSOCK reaches the machine's own host.
    41: (1, 2, 10, 16),  # socket
    # Itself: the limits of the worker are those of the next cell.
    302: (0,),  # prlimit64
}


# What the kernel and the engine have there themselves takes no files; the scratch folder is what may be written.
_OWN = "/ /tmp /dev /proc /sys /etc/hostname /etc/hosts /etc/resolv.conf".split()


def _is_socket(path):
    """Tell whether somebody listens there, as the driver's own service does where there is a GPU; it takes no files."""
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False


def _writable():
    """Return where else a filesystem is mounted that can be written."""
    found = []
    with open("/proc/self/mountinfo") as table:
        for line in table:
            fields, _, kind = line.partition(" - ")
            place, options = fields.split()[4:6]
            if place in _OWN or place.startswith(("/dev/", "/proc/", "/sys/")):
                continue
            is_read_only = "ro" in options.split(",") or "ro" in kind.split()[2].split(",")
            if not is_read_only and not _is_socket(place):
                found.append(place)
    return found


def read():
    """Return the facts: capabilities, privileges, seccomp mode, user, what can be written, routes, what has no limit."""
    found = {"writable": _writable()}
    with open("/proc/self/status") as status:
        for line in status:
            name, _, value = line.partition(":")
            if name in _FIELDS:
                found[name] = value.strip()
    found["uid"] = os.getuid()
    found["read_only_root"] = bool(os.statvfs("/").f_flag & os.ST_RDONLY)
    found["routes"] = _routes()
    found["unlimited"] = [name for name, files in sorted(_LIMITS.items()) if _is_open(files)]
    return found


def _is_open(files):
    """Tell whether the kernel says that there is no limit; a file that is not there says nothing."""
    for name in files:
        try:
            with open("/sys/fs/cgroup/" + name) as limit:
                first = limit.read().split()[0]
        except (OSError, IndexError):
            continue
        return first == "max" or not 0 <= int(first) < _NO_LIMIT
    return False


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


def close():
    """Let no cell look into, stop or change this process, nor use what outlives a cell or leaves the container.

    Raises:
        OSError: the kernel refuses; then nothing may run here.
    """
    # Python's own handler would end the first process of a container at any cell's wish; without it the kernel lets nothing through.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _control(_PR_SET_DUMPABLE, 0)
    # Without it nobody but root may filter; whether the engine has set it was asked before.
    _control(_PR_SET_NO_NEW_PRIVS, 1)
    program = _program()
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *step) for step in program))
    head = ctypes.create_string_buffer(
        struct.pack("<HxxxxxxQ", len(program), ctypes.addressof(code))
    )
    _control(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(head))


def open_own():
    """Give a cell its own files in /proc back, which a process that cannot be looked into has not."""
    _control(_PR_SET_DUMPABLE, 1)


def _control(option, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    words = [ctypes.c_ulong(word) for word in (arguments + (0,) * 4)[:4]]
    if libc.prctl(option, *words):
        error = ctypes.get_errno()
        raise OSError(error, "prctl(%d): %s" % (option, os.strerror(error)))


def _program():
    """Return the filter: the steps (operation, steps to skip if so, if not, operand)."""
    refuse, allow = (_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ALLOW)
    steps = [(_LOAD, 0, 0, _ARCH_AT), (_IF_EQUAL, 1, 0, _X86_64), refuse]
    steps += [(_LOAD, 0, 0, _NUMBER_AT), (_IF_AT_LEAST, 0, 1, _X32), refuse]
    for number in sorted(_REFUSED.values()):
        steps += [(_IF_EQUAL, 0, 1, number), refuse]
    for number, allowed in sorted(_FIRST_ARGUMENTS.items()):
        steps += [(_IF_EQUAL, 0, 2 * len(allowed) + 2, number), (_LOAD, 0, 0, _FIRST_AT)]
        for value in allowed:
            steps += [(_IF_EQUAL, 0, 1, value), allow]
        steps += [refuse]
    return steps + [allow]
