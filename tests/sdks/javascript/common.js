// What the programs of tests have in common: a sidecar to talk to, things that come sooner or later, and a line for each result.
const { CommunicationProtocolEnum, DaprClient, DaprServer } = require("@dapr/dapr");

const { APP_PORT, DAPR_HTTP_PORT, DAPR_GRPC_PORT } = process.env;
const PATIENCE = 60_000;
const logger = { level: 1 };

const options = (communicationProtocol, daprPort) => ({ daprHost: "127.0.0.1", daprPort, communicationProtocol, logger });
const overHttp = options(CommunicationProtocolEnum.HTTP, DAPR_HTTP_PORT);

const http = new DaprClient(overHttp);
const grpc = () => new DaprClient(options(CommunicationProtocolEnum.GRPC, DAPR_GRPC_PORT));
const server = new DaprServer({
  serverHost: "127.0.0.1",
  serverPort: APP_PORT,
  communicationProtocol: CommunicationProtocolEnum.HTTP,
  clientOptions: overHttp,
  logger,
});

const say = (line) => console.log(line);

// What comes, for whoever waits for it.
class Queue {
  items = [];
  waiting = [];

  put(item) {
    const taker = this.waiting.shift();
    taker ? taker(item) : this.items.push(item);
  }

  take() {
    if (this.items.length > 0) return Promise.resolve(this.items.shift());
    return new Promise((resolve, reject) => {
      const alarm = setTimeout(() => reject(new Error("nothing came")), PATIENCE);
      this.waiting.push((item) => (clearTimeout(alarm), resolve(item)));
    });
  }

  async until(wanted) {
    for (;;) {
      const item = await this.take();
      if (wanted(item)) return item;
    }
  }
}

// Runs all cases, one after the other, and ends the program.
async function run(cases) {
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

module.exports = { Queue, grpc, http, run, say, server };
