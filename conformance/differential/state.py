"""State: the same stores under both sidecars, what they answer, and what is stored."""
import json
import os
import re
import sqlite3
import subprocess
import time

VALUES = {
    "number": 5, "float": 1.5, "large": 12345678901234567890, "true": True, "null": None, "text": "a \"quoted\" ü <b> & \u2028 \U0001f600",
    "empty": "", "list": [1, "two", {"three": None}], "object": {"b": {"n": 15.0, "list": [1.5]}, "a": "5 < 6"}, "dollar": "$where",
}
JSON = {"contentType": "application/json"}


def stores(servers):
    """Name, type, version, metadata and how to see what is stored."""
    redis, postgres, mariadb, mongodb = (servers.port(name) for name in ("redis", "postgres", "mariadb", "mongodb"))
    connection = f"host=127.0.0.1 port={postgres} user=trilby database=trilby"
    sqlite = os.path.join(servers.folder, "state.db")
    return [
        ("redis", redis, ("state.redis", "v1", {"redisHost": f"127.0.0.1:{redis}"}), lambda: in_redis(redis)),
        ("postgres1", postgres, ("state.postgresql", "v1", {"connectionString": connection}), lambda: in_postgres(postgres, "state", "value, isbinary, expiredate IS NULL")),
        ("postgres2", postgres, ("state.postgresql", "v2", {"connectionString": connection, "tablePrefix": "two_"}), lambda: in_postgres(postgres, "two_state", "convert_from(value, 'UTF8'), expires_at IS NULL")),
        ("mysql", mariadb, ("state.mysql", "v1", {"connectionString": f"root@tcp(127.0.0.1:{mariadb})/"}), lambda: in_mysql(mariadb)),
        ("sqlite", 1, ("state.sqlite", "v1", {"connectionString": sqlite}), lambda: in_sqlite(sqlite)),
        ("mongodb", mongodb, ("state.mongodb", "v1", {"host": f"127.0.0.1:{mongodb}", "params": "?replicaSet=secantus"}), lambda: in_mongodb(mongodb)),
    ]


def run(check, servers, pair):
    """Each store, one pair of sidecars for each so that one which is missing does not keep the others."""
    for name, there, component, stored in stores(servers):
        if not there:
            check.skip(f"{name}: its server is not installed")
            continue
        with pair({"store": component}) as both:
            values(check, name, both, stored)
            etags(check, name, both)
            lifetimes(check, name, both)
            transactions(check, name, both)
            queries(check, name, both)
            errors(check, name, both)


def answer(sidecar, key):
    """What a get tells, without the ETag, which is compared where it counts."""
    status, body, headers = sidecar.call("GET", f"/v1.0/state/store/{key}")
    return status, body, headers.get("content-type"), "etag" in headers


def values(check, name, both, stored):
    """What each of them writes is stored as the other stores it, and both read it as the same bytes."""
    for metadata in ({}, JSON):
        seen = []
        for writer, _ in both.ways():
            items = [{"key": key, "value": value, "metadata": metadata} for key, value in VALUES.items()]
            written = writer.call("POST", "/v1.0/state/store", items)
            check.true(f"{name}: {writer.name} saves", written[0] == 204, written)
            seen.append(stored())
            for key in VALUES:
                check.same(f"{name}: {key} {metadata} written by {writer.name}", answer(both.ours, key), answer(both.theirs, key))
            bulk = both.both("POST", "/v1.0/state/store/bulk", {"keys": [*VALUES, "missing"]})
            check.same(f"{name}: bulk get of what {writer.name} wrote", *(bulk_answer(one) for one in bulk))
        for key in sorted({*seen[0], *seen[1]}):
            check.same(f"{name}: stored bytes of {key} {metadata}", seen[0].get(key), seen[1].get(key))
    for writer, reader in both.ways():
        key = f"deleted-{writer.name}"
        writer.call("POST", "/v1.0/state/store", [{"key": key, "value": 1}])
        check.same(f"{name}: {reader.name} deletes", 204, reader.call("DELETE", f"/v1.0/state/store/{key}")[0])
        check.same(f"{name}: what is deleted", answer(both.ours, key), answer(both.theirs, key))


