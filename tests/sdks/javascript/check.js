// Tests with the JavaScript SDK, over HTTP and gRPC. Prints a line for each.
const { strict: assert } = require("assert");
const { randomBytes } = require("crypto");
const { HttpMethod } = require("@dapr/dapr");
const common = require("./common.js");

const { Queue, http, run, say, server } = common;
const { DAPR_HTTP_PORT } = process.env;
const grpc = common.grpc();
const [events, bulks, boxed, ticks, jobs] = Array.from({ length: 5 }, () => new Queue());

async function serve() {
  await server.pubsub.subscribe("pubsub", "events", async (event) => events.put(event));
  await server.pubsub.subscribe("pubsub", "outbox", async (event) => boxed.put(event));
  await server.pubsub.subscribeBulk("pubsub", "bulk", async (event) => bulks.put(event), { maxMessagesCount: 10 });
  await server.binding.receive("ticks", async () => ticks.put(1));
  await server.invoker.listen("shout", async (data) => ({ said: JSON.parse(data.body).text.toUpperCase() }), {
    method: HttpMethod.POST,
  });
  await server.invoker.listen("job/report", async ({ body }) => jobs.put(JSON.parse(body)), { method: HttpMethod.POST });
  // The SDK has no word for failure here, but its server is one of Express.
  let tries = 0;
  server.daprServer.getServer().post("/job/hard", (request, response) => {
    jobs.put(request.body);
    response.status(++tries < 2 ? 500 : 200).end();
  });
  await server.start();
}

// The SDK has no client of jobs. Over HTTP they are scheduled without it, over gRPC by the messages that it brings.
async function job(method, name, body) {
  const options = { method, body: body && JSON.stringify(body), headers: { "content-type": "application/json" } };
  const answer = await fetch(`http://127.0.0.1:${DAPR_HTTP_PORT}/v1.0/jobs/${name}`, options);
  return { status: answer.status, text: await answer.text() };
}

