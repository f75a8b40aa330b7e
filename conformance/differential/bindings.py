"""Output bindings: the same calls of both, in turn, on the same server."""
import json


def run(check, servers, pair):
    """Redis and PostgreSQL."""
    redis, postgres = servers.port("redis"), servers.port("postgres")
    connection = f"host=127.0.0.1 port={postgres} user=trilby database=trilby"
    components = {}
    if redis:
        components["redis"] = ("bindings.redis", "v1", {"redisHost": f"127.0.0.1:{redis}"})
    if postgres:
        components["postgres"] = ("bindings.postgresql", "v1", {"connectionString": connection})
    with pair(components) as both:
        if redis:
            with_redis(check, both)
        if postgres:
            with_postgres(check, both)


def invoke(sidecar, name, operation, metadata, data=None):
    """Status, body, and the headers that the binding made."""
    body = {"operation": operation, "metadata": metadata, **({} if data is None else {"data": data})}
    status, answer, headers = sidecar.call("POST", f"/v1.0/bindings/{name}", body)
    told = {key: value for key, value in headers.items() if key.startswith("metadata.") and not key.endswith(("time", "duration"))}
    return status, answer if status < 400 else json.loads(answer).get("errorCode"), told


def with_redis(check, both):
    """What one creates the other gets."""
    for writer, reader in both.ways():
        key = {"key": f"binding-{writer.name}"}
        for data in ({"a": 1}, "text", 5):
            check.same("bindings.redis: create", 204, invoke(writer, "redis", "create", key, data)[0])
            check.same(f"bindings.redis: {data!r} of {writer.name}", *(invoke(side, "redis", "get", key) for side in (both.ours, both.theirs)))
        check.true("bindings.redis: delete", invoke(reader, "redis", "delete", key)[0] in (200, 204))
        check.same("bindings.redis: what is deleted", *(invoke(side, "redis", "get", key) for side in (both.ours, both.theirs)))
    check.same("bindings.redis: no key", *(invoke(side, "redis", "get", {}) for side in (both.ours, both.theirs)))
    check.same("bindings.redis: unknown operation", *(invoke(side, "redis", "nonsense", {}) for side in (both.ours, both.theirs)))


def with_postgres(check, both):
    """Rows of the types that both have a form for; docs/differences.md tells of the others."""
    for writer, _ in both.ways():
        table = f"t_{writer.name}"
        create = f"CREATE TABLE {table} (a int, b text, c jsonb, d numeric(8,3), e timestamptz, f boolean, g float8, h bytea, i date)"
        check.true("bindings.postgresql: create", invoke(writer, "postgres", "exec", {"sql": create})[0] == 200)
        values = '[7, "text", {"x": [1]}, -12.5, "2026-01-02T03:04:05Z", true, 1.5, null, "2026-01-02"]'
        insert = {"sql": f"INSERT INTO {table} VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)", "params": values}
        check.true("bindings.postgresql: insert", invoke(writer, "postgres", "exec", insert)[0] == 200, invoke(writer, "postgres", "exec", insert))
        for column in "abcdefghi":
            query = {"sql": f"SELECT {column} FROM {table} WHERE a = $1", "params": "[7]"}
            check.same(f"bindings.postgresql: column {column}", *(invoke(side, "postgres", "query", query) for side in (both.ours, both.theirs)))
    wrong = {"sql": "SELECT nonsense"}
    check.same("bindings.postgresql: an error", *(invoke(side, "postgres", "query", wrong) for side in (both.ours, both.theirs)))
