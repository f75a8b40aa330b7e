#!/usr/bin/env python3
"""Writes orders.csv and stock.csv. The files are committed: run this only to change them; it always writes the same."""
import csv
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

FOLDER = Path(__file__).parent
ORDERS = 3000
# Name and price in cents.
PRODUCTS = {
    "KET-01": ("Kettle 1.7 l", 3999),
    "LMP-02": ("Desk lamp", 5450),
    "MUG-03": ("Mug, stoneware", 1190),
    "PAN-04": ("Frying pan 28 cm", 4600),
    "TBL-05": ("Side table, oak", 12900),
    "CHR-06": ("Chair, beech", 8900),
    "RUG-07": ("Wool rug 120x180", 15900),
    "CLK-08": ("Wall clock", 2750),
    "BLK-09": ("Blanket, cotton", 4900),
    "VAS-10": ("Vase, glass", 2200),
    "BIN-11": ("Waste bin 20 l", 3300),
    "MIR-12": ("Mirror 60 cm", 7400),
}
REGIONS = ["north", "east", "south", "west", "centre"]
# Share of what is ordered that is in stock: some orders have to be rejected.
IN_STOCK = 0.93


def main():
    dice = random.Random(1877)
    orders = make_orders(dice)
    write("orders.csv", orders)
    write("stock.csv", make_stock(orders))


def make_orders(dice):
    placed = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
    orders = []
    for number in range(ORDERS):
        placed += timedelta(seconds=dice.expovariate(1 / 40))
        sku = dice.choice(list(PRODUCTS))
        name, price = PRODUCTS[sku]
        orders.append({
            "order_id": f"A{100_000 + number}",
            "placed_at": placed.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "customer": f"C{dice.randint(1, 640):04}",
            "region": dice.choices(REGIONS, weights=[4, 2, 3, 3, 5])[0],
            "sku": sku,
            "product": name,
            "quantity": dice.choices([1, 2, 3, 4, 6], weights=[60, 22, 9, 6, 3])[0],
            "price_cents": price,
        })
    return orders


def make_stock(orders):
    ordered = {sku: 0 for sku in PRODUCTS}
    for order in orders:
        ordered[order["sku"]] += order["quantity"]
    return [{"sku": sku, "on_hand": int(quantity * IN_STOCK)} for sku, quantity in ordered.items()]


def write(name, rows):
    with open(FOLDER / name, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
