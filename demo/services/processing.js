// Processes orders: takes events, asks the inventory, and writes the result and the ledger. JavaScript SDK, HTTP.
// An event may come twice, and this process may be killed at any point: the result is written together with the ledger, and
// only if there is none yet, so that every order counts once.
const { DaprServer, HttpMethod, StateConcurrencyEnum } = require("@dapr/dapr");

const STORE = "statestore";
const ATTEMPTS = 50;
const FIRST_WRITE = { concurrency: StateConcurrencyEnum.CONCURRENCY_FIRST_WRITE };

const server = new DaprServer({ serverPort: process.env.APP_PORT, logger: { level: 1 } });
const dapr = server.client;

async function processOrder(order) {
  const { granted } = await dapr.invoker.invoke("inventory", "reserve", HttpMethod.POST, order);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const [result, ledger] = await read([`result-${order.order_id}`, `ledger-${order.region}`]);
    if (result.data) return;
    if (await write(order, granted, ledger)) return;
  }
  throw new Error(`order ${order.order_id} found no quiet moment`); // The event comes again.
}

// Returns the entries in the order of the keys.
async function read(keys) {
  const found = await dapr.state.getBulk(STORE, keys);
  return keys.map((key) => found.find((entry) => entry.key === key));
}

// Returns false when another order of the region was faster.
async function write(order, granted, ledger) {
  const cents = granted ? Number(order.quantity) * Number(order.price_cents) : 0;
  const before = ledger.data ?? { orders: 0, accepted: 0, cents: 0 };
  const after = {
    orders: before.orders + 1,
    accepted: before.accepted + (granted ? 1 : 0),
    cents: before.cents + cents,
  };
  const result = { order_id: order.order_id, status: granted ? "accepted" : "rejected", cents };
  try {
    await dapr.state.transaction(STORE, [
      upsert({ key: `result-${order.order_id}`, value: result }),
      upsert({ key: ledger.key, value: after, etag: ledger.etag }),
    ]);
    return true;
  } catch {
    return false;
  }
}

function upsert(request) {
  return { operation: "upsert", request: { ...request, options: { ...FIRST_WRITE } } };
}

server.pubsub.subscribe("pubsub", "orders", processOrder).then(() => server.start());
