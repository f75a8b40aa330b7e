"""Two sidecars on the same resources: Trilby's and another."""
import json
import os
import subprocess
import tempfile
import urllib.error
import urllib.request

from servers import free_port, wait_for


class Sidecar:
    """A process, by its HTTP API."""

    def __init__(self, command, name, logs, resources, app_id, app_port):
        self.name, self.port = name, free_port()
        arguments = [
            "--app-id", app_id, "--dapr-http-port", str(self.port), "--dapr-grpc-port", str(free_port()),
            "--dapr-internal-grpc-port", str(free_port()), "--enable-metrics=false", "--resources-path", resources,
            "--dapr-listen-addresses", "127.0.0.1", "--log-level", "warn",
        ]
        if app_port:
            arguments += ["--app-port", str(app_port), "--app-channel-address", "127.0.0.1"]
        self.log = os.path.join(logs, f"{name}-{self.port}.log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([*command, *arguments], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_for(self.is_ready, f"the start of {name} ({self.log})")

    def is_ready(self):
        """Whether its components and its app are there; a sidecar that ended tells why."""
        if self.process.poll() is not None:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                raise SystemExit(f"differential: {self.name} ended:\n{log.read()[-3000:]}")
        try:
            return self.call("GET", "/v1.0/healthz")[0] == 204
        except OSError:
            return False

    def call(self, method, path, body=None, headers=None):
        """Status, body and headers in lower case."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        own = {"content-type": "application/json"} if data is not None else {}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, {**own, **(headers or {})}, method=method)
        try:
            answer = urllib.request.urlopen(request, timeout=30)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return answer.status, answer.read(), {name.lower(): value for name, value in answer.headers.items()}

    def end(self):
        """Ends the process."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Pair:
    """Both sidecars; apps are none, one for both, or one for each."""

    def __init__(self, ours, other, logs, components, app_id="app", app_ports=(None, None)):
        self.folder = tempfile.TemporaryDirectory()
        for name, (kind, version, metadata) in components.items():
            pairs = [{"name": key, "value": value} for key, value in metadata.items()]
            resource = {
                "apiVersion": "dapr.io/v1alpha1", "kind": "Component", "metadata": {"name": name},
                "spec": {"type": kind, "version": version, "metadata": pairs},
            }
            with open(os.path.join(self.folder.name, f"{name}.yaml"), "w", encoding="utf-8") as file:
                json.dump(resource, file)
        start = lambda command, name, port: Sidecar(command, name, logs, self.folder.name, app_id, port)
        self.ours = start([ours, "daprd"], "trilby", app_ports[0])
        self.theirs = start([other], "other", app_ports[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ours.end()
        self.theirs.end()
        self.folder.cleanup()

    def ways(self):
        """Who writes, and who reads."""
        return [(self.ours, self.theirs), (self.theirs, self.ours)]

    def both(self, *arguments):
        """The same call to both."""
        return self.ours.call(*arguments), self.theirs.call(*arguments)
