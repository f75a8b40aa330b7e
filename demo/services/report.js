// Reports on the results. No SDK: plain HTTP in, plain HTTP to the sidecar.
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");

const STORE = `http://localhost:${process.env.DAPR_HTTP_PORT}/v1.0/state/statestore`;
const FOLDER = path.join(__dirname, "..");
const REGIONS = ["north", "east", "south", "west", "centre"];

// First column of a CSV file without its head.
function firstColumn(file) {
  const lines = fs.readFileSync(path.join(FOLDER, file), "utf8").trim().split("\n");
  return lines.slice(1).map((line) => line.split(",")[0]);
}

// Values by key, without those that are not there.
async function read(prefix, names) {
  const keys = names.map((name) => `${prefix}-${name}`);
  const answer = await fetch(`${STORE}/bulk`, { method: "POST", body: JSON.stringify({ keys }) });
  if (!answer.ok) throw new Error(await answer.text());
  const entries = await answer.json();
  const present = entries.filter((entry) => entry.data !== undefined && entry.data !== null);
  return Object.fromEntries(present.map((entry) => [entry.key.slice(prefix.length + 1), entry.data]));
}

const answers = {
  "/progress": async () => {
    const ledgers = await read("ledger", REGIONS);
    return { processed: Object.values(ledgers).reduce((sum, ledger) => sum + ledger.orders, 0) };
  },
  "/summary": async () => ({
    results: await read("result", firstColumn("orders.csv")),
    ledgers: await read("ledger", REGIONS),
    stock: await read("stock", firstColumn("stock.csv")),
  }),
};

async function handle(request, response) {
  const answer = answers[request.url];
  try {
    const body = answer ? await answer() : { error: "unknown path" };
    response.writeHead(answer ? 200 : 404, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  } catch (error) {
    response.writeHead(500, { "content-type": "application/json" });
    response.end(JSON.stringify({ error: String(error) }));
  }
}

http.createServer(handle).listen(process.env.APP_PORT, "127.0.0.1");
