"""Become another program that dies with its parent: `leash.py PARENT SIGNAL UID GID PROGRAM ARGUMENT…`.

Run as a script of its own because the three steps have an order (the kernel forgets the signal when the user changes),
and because `preexec_fn` is not safe in a program with threads. UID and GID are -1 where the user stays.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, signal: int, uid: int, gid: int, program: list[str]) -> None:
    """Drop to the user, tie this process to the parent, become the program."""
    if uid >= 0:
        os.setgroups([gid])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the parent is already gone")
    os.execv(program[0], program)


if __name__ == "__main__":
    parent, signal, uid, gid = map(int, sys.argv[1:5])
    main(parent, signal, uid, gid, sys.argv[5:])
