"""Two hosts to run the stack on: two network namespaces with a cable, or else one address."""

import contextlib
import ctypes
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CLONE_NEWNET = 0x40000000
SUBNET = "10.231.77"  # exists in the namespaces alone


@dataclass(frozen=True)
class Host:
    """Something that processes run on."""

    address: str
    namespace: str | None = None
    """Also its name; None is the machine itself."""

    @property
    def prefix(self) -> list[str]:
        """What comes before a command that runs there."""
        return ["ip", "netns", "exec", self.namespace] if self.namespace else []

    @property
    def machine_prefix(self) -> list[str]:
        """What comes before a command that has the host's name and sees no process but its own.

        A Ray driver joins the node whose processes it sees; of two nodes, it would join the head.
        """
        if self.namespace is None:
            return []
        alone = ["unshare", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]
        return [*self.prefix, *alone, "sh", "-c", 'hostname "$0" && exec "$@"', self.namespace]

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Make this thread's sockets and child processes those of the host."""
        if self.namespace is None:
            yield
            return
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.namespace}", os.O_RDONLY)
        try:
            _enter(there)
            yield
        finally:
            _enter(here)
            os.close(there)
            os.close(here)


@contextlib.contextmanager
def two_hosts() -> Iterator[tuple[Host, Host]]:
    """Make two hosts that reach each other and nothing else.

    They are network namespaces where this user may make them, else both are 127.0.0.1.
    """
    name = f"assay-{secrets.token_hex(3)}"
    first, second = Host(f"{SUBNET}.1", f"{name}-a"), Host(f"{SUBNET}.2", f"{name}-b")
    with contextlib.ExitStack() as stack:
        if not _may_make_namespaces(stack, first, second):
            yield Host("127.0.0.1"), Host("127.0.0.1")
            return
        cable = ["type", "veth", "peer", "name", "eth0", "netns", second.namespace]
        _ip("-n", first.namespace, "link", "add", "eth0", *cable)
        for host in (first, second):
            _ip("-n", host.namespace, "address", "add", f"{host.address}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                _ip("-n", host.namespace, "link", "set", device, "up")
        for host, other in ((first, second), (second, first)):
            # A process finds its own address by the way out, though neither host passes packets on.
            _ip("-n", host.namespace, "route", "add", "default", "via", other.address)
            # `ip netns exec` puts these in the place of the machine's: no name is asked for.
            names = f"127.0.0.1 localhost\n{host.address} {host.namespace}\n"
            _write_for_namespace(stack, host, {"hosts": names, "resolv.conf": ""})
        yield first, second


def _write_for_namespace(stack: contextlib.ExitStack, host: Host, files: dict[str, str]) -> None:
    folder = Path(f"/etc/netns/{host.namespace}")
    folder.mkdir(parents=True)
    stack.callback(shutil.rmtree, folder)
    for name, text in files.items():
        (folder / name).write_text(text)


def _may_make_namespaces(stack: contextlib.ExitStack, *hosts: Host) -> bool:
    if os.geteuid() != 0 or shutil.which("ip") is None or not Path("/proc/self/ns/net").exists():
        return False
    for host in hosts:
        try:
            _ip("netns", "add", host.namespace)
        except subprocess.CalledProcessError:
            return False
        stack.callback(_ip, "netns", "delete", host.namespace)
    return True


def _ip(*words: str | None) -> None:
    command = ["ip", *(word for word in words if word is not None)]
    subprocess.run(command, check=True, capture_output=True, text=True)


def _enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
