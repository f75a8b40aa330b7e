"""Tests of actors and their reminders with the Python SDK, over HTTP in both directions. Prints a line for each."""
import asyncio
import datetime
import os
import queue
import threading
import traceback

import uvicorn
from dapr.actor import Actor, ActorId, ActorInterface, ActorProxy, Remindable, actormethod
from dapr.clients.health import DaprHealth
from dapr.ext.fastapi import DaprActor
from fastapi import FastAPI

PATIENCE = 60
app = FastAPI()
reminders = queue.Queue()


class CartInterface(ActorInterface):
    @actormethod(name="Add")
    async def add(self, thing: str) -> list: ...

    @actormethod(name="Remind")
    async def remind(self, reminder: dict) -> None: ...

    @actormethod(name="Forget")
    async def forget(self, name: str) -> None: ...


class Cart(Actor, CartInterface, Remindable):
    async def add(self, thing: str) -> list:
        _, things = await self._state_manager.try_get_state("things")
        things = [*(things or []), thing]
        await self._state_manager.set_state("things", things)
        await self._state_manager.save_state()
        return things

    async def remind(self, reminder: dict) -> None:
        due, period = (datetime.timedelta(seconds=reminder[name]) for name in ["due", "period"])
        await self.register_reminder(reminder["name"], reminder["data"].encode(), due, period)

    async def forget(self, name: str) -> None:
        await self.unregister_reminder(name)

    async def receive_reminder(self, name, state, due_time, period, ttl=None):
        reminders.put((self.id.id, name, state))


@app.on_event("startup")
async def register():
    await DaprActor(app).register_actor(Cart)


def cart(name):
    return ActorProxy.create("Cart", ActorId(name), CartInterface)


async def state():
    await cart("1").Add("a book")
    assert await cart("1").Add("a pen") == ["a book", "a pen"]
    assert await cart("2").Add("a cup") == ["a cup"]


async def a_reminder():
    await cart("3").Remind({"name": "pay", "data": "soon", "due": 0, "period": 1})
    for _ in range(2):
        came = await asyncio.to_thread(reminders.get, timeout=PATIENCE)
        assert came == ("3", "pay", b"soon"), came
    await cart("3").Forget("pay")


async def main():
    await asyncio.to_thread(DaprHealth.wait_for_sidecar)
    for case in [state, a_reminder]:
        try:
            await case()
            say(f"passed {case.__name__}")
        except Exception as error:
            traceback.print_exc()
            say(f"failed {case.__name__}: {error!r}")
    say("finished")


def say(line):
    print(line, flush=True)


def serve():
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["APP_PORT"]), log_level="warning")


threading.Thread(target=serve, daemon=True).start()
asyncio.run(main())