def bulk_answer(answered):
    status, body, _ = answered
    items = [{key: value for key, value in item.items() if key != "etag"} for item in json.loads(body)]
    return status, sorted(items, key=lambda item: item["key"])


def etags(check, name, both):
    """The ETag of one is good for the other, once."""
    for writer, reader in both.ways():
        key = f"etag-{writer.name}"
        writer.call("POST", "/v1.0/state/store", [{"key": key, "value": "1"}])
        etag = [side.call("GET", f"/v1.0/state/store/{key}")[2].get("etag") for side in (both.ours, both.theirs)]
        check.same(f"{name}: etag", *etag)
        update = [{"key": key, "value": "2", "etag": etag[0], "options": {"concurrency": "first-write"}}]
        check.same(f"{name}: {reader.name} updates what {writer.name} wrote", 204, reader.call("POST", "/v1.0/state/store", update)[0])
        refused = [side.call("POST", "/v1.0/state/store", update)[0] for side in (both.ours, both.theirs)]
        check.same(f"{name}: an outdated etag", *refused)
        deleted = [side.call("DELETE", f"/v1.0/state/store/{key}", None, {"if-match": etag[0]})[0] for side in (both.ours, both.theirs)]
        check.same(f"{name}: deletion with an outdated etag", *deleted)
        first = [{"key": key, "value": "3", "options": {"concurrency": "first-write"}}]
        refused = [side.call("POST", "/v1.0/state/store", first)[0] for side in (both.ours, both.theirs)]
        check.same(f"{name}: a first write of what is there", *refused)


def lifetimes(check, name, both):
    """What one writes for a while ends for the other."""
    for writer, reader in both.ways():
        metadata = {"ttlInSeconds": "2"}
        writer.call("POST", "/v1.0/state/store", [{"key": f"short-{writer.name}", "value": "1", "metadata": metadata}])
        told = reader.call("GET", f"/v1.0/state/store/short-{writer.name}")
        check.true(f"{name}: {reader.name} reads what lasts two seconds", told[0] == 200, told)
        own = writer.call("GET", f"/v1.0/state/store/short-{writer.name}")
        check.same(f"{name}: whether the time is told", *("metadata.ttlexpiretime" in one[2] for one in ((told, own) if reader is both.ours else (own, told))))
    time.sleep(3)
    for writer, reader in both.ways():
        gone = reader.call("GET", f"/v1.0/state/store/short-{writer.name}")
        check.true(f"{name}: it is gone for {reader.name}", gone[0] == 204, gone)


def transactions(check, name, both):
    """One writes, the other sees all of it."""
    for writer, reader in both.ways():
        writer.call("POST", "/v1.0/state/store", [{"key": "gone", "value": 1}])
        operations = [
            {"operation": "upsert", "request": {"key": f"t-{writer.name}", "value": {"a": [1, None]}}},
            {"operation": "upsert", "request": {"key": f"u-{writer.name}", "value": "text", "metadata": {"ttlInSeconds": "100"}}},
            {"operation": "delete", "request": {"key": "gone"}},
        ]
        done = writer.call("POST", "/v1.0/state/store/transaction", {"operations": operations})
        check.true(f"{name}: a transaction of {writer.name}", done[0] == 204, done)
        for key in (f"t-{writer.name}", f"u-{writer.name}", "gone"):
            check.same(f"{name}: {key} of a transaction", answer(both.ours, key), answer(both.theirs, key))


def queries(check, name, both):
    """The same documents find the same entries."""
    items = [{"key": f"q{n}", "value": {"n": n, "kind": "even" if n % 2 == 0 else "odd", "in": {"deep": n > 2}}, "metadata": JSON} for n in range(1, 6)]
    both.ours.call("POST", "/v1.0/state/store", items[:2])
    both.theirs.call("POST", "/v1.0/state/store", items[2:])
    documents = [
        {"filter": {"EQ": {"kind": "odd"}}, "sort": [{"key": "n", "order": "DESC"}]},
        {"filter": {"AND": [{"GT": {"n": 1}}, {"LTE": {"n": 4}}]}, "sort": [{"key": "n"}]},
        {"filter": {"OR": [{"IN": {"n": [1, 2]}}, {"EQ": {"in.deep": True}}]}, "sort": [{"key": "n"}], "page": {"limit": 2}},
        {"filter": {"OR": [{"IN": {"n": [1, 2]}}, {"EQ": {"in.deep": True}}]}, "sort": [{"key": "n"}], "page": {"limit": 2, "token": "2"}},
        {"filter": {"EQ": {"a": 1, "b": 2}}}, {"filter": {"LIKE": {"a": 1}}}, {"filter": {"AND": [{"EQ": {"a": 1}}]}},
    ]
    for document in documents:
        found = both.both("POST", "/v1.0-alpha1/state/store/query", document)
        check.same(f"{name}: query {json.dumps(document)}", *(query_answer(one) for one in found))


