"""Runs one program within limits of the kernel. Started by `sandbox.py` as a script, with nothing else imported.

python -I launcher.py UID SECONDS MEBIBYTES FILE_BYTES PROCESSES PROGRAM
"""

import os
import resource
import runpy
import sys


def main() -> None:
    """Give up rights, set limits, run."""
    uid, seconds, mebibytes, file_bytes, processes = (int(argument) for argument in sys.argv[1:6])
    program = sys.argv[6]
    if uid:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    for limit, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, mebibytes << 20),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    sys.argv = [program]
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
