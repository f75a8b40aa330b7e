"""JSON documents in Redis, and queries: what one writes the other reads, finds and changes."""
import json
import subprocess

JSON = {"contentType": "application/json"}
METADATA = "metadata.contentType=application/json&metadata.queryIndexName=things"
INDEX = [{"name": "things", "indexes": [{"key": "n", "type": "NUMERIC"}, {"key": "kind", "type": "TEXT"}]}]
VALUES = {
    "number": 5, "float": 1.5, "true": True, "null": None, "text": "a \"quoted\" ü <b> & \u2028 \U0001f600", "empty": "",
    "list": [1, "two", {"three": None}], "object": {"b": {"n": 15.5, "list": [1.5]}, "a": "5 < 6"},
}


def run(check, servers, pair):
    """One server with Redis' modules under both sidecars."""
    port = servers.port("redis_modules")
    if not port:
        check.skip("redis documents: the modules are not installed")
        return
    component = ("state.redis", "v1", {"redisHost": f"127.0.0.1:{port}", "queryIndexes": json.dumps(INDEX)})
    with pair({"store": component}) as both:
        values(check, both, port)
        changes(check, both)
        queries(check, both)


def values(check, both, port):
    """The same values make the same documents."""
    stored = []
    for writer, _ in both.ways():
        written = writer.call("POST", "/v1.0/state/store", [item(f"{writer.name}-{key}", value) for key, value in VALUES.items()])
        check.true(f"redis documents: {writer.name} saves", written[0] == 204, written)
        stored.append({key: document(port, f"app||{writer.name}-{key}") for key in VALUES})
        for key in VALUES:
            check.same(f"redis documents: {key} of {writer.name}", *(answer(side, f"{writer.name}-{key}") for side in (both.ours, both.theirs)))
    check.same("redis documents: what is stored", *stored)


def changes(check, both):
    """ETags, lifetimes, transactions and deletions of one are good for the other."""
    for writer, reader in both.ways():
        key = f"changed-{writer.name}"
        writer.call("POST", "/v1.0/state/store", [item(key, {"x": 1})])
        etags = [side.call("GET", f"/v1.0/state/store/{key}?{METADATA}")[2].get("etag") for side in (both.ours, both.theirs)]
        check.same("redis documents: etag", *etags)
        update = [{**item(key, {"x": 2}), "etag": etags[0]}]
        check.same(f"redis documents: {reader.name} updates", 204, reader.call("POST", "/v1.0/state/store", update)[0])
        check.same("redis documents: an outdated etag", *(side.call("POST", "/v1.0/state/store", update)[0] for side in (both.ours, both.theirs)))
        operations = [
            {"operation": "upsert", "request": item(f"t-{writer.name}", [1, None])}, {"operation": "delete", "request": {"key": key, "metadata": JSON}},
        ]
        done = writer.call("POST", "/v1.0/state/store/transaction", {"operations": operations})
        check.true(f"redis documents: a transaction of {writer.name}", done[0] == 204, done)
        for changed in (key, f"t-{writer.name}"):
            check.same(f"redis documents: {changed}", *(answer(side, changed) for side in (both.ours, both.theirs)))


def queries(check, both):
    """The same questions find the same entries."""
    items = [item(f"q{n}", {"n": n, "kind": "even" if n % 2 == 0 else "odd"}) for n in range(1, 6)]
    both.ours.call("POST", "/v1.0/state/store", items[:2])
    both.theirs.call("POST", "/v1.0/state/store", items[2:])
    by_number = {"sort": [{"key": "n", "order": "DESC"}]}
    documents = [
        {"filter": {"EQ": {"kind": "odd"}}, **by_number},
        {"filter": {"AND": [{"GT": {"n": 1}}, {"LTE": {"n": 4}}]}, **by_number},
        {"filter": {"OR": [{"IN": {"n": [1, 2]}}, {"EQ": {"kind": "odd"}}]}, "sort": [{"key": "n"}], "page": {"limit": 2}},
        {"filter": {"OR": [{"IN": {"n": [1, 2]}}, {"EQ": {"kind": "odd"}}]}, "sort": [{"key": "n"}], "page": {"limit": 2, "token": "2"}},
        {"filter": {"AND": [{"NEQ": {"kind": "odd"}}, {"LT": {"n": 10}}]}, **by_number},
        {"filter": {"EQ": {"nothing": 1}}}, {"filter": {"LIKE": {"n": 1}}}, {"sort": [{"key": "n"}, {"key": "kind"}]},
    ]
    for asked in documents:
        found = both.both("POST", f"/v1.0-alpha1/state/store/query?{METADATA}", asked)
        check.same(f"redis documents: query {json.dumps(asked)}", *(found_in(one) for one in found))


def item(key, value):
    return {"key": key, "value": value, "metadata": JSON}


def answer(sidecar, key):
    status, body, headers = sidecar.call("GET", f"/v1.0/state/store/{key}?{METADATA}")
    return status, json.loads(body) if body else None, headers.get("etag")


def found_in(answered):
    status, body, _ = answered
    if status >= 400:
        return status, json.loads(body).get("errorCode")
    found = json.loads(body) if body else {}
    return status, [(one["key"], one.get("data"), one.get("etag")) for one in found.get("results") or []], found.get("token")


def document(port, key):
    """The document as another client sees it."""
    text = subprocess.run(["redis-cli", "-p", str(port), "JSON.GET", key], check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(text)
