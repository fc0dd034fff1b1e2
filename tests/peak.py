"""The most memory that this process has held."""

import resource
import sys


def peak_bytes() -> int:
    """Resident bytes at their highest."""
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Not ru_maxrss, which on Linux begins with the size of whoever started this process.
    with open("/proc/self/status") as file:
        (line,) = [line for line in file if line.startswith("VmHWM")]
    return 1024 * int(line.split()[1])
