// Tests of actors with the JavaScript SDK, which hosts and calls them over HTTP. Prints a line for each.
const { strict: assert } = require("assert");
const { AbstractActor, ActorId, ActorProxyBuilder, Temporal } = require("@dapr/dapr");
const { Queue, http, run, server } = require("./common.js");

// What timers and reminders tell.
const [beats, reminders] = [new Queue(), new Queue()];

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
    beats.put(data);
  }

  async receiveReminder(data) {
    reminders.put(data);
  }
}

const basket = (id) => new ActorProxyBuilder(Basket, http).build(new ActorId(id));

const cases = {
  async state() {
    await basket("1").add("a book");
    assert.deepEqual(await basket("1").add("a pen"), ["a book", "a pen"]);
    assert.deepEqual(await basket("2").add("a cup"), ["a cup"]);
  },

  async a_timer() {
    await basket("3").beat("beat");
    assert.deepEqual([await beats.take(), await beats.take()], ["tick", "tick"]);
    await basket("3").quiet("beat");
  },

  async a_reminder() {
    await basket("4").remind("pay");
    assert.deepEqual([await reminders.take(), await reminders.take()], ["soon", "soon"]);
    await basket("4").forget("pay");
  },
};

async function serve() {
  await server.actor.init();
  await server.actor.registerActor(Basket);
  await server.start();
}

serve().then(() => run(cases));
