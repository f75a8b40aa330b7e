"""Publish/subscribe: each of them publishes, and the app of the other gets it."""
import http.server
import json
import queue
import threading

PATIENCE = 20
# What is another one in each event.
OWN = {"id", "time", "traceid", "traceparent", "tracestate"}


class App:
    """An app that subscribes to some topics and keeps what it gets."""

    def __init__(self, topics, raw=()):
        self.inbox = queue.Queue()
        subscriptions = [{"pubsubname": "broker", "topic": topic, "route": f"/{topic}", "metadata": {"rawPayload": "true"} if topic in raw else {}} for topic in topics]
        inbox = self.inbox

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.answer(json.dumps(subscriptions) if self.path == "/dapr/subscribe" else "{}")

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                inbox.put((self.path, self.headers.get("content-type"), body))
                self.answer("{}")

            def answer(self, text):
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def end(self):
        """Ends the app."""
        self.server.shutdown()
        self.server.server_close()


def brokers(servers):
    """Name, whether its server is there, and the component; each app is a consumer of its own."""
    redis, rabbitmq = servers.port("redis"), servers.port("rabbitmq")
    url = f"amqp://guest:guest@127.0.0.1:{rabbitmq}"
    return [
        ("redis", redis, ("pubsub.redis", "v1", {"redisHost": f"127.0.0.1:{redis}", "consumerID": "{uuid}"})),
        ("rabbitmq", rabbitmq, ("pubsub.rabbitmq", "v1", {"connectionString": url, "consumerID": "{uuid}", "deletedWhenUnused": "true"})),
    ]


def run(check, servers, pair):
    """Both apps get every message, whoever published it."""
    for name, there, component in brokers(servers):
        if not there:
            check.skip(f"{name}: its server is not installed")
            continue
        apps = [App(["events", "raw"], raw=["raw"]) for _ in range(2)]
        with pair({"broker": component}, "app", tuple(app.port for app in apps)) as both:
            for writer, _ in both.ways():
                publish(check, name, writer, apps)
        for app in apps:
            app.end()


def publish(check, name, writer, apps):
    """Messages of several kinds, and what both apps get of them."""
    event = {"specversion": "1.0", "id": "one", "source": "me", "type": "t", "data": {"x": 1}, "own": "kept"}
    cases = [
        ("events", b'{"a": 1}', {}, "an object"),
        ("events", b"plain <text>", {"content-type": "text/plain"}, "a text"),
        ("events", bytes([0, 255, 1]), {"content-type": "application/octet-stream"}, "bytes"),
        ("events", json.dumps(event).encode(), {"content-type": "application/cloudevents+json"}, "an event"),
        ("events?metadata.ttlInSeconds=100&metadata.own=x", b"7", {}, "a number with metadata"),
        ("raw?metadata.rawPayload=true", b'{"raw": true}', {}, "a raw message"),
    ]
    for topic, body, headers, what in cases:
        sent = writer.call("POST", f"/v1.0/publish/broker/{topic}", body, headers)
        check.true(f"{name}: {writer.name} publishes {what}", sent[0] == 204, sent)
        got = [received(app) for app in apps]
        check.true(f"{name}: {what} of {writer.name} comes to both", None not in got, got)
        check.same(f"{name}: {what} of {writer.name}", *got)


def received(app):
    """The next message of an app, without what no other message has."""
    try:
        path, content_type, body = app.inbox.get(timeout=PATIENCE)
    except queue.Empty:
        return None
    try:
        event = json.loads(body)
    except ValueError:
        return path, content_type, body
    if isinstance(event, dict):
        event = {key: value for key, value in event.items() if key not in OWN or (key == "id" and value == "one")}
    return path, content_type, event
