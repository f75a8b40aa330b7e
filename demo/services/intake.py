"""Takes orders in: reads orders.csv and publishes every line as an event. Python SDK, gRPC."""
import csv
import json
import os
from pathlib import Path

from dapr.clients import DaprClient
from dapr.ext.grpc import App, InvokeMethodResponse

ORDERS = Path(__file__).parent.parent / "orders.csv"

app = App()


@app.method("import")
def import_orders(_request):
    """Publishes all orders. An event that is published is on the disk of the broker."""
    published = 0
    with DaprClient() as dapr, open(ORDERS, newline="", encoding="utf-8") as file:
        for order in csv.DictReader(file):
            dapr.publish_event("pubsub", "orders", json.dumps(order), data_content_type="application/json")
            published += 1
    return InvokeMethodResponse(json.dumps({"published": published}), "application/json")


app.run(int(os.environ["APP_PORT"]))