const cases = {
  async secrets() {
    assert.deepEqual(await http.secret.get("secrets", "password"), { password: "sesame" });
    const bulk = await http.secret.getBulk("secrets");
    assert.equal(bulk["nested:inner"]["nested:inner"], "deep");
    await assert.rejects(http.secret.get("nobody", "password"), /nobody/);
  },

  async state() {
    for (const dapr of [http, grpc]) {
      await dapr.state.save("store", [{ key: "one", value: { n: 1 } }]);
      assert.deepEqual(await dapr.state.get("store", "one"), { n: 1 });
      await dapr.state.transaction("store", [
        { operation: "upsert", request: { key: "two", value: "second" } },
        { operation: "delete", request: { key: "one" } },
      ]);
      const found = await dapr.state.getBulk("store", ["two"]);
      assert.equal(found[0].data, "second");
      // The one client throws, the other returns the error.
      const refused = await dapr.state.save("store", [{ key: "two", value: 3, etag: "wrong" }]).catch((error) => ({ error }));
      assert.match(String(refused.error), /etag mismatch/);
      await dapr.state.delete("store", "two");
    }
  },

  async state_query() {
    const query = { filter: { EQ: { n: 1 } }, sort: [], page: { limit: 2 } };
    await assert.rejects(http.state.query("store", query), /does not support querying/);
  },

  async configuration() {
    const { items } = await grpc.configuration.get("configuration", ["color", "size"]);
    assert.deepEqual([items.color.value, items.size.value], ["green", "large"]);
    const changes = new Queue();
    const stream = await grpc.configuration.subscribeWithKeys("configuration", ["color"], async ({ items }) =>
      changes.put(items.color.value),
    );
    // The SDK does not tell when the subscription has begun.
    let number = 0;
    const changing = setInterval(() => say(`configure color blue-${number++}`), 200);
    await changes.until((value) => value.startsWith("blue-")).finally(() => clearInterval(changing));
    stream.stop();
  },

  async locks() {
    for (const dapr of [http, grpc]) {
      assert.ok((await dapr.lock.lock("locks", "thing", "me", 60)).success);
      assert.ok(!(await dapr.lock.lock("locks", "thing", "you", 60)).success);
      assert.equal((await dapr.lock.unlock("locks", "thing", "you")).status, 2);
      assert.equal((await dapr.lock.unlock("locks", "thing", "me")).status, 0);
    }
  },

  async cryptography() {
    const plain = randomBytes(200_000);
    const options = { componentName: "keys", keyName: "symmetric.json", keyWrapAlgorithm: "A256KW" };
    const encrypted = await grpc.crypto.encrypt(plain, options);
    assert.ok(!encrypted.includes(plain));
    assert.ok(plain.equals(await grpc.crypto.decrypt(encrypted, { componentName: "keys" })));
  },

  async output_binding() {
    await http.binding.send("files", "create", "content", { fileName: "a.txt" });
    assert.match(JSON.stringify(await http.binding.send("files", "list", "", {})), /a.txt/);
    await grpc.binding.send("files", "create", "content", { fileName: "b.txt" });
    const { data } = await grpc.binding.send("files", "list", "", {});
    assert.match(Buffer.from(data).toString(), /b.txt/);
    await assert.rejects(http.binding.send("files", "nonsense", ""));
  },

  async input_binding() {
    await ticks.take();
  },

  async publishing() {
    for (const dapr of [http, grpc]) {
      await dapr.pubsub.publish("pubsub", "events", { n: 1 });
      assert.deepEqual(await events.take(), { n: 1 });
    }
  },

  async bulk_publishing() {
    for (const dapr of [http, grpc]) {
      const { failedMessages } = await dapr.pubsub.publishBulk("pubsub", "events", ["a", "b", "c"]);
      assert.equal(failedMessages.length, 0);
      const came = [await events.take(), await events.take(), await events.take()];
      assert.deepEqual(came.sort(), ["a", "b", "c"]);
    }
  },

  async bulk_subscription() {
    await http.pubsub.publishBulk("pubsub", "bulk", [{ n: 1 }, { n: 2 }]);
    const came = [await bulks.take(), await bulks.take()];
    assert.deepEqual(came.map((event) => event.n).sort(), [1, 2]);
  },

  async jobs_over_http() {
    const report = { schedule: "@every 1h", dueTime: "0s", repeats: 2, data: { n: 1 } };
    assert.equal((await job("POST", "report", report)).status, 204);
    assert.deepEqual(await jobs.take(), { n: 1 });
    assert.equal((await job("POST", "report", report)).status, 409);
    const kept = JSON.parse((await job("GET", "report")).text);
    assert.deepEqual([kept.name, kept.schedule, kept.repeats, kept.data.value], ["report", "@every 1h", 2, { n: 1 }]);
    assert.equal((await job("DELETE", "report")).status, 204);
    assert.match((await job("GET", "report")).text, /DAPR_SCHEDULER_GET_JOB/);
  },

  async jobs_over_grpc() {
    const sidecar = await grpc.daprClient.getClient();
    const data = { typeUrl: "", value: Buffer.from('{"n":2}') };
    await sidecar.scheduleJobAlpha1({ job: { name: "report", schedule: "@every 1h", dueTime: "0s", data } });
    assert.deepEqual(await jobs.take(), { n: 2 });
    const { job: kept } = await sidecar.getJobAlpha1({ name: "report" });
    assert.deepEqual([kept.schedule, Buffer.from(kept.data.value).toString()], ["@every 1h", '{"n":2}']);
    await sidecar.deleteJobAlpha1({ name: "report" });
    await assert.rejects(sidecar.getJobAlpha1({ name: "report" }), /not found/);
  },

  async jobs_that_fail() {
    const failurePolicy = { constant: { interval: "0.05s", maxRetries: 3 } };
    assert.equal((await job("POST", "hard", { dueTime: "0s", data: { n: 3 }, failurePolicy })).status, 204);
    assert.deepEqual([await jobs.take(), await jobs.take()], [{ n: 3 }, { n: 3 }]);
  },

  async outbox() {
    await http.state.transaction("boxed", [{ operation: "upsert", request: { key: "order", value: { n: 1 } } }]);
    assert.deepEqual(await boxed.take(), { n: 1 });
  },

  async invocation() {
    assert.deepEqual(await http.invoker.invoke("sdk", "shout", HttpMethod.POST, { text: "hello" }), { said: "HELLO" });
  },

  async metadata() {
    await http.metadata.set("answer", "42");
    const found = await http.metadata.get();
    assert.equal(found.id, "sdk");
    assert.equal(found.extended.answer, "42");
  },
};

serve().then(() => run(cases));
