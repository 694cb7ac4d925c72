"""Node.js, which runs the tests of JavaScript modules."""

import shutil
import subprocess

_OLDEST_NODE = 20  # the first with a test runner that is stable


def missing_node() -> str:
    """Why the modules cannot be tested, or an empty string."""
    if shutil.which("node") is None:
        return "Node.js is not installed (apt-get install nodejs)"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    major = int(version.removeprefix("v").split(".")[0])
    return "" if major >= _OLDEST_NODE else f"found Node.js {version}, expected {_OLDEST_NODE} or later"
