# SPDX-License-Identifier: MIT
"""What the numbers were measured on."""

import os
import platform
import re
import subprocess


def _cpu_model():
    try:
        with open("/proc/cpuinfo") as file:
            return re.search(r"^model name\s*:\s*(.*)$", file.read(), re.M).group(1)
    except (OSError, AttributeError):
        return platform.machine()


def cpu_id():
    """Of the processor, for a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", _cpu_model().lower()).strip("-") + f"-x{os.cpu_count()}"


def describe():
    virtual = ""
    try:
        with open("/proc/cpuinfo") as file:
            virtual = " (virtual)" if "hypervisor" in file.read() else ""
    except OSError:
        pass
    return f"{os.cpu_count()} x {_cpu_model()}{virtual}, {platform.system()} {platform.release()}"


def compiler(build):
    """Its first line of --version, and a short name of it; from the build folder's cache."""
    cache = (build / "CMakeCache.txt").read_text()
    path = re.search(r"^CMAKE_CXX_COMPILER:\w+=(.*)$", cache, re.M).group(1)
    line = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    version = re.search(r"\d+\.\d+", re.sub(r"\(.*?\)", "", line)).group(0)
    return line, ("clang-" if "clang" in line else "gcc-") + version
