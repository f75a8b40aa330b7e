// Tests of actors with the JavaScript SDK, which hosts and calls them over HTTP. Prints a line for each.
const { strict: assert } = require("assert");
const { AbstractActor, ActorId, ActorProxyBuilder, CommunicationProtocolEnum, DaprClient, DaprServer, Temporal } =
  require("@dapr/dapr");

const { APP_PORT, DAPR_HTTP_PORT } = process.env;
const PATIENCE = 60_000;
const clientOptions = {
  daprHost: "127.0.0.1",
  daprPort: DAPR_HTTP_PORT,
  communicationProtocol: CommunicationProtocolEnum.HTTP,
  logger: { level: 1 },
};
const client = new DaprClient(clientOptions);
const server = new DaprServer({
  serverHost: "127.0.0.1",
  serverPort: APP_PORT,
  communicationProtocol: CommunicationProtocolEnum.HTTP,
  clientOptions,
  logger: { level: 1 },
});

// What timers and reminders tell, for whoever waits for it.
const told = [];
const say = (line) => console.log(line);

class Basket extends AbstractActor {
  async add(thing) {
    const [, things] = await this.getStateManager().tryGetState("things");
    const more = [...(things ?? []), thing];
    await this.getStateManager().setState("things", more);
    return more;
  }

  async remind(name) {
    const second = Temporal.Duration.from({ seconds: 1 });
    await super.registerActorReminder(name, Temporal.Duration.from({ seconds: 0 }), second, undefined, "soon");
  }

  async forget(name) {
    await super.unregisterActorReminder(name);
  }

  async beat(name) {
    const second = Temporal.Duration.from({ seconds: 1 });
    await super.registerActorTimer(name, "beaten", second, second, undefined, "tick");
  }

  async quiet(name) {
    await super.unregisterActorTimer(name);
  }

  async beaten(data) {
    told.push(["timer", data]);
  }

  async receiveReminder(data) {
    told.push(["reminder", data]);
  }
}

const basket = (id) => new ActorProxyBuilder(Basket, client).build(new ActorId(id));

async function came(kind, count) {
  const end = Date.now() + PATIENCE;
  while (told.filter(([of]) => of === kind).length < count) {
    if (Date.now() > end) throw new Error(`no ${kind} came`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return told.find(([of]) => of === kind)[1];
}

const cases = {
  async state() {
    await basket("1").add("a book");
    assert.deepEqual(await basket("1").add("a pen"), ["a book", "a pen"]);
    assert.deepEqual(await basket("2").add("a cup"), ["a cup"]);
  },

  async a_timer() {
    await basket("3").beat("beat");
    assert.equal(await came("timer", 2), "tick");
    await basket("3").quiet("beat");
  },

  async a_reminder() {
    await basket("4").remind("pay");
    assert.equal(await came("reminder", 2), "soon");
    await basket("4").forget("pay");
  },
};

async function main() {
  await server.actor.init();
  await server.actor.registerActor(Basket);
  await server.start();
  for (const [name, check] of Object.entries(cases)) {
    try {
      await check();
      say(`passed ${name}`);
    } catch (error) {
      console.error(error);
      say(`failed ${name}: ${String(error).split("\n")[0]}`);
    }
  }
  say("finished");
  process.exit(0);
}

main();
