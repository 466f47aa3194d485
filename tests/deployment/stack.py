"""The parts of docker/compose.yaml as processes: by its own scripts, on two hosts, on free ports.

PostgreSQL, MLflow, the S3 server and Ray's head share the first host; the second has the worker.
"""

import contextlib
import os
import pwd
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from assay.cluster.drills.ports import free_ports
from tests.deployment.network import Host, two_hosts
from tests.end_to_end.ray_head import ROOT

START_SECONDS = 240
DRIVER = '{"driver": 1}'
"""A resource of the worker alone, as of the driver's node in cluster.yaml."""


@dataclass(frozen=True)
class Stack:
    """The running stack and the ways to it."""

    hosts: tuple[Host, Host]
    folder: Path
    """Of this stack: `secrets/`, `runs/` (the run store), `logs/`, homes, Ray's session folders."""
    ray: str
    """URL of the dashboard, on the first host."""
    mlflow: str
    """URL of the server, on the first host."""
    s3: str
    """URL of the S3 server, on the first host's 127.0.0.1."""
    postgres: int
    """Port of PostgreSQL on the first host."""

    def secret(self, name: str) -> str:
        """Return one of the stack's secrets."""
        return (self.folder / "secrets" / name).read_text()

    def submit(self, command: str, seconds: float) -> subprocess.CompletedProcess[str]:
        """Submit a job from the repository with the command line; wait for its end."""
        words = [
            "ray", "job", "submit", f"--address={self.ray}", f"--working-dir={ROOT}",
            f"--entrypoint-resources={DRIVER}", "--", *shlex.split(command),
        ]  # fmt: skip
        token = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": f"{self.folder}/secrets/ray_token",
        }
        return subprocess.run(
            [*self.hosts[0].prefix, *words],
            env=environment_of(self.folder / "home-user", token),
            capture_output=True,
            text=True,
            timeout=seconds,
        )

    def status_of(self, url: str, **headers: str) -> int:
        """Return the HTTP status of a request from the first host."""
        request = urllib.request.Request(url, headers=headers)
        with self.hosts[0].entered():
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return answer.status
            except urllib.error.HTTPError as error:
                return error.code


def missing_programs() -> str | None:
    """Return what of the machine's programs the stack lacks, as a sentence, or None."""
    if postgres_programs() is None:
        return "PostgreSQL's programs are not here: apt-get install postgresql"
    if shutil.which("psql") is None:
        return "psql is not here: apt-get install postgresql-client"
    return None


def postgres_programs() -> Path | None:
    """Return the folder of `initdb` and `postgres`: on the path, or where Debian puts them."""
    found = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name)
    candidates = [Path(found).parent] if found else folders[::-1]
    return next((path for path in candidates if (path / "initdb").exists()), None)


@contextlib.contextmanager
def running_stack(cache: Path) -> Iterator[Stack]:
    """Start everything in the order of compose.yaml, each when what it needs is up; end it after.

    Args:
        cache: The data sets' folder, which every node sees.
    """
    # Ray puts sockets below its folder, whose names may have 107 bytes: pytest's are too long.
    folder = Path(tempfile.mkdtemp(prefix="assay-"))
    folder.chmod(0o755)  # PostgreSQL runs as another user, in a folder of its own below
    (folder / "logs").mkdir()
    try:
        with two_hosts() as hosts, contextlib.ExitStack() as started:
            postgres, s3, mlflow, dashboard, gcs = free_ports(5)
            stack = Stack(
                hosts=hosts,
                folder=folder,
                ray=f"http://{hosts[0].address}:{dashboard}",
                mlflow=f"http://{hosts[0].address}:{mlflow}",
                s3=f"http://127.0.0.1:{s3}",
                postgres=postgres,
            )
            subprocess.run([ROOT / "docker" / "secrets.sh", folder / "secrets"], check=True)
            _start_postgres(stack, started)
            _start_s3_and_mlflow(stack, started)
            _start_ray(stack, started, gcs, cache)
            yield stack
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start_postgres(stack: Stack, started: contextlib.ExitStack) -> None:
    programs = postgres_programs()
    assert programs is not None
    data = stack.folder / "postgres"
    data.mkdir(mode=0o700)
    password = data / "password"
    password.write_text(stack.secret("postgres_password"))
    other = _postgres_user(data, password)
    initdb = [programs / "initdb", f"--pgdata={data}/data", "--username=postgres"]
    initdb += [f"--pwfile={password}", "--auth=scram-sha-256"]
    subprocess.run([*other, *initdb], check=True, capture_output=True, cwd=data)
    server = [
        programs / "postgres", "-D", data / "data", "-k", data, "-p", str(stack.postgres),
        "-c", f"listen_addresses={stack.hosts[0].address}",
        "-c", "max_connections=50",
    ]  # fmt: skip
    home = stack.folder / "home-postgres"
    # pg_hba.conf of initdb admits 127.0.0.1; the other host comes from elsewhere.
    with (data / "data" / "pg_hba.conf").open("a") as rules:
        rules.write("host all all 10.0.0.0/8 scram-sha-256\n")
    server = [*other, *server]
    started_here = _start(stack, started, "postgres", server, stack.hosts[0], environment_of(home))
    superuser = {
        "PGHOST": str(data),
        "PGPORT": str(stack.postgres),
        "PGUSER": "postgres",
        "PGPASSWORD": stack.secret("postgres_password"),
        "SECRETS": str(stack.folder / "secrets"),
    }
    environment = environment_of(home, superuser)
    ready = ["psql", "--dbname=postgres", "--command=SELECT 1"]
    started_here.wait_until(lambda: _succeeds(ready, environment))
    subprocess.run([ROOT / "docker" / "databases.sh"], check=True, env=environment)