def query_answer(answered):
    status, body, _ = answered
    if status >= 400:
        return status, json.loads(body).get("errorCode")
    if not body:
        return status, None
    found = json.loads(body)
    return status, [(item["key"], item.get("data")) for item in found.get("results") or []], found.get("token")


def errors(check, name, both):
    """Mistakes are answered alike."""
    cases = {
        "a lifetime that is no number": {"key": "x", "metadata": {"ttlInSeconds": "soon"}},
        "a key of two parts": {"key": "a||b"},
        "an etag of another form": {"key": "etag", "etag": "not-there", "options": {"concurrency": "first-write"}},
    }
    for what, item in cases.items():
        both.ours.call("POST", "/v1.0/state/store", [{"key": "etag", "value": 1}])
        answered = both.both("POST", "/v1.0/state/store", [{**item, "value": 1}])
        check.same(f"{name}: {what}", *((one[0], code(one[1])) for one in answered))


def code(body):
    return json.loads(body).get("errorCode") if body else None


def output(command):
    """What a command prints."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def in_redis(port):
    """Hashes without the version. Go writes the members of an object in any order."""
    cli = ["redis-cli", "-p", str(port)]
    keys = [key for key in output([*cli, "--scan", "--pattern", "app||*"]).split("\n") if key]
    hashes = {key: re.sub(r"version\n\d+\n?", "", output([*cli, "HGETALL", key])) for key in keys if plain(key)}
    sort = lambda match: json.dumps(json.loads(match[0]), sort_keys=True, ensure_ascii=False)
    return {key: re.sub(r"^{.*}$", sort, text, flags=re.MULTILINE) for key, text in hashes.items()}


def plain(key):
    return key.split("||")[-1] in VALUES


def rows(text):
    """Lines of a table, by their first column."""
    return {line.split("\t")[0]: line for line in text.splitlines() if plain(line.split("\t")[0])}


def in_postgres(port, table, columns):
    """Rows without ETag and times."""
    psql = ["psql", "-h", "127.0.0.1", "-p", str(port), "-U", "trilby", "-d", "trilby", "-At", "-F", "\t"]
    return rows(output([*psql, "-c", f"SELECT key, {columns} FROM {table}"]))


def in_mysql(port):
    """Rows without ETag and times."""
    sql = "SELECT id, value, isbinary, expiredate IS NULL FROM dapr_state_store.state"
    return rows(output(["mariadb", "-h", "127.0.0.1", "-P", str(port), "-u", "root", "-N", "-r", "-e", sql]))


def in_sqlite(path):
    """Rows without ETag and times."""
    with sqlite3.connect(path) as connection:
        found = connection.execute("SELECT key, value, is_binary, expiration_time IS NULL FROM state").fetchall()
    return {row[0]: row[1:] for row in found if plain(row[0])}


def in_mongodb(port):
    """Documents without their ETags, as JSON with types."""
    python = os.path.expanduser("~/.cache/trilby/mongodb/bin/python")
    script = (
        "import sys, bson.json_util as j, pymongo\n"
        "c = pymongo.MongoClient(sys.argv[1]).daprStore.daprCollection\n"
        "print(j.dumps([{k: v for k, v in d.items() if k != '_etag'} for d in c.find()], sort_keys=True, json_options=j.CANONICAL_JSON_OPTIONS))"
    )
    found = json.loads(output([python, "-c", script, f"mongodb://127.0.0.1:{port}/?replicaSet=secantus"]))
    return {document["_id"]: document for document in found if plain(document["_id"])}
