"""Importing, encoding, decoding, serving and playing need nothing that macOS lacks."""

import textwrap
from pathlib import Path

import pytest

from support.command import TINY
from support.video import run_child

_MACOS = """
    import fcntl, os, select, signal, socket, sys

    LINUX = {
        os: (
            "O_DIRECT", "O_LARGEFILE", "O_NOATIME", "O_PATH", "O_RSYNC", "O_TMPFILE", "copy_file_range",
            "eventfd", "fdatasync", "getrandom", "getresuid", "getxattr", "listxattr", "memfd_create",
            "pidfd_open", "pipe2", "posix_fadvise", "posix_fallocate", "removexattr", "sched_getaffinity",
            "sched_getparam", "sched_getscheduler", "sched_setaffinity", "sched_setscheduler", "setns",
            "setxattr", "splice", "unshare",
        ),
        signal: ("SIGPWR", "SIGRTMAX", "SIGRTMIN", "SIGSTKFLT", "pidfd_send_signal", "sigtimedwait"),
        select: ("epoll",),
        socket: ("AF_NETLINK", "AF_PACKET", "SOCK_CLOEXEC", "SOCK_NONBLOCK", "SO_PEERCRED", "TCP_QUICKACK"),
        fcntl: ("F_GETPIPE_SZ", "F_OFD_SETLK", "F_SETPIPE_SZ"),
    }
    for module, names in LINUX.items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)

    def no_proc(event, arguments):
        if event == "open" and str(arguments[0]).startswith(("/proc/", "/sys/")):
            raise FileNotFoundError(2, "No such file or directory", arguments[0])

    sys.addaudithook(no_proc)
"""
_EVERYTHING = """
    import importlib, pkgutil
    import dynerf, dynerf_decoder, dynerf_encoder, dynerf_format, dynerf_player
    from dynerf.cli.main import main
    from dynerf.commands import play, serve

    for package in (dynerf, dynerf_decoder, dynerf_encoder, dynerf_format, dynerf_player):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if "triton" not in module.name and not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    capture, folder, *tiny = sys.argv[1:]
    clip = f"{folder}/a.dnv"
    serve.say = play.say = lambda text: os.kill(os.getpid(), signal.SIGINT)
    print(main(["encode", capture, "-o", clip, *tiny, "--set", "schedule.scale=0.01"]))
    print(main(["decode", clip, "-o", f"{folder}/a.mp4", "--frames", "0:2", "--device", "cpu"]))
    print(main(["serve", clip, "--port", "0", "--device", "cpu"]))
    print(main(["play", clip, "--no-browser", "--device", "cpu"]))
"""


@pytest.mark.skipif("sys.platform != 'linux'", reason="removes what only Linux has")
def test_what_only_linux_has_is_not_needed(scene: Path, out: Path) -> None:
    tiny = [
        word for word, before in zip(TINY, ("", *TINY), strict=False) if "--threads" not in (word, before)
    ]
    ran = run_child(textwrap.dedent(_MACOS) + textwrap.dedent(_EVERYTHING), scene, out, *tiny)
    assert (ran.returncode, ran.stdout.split()) == (0, ["0", "0", "0", "0"]), ran.stderr