def _start_s3_and_mlflow(stack: Stack, started: contextlib.ExitStack) -> None:
    head = stack.hosts[0]
    home = stack.folder / "home-mlflow"
    environment = environment_of(
        home,
        {
            "SECRETS": str(stack.folder / "secrets"),
            "POSTGRES_HOST": head.address,
            "POSTGRES_PORT": str(stack.postgres),
            "MLFLOW_S3_ENDPOINT_URL": stack.s3,
            "MLFLOW_TRACKING_URI": stack.mlflow,
            "MLFLOW_HOST": head.address,
            "MLFLOW_PORT": stack.mlflow.rpartition(":")[2],
            "MLFLOW_ALLOWED_HOSTS": stack.mlflow.removeprefix("http://"),
            "MLFLOW_WORKERS": "1",
        },
    )
    s3 = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", stack.s3.rpartition(":")[2]]
    _start(stack, started, "s3", s3, head, environment).wait_until(
        lambda: stack.status_of(stack.s3) == 200
    )
    script = [ROOT / "docker" / "start.sh"]
    subprocess.run([*head.prefix, *script, "bucket"], check=True, env=environment)
    _start(stack, started, "mlflow", [*script, "mlflow"], head, environment).wait_until(
        lambda: stack.status_of(f"{stack.mlflow}/health") == 200
    )
    subprocess.run([*head.prefix, *script, "user"], check=True, env=environment)


def _start_ray(stack: Stack, started: contextlib.ExitStack, gcs: int, cache: Path) -> None:
    names = ("dashboard-agent-listen-port", "dashboard-agent-grpc-port", "metrics-export-port")
    dashboard = stack.ray.rpartition(":")[2]
    (stack.folder / "runs").mkdir()
    ours = {"head": ["--port", str(gcs), "--dashboard-port", dashboard], "worker": []}
    ours["head"] += ["--ray-client-server-port", str(free_ports(1)[0])]
    ours["worker"] += ["--resources", DRIVER]
    for role, host in zip(ours, stack.hosts, strict=True):
        home = stack.folder / f"home-{role}"
        environment = environment_of(
            home,
            {
                "SECRETS": str(stack.folder / "secrets"),
                "POSTGRES_HOST": stack.hosts[0].address,
                "POSTGRES_PORT": str(stack.postgres),
                "RAY_HEAD": f"{stack.hosts[0].address}:{gcs}",
                "RAY_CPUS": "1",
                "DASHBOARD_HOST": host.address,
                "RAY_AGENT_PORT": str(agent := free_ports(1)[0]),
                "MLFLOW_TRACKING_URI": stack.mlflow,
                "ASSAY_RUNS": str(stack.folder / "runs"),
                "ASSAY_CACHE": str(cache),
            },
        )
        ports = (agent, *free_ports(2))
        options = [f"--{name}={port}" for name, port in zip(names, ports, strict=True)]
        options += [f"--node-ip-address={host.address}", f"--temp-dir={stack.folder}/ray-{role}"]
        options += ["--object-store-memory=100000000"]
        script = [ROOT / "docker" / "start.sh"]
        command = [*script, role, *ours[role], *options]
        alive = [*host.prefix, *script, "alive"]
        _start(stack, started, role, command, host, environment).wait_until(
            lambda alive=alive, env=environment: _succeeds(alive, env)
        )


@dataclass(frozen=True)
class _Started:
    process: subprocess.Popen[bytes]
    log: Path

    def wait_until(self, is_up: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError):
                if is_up():
                    return
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(
                    f"{self.log.stem} did not start:\n{self.log.read_text()[-3000:]}"
                )
            time.sleep(0.3)


def _start(
    stack: Stack,
    started: contextlib.ExitStack,
    name: str,
    command: Sequence[str | Path],
    host: Host,
    environment: Mapping[str, str],
) -> _Started:
    path = stack.folder / "logs" / f"{name}.log"
    log = started.enter_context(path.open("wb"))
    process = subprocess.Popen(
        [*host.machine_prefix, *command],
        stdout=log,
        stderr=subprocess.STDOUT,
        env=dict(environment),
        cwd=environment["HOME"],
        start_new_session=True,
    )
    started.callback(_end, process)
    return _Started(process, path)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and everything that it started."""
    family = [psutil.Process(process.pid)]
    with contextlib.suppress(psutil.NoSuchProcess):
        family += family[0].children(recursive=True)
    for end in (psutil.Process.terminate, psutil.Process.kill):
        for each in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                end(each)
        _, family = psutil.wait_procs(family, timeout=15)
    process.wait(10)


def _succeeds(command: Sequence[str | Path], environment: Mapping[str, str]) -> bool:
    done = subprocess.run(command, env=dict(environment), capture_output=True, check=False)
    return done.returncode == 0


def environment_of(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment with a home of its own, that nobody else's secrets are in."""
    home.mkdir(exist_ok=True, mode=0o700)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {"HOME": str(home), "PATH": path, "RAY_USAGE_STATS_ENABLED": "0", **(more or {})}


def _postgres_user(*paths: Path) -> list[str]:
    """Return what makes a command run as a user that PostgreSQL accepts: it refuses root."""
    if os.geteuid() != 0:
        return []
    user = next(each for each in pwd.getpwall() if each.pw_name in ("postgres", "nobody"))
    with contextlib.suppress(KeyError):
        user = pwd.getpwnam("postgres")
    for path in paths:
        os.chown(path, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]
