"""Keeps the stock: reserves what an order wants, once, however often it is asked. Python SDK, gRPC."""
import csv
import json
import os
from pathlib import Path

from dapr.clients import DaprClient
from dapr.clients.exceptions import DaprGrpcError
from dapr.clients.grpc._request import TransactionalStateOperation
from dapr.clients.grpc._state import Concurrency, StateOptions
from dapr.ext.grpc import App, InvokeMethodResponse

STORE = "statestore"
STOCK = Path(__file__).parent.parent / "stock.csv"
ATTEMPTS = 50

app = App()
dapr = DaprClient()


def fill_the_shelves():
    """Writes the stock at first; a stock that is there already stays as it is."""
    first_write = StateOptions(concurrency=Concurrency.first_write)
    with open(STOCK, newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            try:
                dapr.save_state(STORE, f"stock-{line['sku']}", line["on_hand"], options=first_write)
            except DaprGrpcError:
                print(f"{line['sku']} is in stock already")


@app.method("reserve")
def reserve(request):
    """Answers whether the order gets its goods. Another order may be faster: then the ETag differs and all is read anew."""
    order = json.loads(request.text())
    for _ in range(ATTEMPTS):
        known = dapr.get_state(STORE, f"reservation-{order['order_id']}")
        if known.data:
            return InvokeMethodResponse(known.data, "application/json")
        try:
            return InvokeMethodResponse(reserve_now(order), "application/json")
        except DaprGrpcError:
            continue
    raise RuntimeError(f"order {order['order_id']} found no quiet moment")


def reserve_now(order):
    stock = dapr.get_state(STORE, f"stock-{order['sku']}")
    on_hand, wanted = int(stock.data), int(order["quantity"])
    granted = wanted <= on_hand
    answer = json.dumps({"granted": granted})
    left = on_hand - wanted if granted else on_hand
    dapr.execute_state_transaction(STORE, [
        TransactionalStateOperation(f"stock-{order['sku']}", str(left), etag=stock.etag),
        TransactionalStateOperation(f"reservation-{order['order_id']}", answer),
    ])
    return answer


fill_the_shelves()
app.run(int(os.environ["APP_PORT"]))
