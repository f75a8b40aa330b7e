"""Servers on free ports of the loopback address, with their data in a folder that goes with them."""
import glob
import os
import pwd
import shutil
import socket
import subprocess
import time

PATIENCE = 180
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def free_port():
    """A port that nobody uses now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(condition, what):
    """Waits until something is so."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"differential: {what} does not happen")
        time.sleep(0.02)


def listens(port):
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Servers:
    """Each is started when it is first asked for."""

    def __init__(self, folder):
        self.folder, self.ports, self.processes = folder, {}, []
        os.chmod(folder, 0o755)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()

    def port(self, name):
        """Port of a server, or None where its program is missing."""
        if name not in self.ports:
            self.ports[name] = getattr(self, name)()
        return self.ports[name]

    def redis(self):
        """A server without persistence."""
        port = free_port()
        return self.start(port, ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)])

    def redis_modules(self):
        """A server with Redis' protocol and its modules for documents and queries."""
        programs, port = os.path.expanduser("~/.cache/trilby/redis-modules/1"), free_port()
        load = [word for name in ("redisearch", "rejson") for word in ("--loadmodule", f"{programs}/{name}.so")]
        return self.start(port, [f"{programs}/valkey-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder), *load])

    def postgres(self):
        """A database `trilby` of the user `trilby`."""
        programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        if not programs:
            return None
        port, data = free_port(), self.data("postgres", "postgres")
        run = self.user("postgres")
        initdb = [f"{programs[-1]}/initdb", "-D", data, "-U", "trilby", "-A", "trust", "--no-sync", "-E", "UTF8"]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, **run)
        self.start(port, [f"{programs[-1]}/postgres", "-D", data, "-p", str(port), "-k", data, "-c", "listen_addresses=127.0.0.1"], **run)
        create = [f"{programs[-1]}/createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "trilby", "trilby"]
        wait_for(lambda: subprocess.run(create, stderr=subprocess.DEVNULL, check=False).returncode == 0, "PostgreSQL")
        return port

    def mariadb(self):
        """A server whose user `root` needs no password."""
        if not shutil.which("mariadb-install-db"):
            return None
        port, data = free_port(), self.data("mariadb", "mysql")
        run = self.user("mysql")
        install = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run(install, check=True, stdout=subprocess.DEVNULL, **run)
        place = [f"--port={port}", f"--socket={data}/socket", f"--pid-file={data}/pid", f"--log-error={data}/log"]
        return self.start(port, ["mariadbd", "--no-defaults", f"--datadir={data}", "--bind-address=127.0.0.1", *place], **run)

    def mongodb(self):
        """A replica set of one server; see conformance/src/server/mongodb.py."""
        python = os.path.expanduser("~/.cache/trilby/mongodb/bin/python")
        if not os.path.exists(python):
            return None
        port = free_port()
        launcher = os.path.join(ROOT, "src", "server", "mongodb.py")
        return self.start(port, [python, launcher, "--port", str(port), "--storage-path", str(self.folder / "mongodb"), "--log-level", "ERROR"])

    def rabbitmq(self):
        """A server with a name service of its own."""
        program = "/usr/lib/rabbitmq/bin/rabbitmq-server"
        if not os.path.exists(program):
            return None
        port, names, data = free_port(), free_port(), str(self.folder / "rabbitmq")
        os.mkdir(data)
        with open(f"{data}/configuration.conf", "w", encoding="utf-8") as file:
            file.write(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
        self.start(names, ["epmd", "-port", str(names), "-address", "127.0.0.1"])
        own = {
            "HOME": data, "ERL_EPMD_PORT": str(names), "RUNNING_UNDER_SYSTEMD": "1",
            "RABBITMQ_NODENAME": f"trilby{port}@localhost", "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": f"{data}/data", "RABBITMQ_LOG_BASE": f"{data}/log", "RABBITMQ_LOGS": f"{data}/log/log",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{data}/plugins", "RABBITMQ_CONFIG_FILE": f"{data}/configuration",
            "RABBITMQ_CONF_ENV_FILE": f"{data}/environment", "RABBITMQ_PID_FILE": f"{data}/pid",
        }
        return self.start(port, [program], env={**os.environ, **own})

    def start(self, port, command, **more):
        """Starts a program and waits until it listens."""
        if not shutil.which(command[0]) and not os.path.exists(command[0]):
            return None
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.processes.append(subprocess.Popen(command, **quiet, **more))
        wait_for(lambda: listens(port), command[0])
        return port

    def data(self, name, user):
        """A folder for a server that runs as that user."""
        folder = str(self.folder / name)
        os.mkdir(folder, 0o700)
        if os.geteuid() == 0:
            shutil.chown(folder, user, user)
        return folder

    @staticmethod
    def user(name):
        """How a command is run that must not be root's."""
        if os.geteuid() != 0:
            return {}
        entry = pwd.getpwnam(name)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
