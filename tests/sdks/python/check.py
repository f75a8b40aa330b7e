"""Tests with the Python SDK, over gRPC in both directions. Prints a line for each."""
import json
import os
import queue
import threading
import time
import traceback
import warnings

from dapr.clients import DaprClient
from dapr.clients.exceptions import DaprGrpcError
from dapr.clients.grpc._crypto import DecryptOptions, EncryptOptions
from dapr.clients.grpc._request import TransactionalStateOperation, TransactionOperationType
from dapr.clients.grpc._response import TopicEventResponse, UnlockResponseStatus
from dapr.clients.grpc._jobs import ConstantFailurePolicy, Job
from dapr.clients.grpc import conversation
from dapr.clients.health import DaprHealth
from dapr.ext.grpc import App, BindingRequest, InvokeMethodRequest, InvokeMethodResponse, JobEvent
from google.protobuf.any_pb2 import Any
from google.protobuf.wrappers_pb2 import StringValue

PATIENCE = 60
app = App()
events, dropped, boxed, ticks, jobs_due = (queue.Queue() for _ in range(5))


@app.subscribe("pubsub", "events")
def on_event(event):
    events.put(event)


@app.subscribe("durable", "dropped")
def on_dropped(event):
    dropped.put(event)


@app.subscribe("pubsub", "outbox")
def on_outbox(event):
    boxed.put(event)


@app.binding("ticks")
def on_tick(request: BindingRequest):
    ticks.put(request)


@app.job_event("report")
def on_report(event: JobEvent):
    jobs_due.put(event)
    if jobs_due.qsize() == 1:
        raise ValueError("once, to be tried again")


@app.method("shout")
def shout(request: InvokeMethodRequest):
    return InvokeMethodResponse(request.text().upper(), "text/plain; charset=UTF-8")


def secrets(dapr):
    assert dapr.get_secret("secrets", "password").secret == {"password": "sesame"}
    bulk = dapr.get_bulk_secret("secrets").secrets
    assert bulk["nested:inner"] == {"nested:inner": "deep"}, bulk
    expect_error(lambda: dapr.get_secret("nobody", "password"), "nobody")


def state(dapr):
    dapr.save_state("store", "one", json.dumps({"n": 1}))
    found = dapr.get_state("store", "one")
    assert found.json() == {"n": 1} and found.etag
    expect_error(lambda: dapr.save_state("store", "one", "2", etag="wrong"), "etag")
    dapr.save_state("store", "one", "2", etag=found.etag)
    operations = [
        TransactionalStateOperation("two", "second"),
        TransactionalStateOperation("one", operation_type=TransactionOperationType.delete),
    ]
    dapr.execute_state_transaction("store", operations)
    items = {item.key: item.data for item in dapr.get_bulk_state("store", ["one", "two"]).items}
    assert items == {"one": b"", "two": b"second"}, items
    dapr.delete_state("store", "two")
    assert dapr.get_state("store", "two").data == b""


def state_query(dapr):
    query = json.dumps({"filter": {"EQ": {"n": 1}}, "page": {"limit": 2}})
    expect_error(lambda: dapr.query_state("store", query), "does not support querying")


def configuration(dapr):
    items = dapr.get_configuration("configuration", ["color", "size"]).items
    assert (items["color"].value, items["size"].value) == ("green", "large")
    changes = queue.Queue()
    number = dapr.subscribe_configuration("configuration", ["color"], lambda _, found: changes.put(found.items["color"].value))
    assert number
    say("configure color blue")
    wait_for(changes, lambda value: value == "blue")
    assert dapr.unsubscribe_configuration("configuration", number)


def locks(dapr):
    with dapr.try_lock("locks", "thing", "me", 60) as first:
        assert first
        assert not dapr.try_lock("locks", "thing", "you", 60)
        assert dapr.unlock("locks", "thing", "you").status == UnlockResponseStatus.lock_belongs_to_others
    assert dapr.unlock("locks", "thing", "me").status == UnlockResponseStatus.lock_does_not_exist


def cryptography(dapr):
    plain = os.urandom(200_000)
    options = EncryptOptions("keys", "symmetric.json", "A256KW")
    encrypted = dapr.encrypt(plain, options).read()
    assert plain not in encrypted
    assert dapr.decrypt(encrypted, DecryptOptions("keys", "symmetric.json")).read() == plain
    broken = encrypted[:-1] + bytes([encrypted[-1] ^ 1])
    expect_error(lambda: dapr.decrypt(broken, DecryptOptions("keys", "symmetric.json")).read(), "")


def conversations(dapr):
    first = dapr.converse_alpha1("model", [conversation.ConversationInput("hello", role="user")])
    assert first.outputs[0].result == "hello", first
    tool = conversation.ConversationTools(
        function=conversation.ConversationToolsFunction("weather", "Tells the weather", {"type": "object", "properties": {}})
    )
    messages = [conversation.create_system_message("be brief"), conversation.create_user_message("call me at a@b.com")]
    asked = conversation.ConversationInputAlpha2(messages=messages)
    second = dapr.converse_alpha2("model", [asked], tools=[tool], tool_choice="auto", scrub_pii=True, temperature=0.5)
    choice = second.outputs[0].choices[0]
    assert "a@b.com" not in choice.message.content, choice


def output_binding(dapr):
    dapr.invoke_binding("files", "create", b"content", {"fileName": "a.txt"})
    assert dapr.invoke_binding("files", "get", "", {"fileName": "a.txt"}).data == b"content"
    expect_error(lambda: dapr.invoke_binding("files", "nonsense"), "")


def input_binding(_):
    wait_for(ticks, lambda _: True)


def publishing(dapr):
    dapr.publish_event("pubsub", "events", json.dumps({"n": 1}), data_content_type="application/json")
    event = wait_for(events, lambda _: True)
    assert json.loads(event.Data()) == {"n": 1}, event.Data()


def bulk_publishing(dapr):
    answer = dapr.publish_events("pubsub", "events", ["a", "b", "c"], data_content_type="text/plain")
    assert not answer.failed_entries
    came = sorted(wait_for(events, lambda _: True).Data().decode() for _ in range(3))
    assert came == ["a", "b", "c"], came


def streaming(dapr):
    stream = dapr.subscribe("durable", "streamed", dead_letter_topic="dropped")
    for number in range(3):
        dapr.publish_event("durable", "streamed", str(number), data_content_type="text/plain")
    first = next_of(stream)
    stream.respond_drop(first)
    # What is dropped goes to the dead letter topic.
    assert wait_for(dropped, lambda _: True).Data().decode() == first.data()
    for _ in range(2):
        stream.respond_success(next_of(stream))
    stream.close()


def streaming_over_a_restart(dapr):
    stream = dapr.subscribe("pubsub", "again")
    say("hangup")
    came = threading.Event()

    def publish():
        while not came.wait(0.1):
            try:
                dapr.publish_event("pubsub", "again", "after", data_content_type="text/plain")
            except DaprGrpcError:
                pass

    publisher = threading.Thread(target=publish)
    # The stream ends with the sidecar, and the SDK opens another one.
    while next_or_none(stream) is not None:
        pass
    publisher.start()
    message = next_of(stream)
    came.set()
    publisher.join()
    assert message.data() == "after", message.data()
    stream.respond_success(message)
    stream.close()


def jobs(dapr):
    data = Any()
    data.Pack(StringValue(value="of orders"))
    policy = ConstantFailurePolicy(max_retries=3, interval_seconds=0)
    report = Job(name="report", schedule="@every 1h", due_time="0s", repeats=2, data=data, failure_policy=policy)
    dapr.schedule_job(report)
    expect_error(lambda: dapr.schedule_job(report), "already exists")
    failed, tried_again = (wait_for(jobs_due, lambda _: True) for _ in range(2))
    assert failed.name == tried_again.name == "report"
    assert "of orders" in tried_again.get_data_as_string(), tried_again
    kept = dapr.get_job("report")
    assert (kept.schedule, kept.repeats) == ("@every 1h", 2), kept
    dapr.delete_job("report")
    expect_error(lambda: dapr.get_job("report"), "not found")


def outbox(dapr):
    dapr.execute_state_transaction("boxed", [TransactionalStateOperation("order", json.dumps({"n": 1}))])
    event = wait_for(boxed, lambda _: True)
    assert json.loads(event.Data()) == {"n": 1}, event.Data()
    assert dapr.get_state("boxed", "order").json() == {"n": 1}


def invocation(dapr):
    assert dapr.invoke_method("sdk", "shout", "hello", http_verb="POST").text() == "HELLO"


def metadata(dapr):
    dapr.set_metadata("answer", "42")
    found = dapr.get_metadata()
    assert found.application_id == "sdk" and found.extended_metadata["answer"] == "42"
    assert {"store", "pubsub", "model"} <= {component.name for component in found.registered_components}


def next_of(stream):
    """The next message. Now and then the SDK closes a stream just when it has opened it, and opens it again."""
    while (message := next_or_none(stream)) is None:
        pass
    return message


def next_or_none(stream):
    """The next message; none when the stream had to be opened again, which the SDK tries once."""
    try:
        return stream.next_message()
    except Exception:
        time.sleep(0.1)
        return None


CASES = [
    secrets, state, state_query, configuration, locks, cryptography, conversations, output_binding, input_binding, publishing,
    bulk_publishing, streaming, jobs, outbox, invocation, metadata, streaming_over_a_restart,
]  # fmt: skip


def expect_error(call, text):
    try:
        call()
    except Exception as error:
        assert text.lower() in str(error).lower(), error
        return
    raise AssertionError("an error was expected")


def wait_for(found, wanted):
    while True:
        one = found.get(timeout=PATIENCE)
        if wanted(one):
            return one


def say(line):
    print(line, flush=True)


def main():
    warnings.simplefilter("ignore")
    threading.Thread(target=app.run, args=[int(os.environ["APP_PORT"])], daemon=True).start()
    DaprHealth.wait_for_sidecar()
    with DaprClient() as dapr:
        for case in CASES:
            try:
                case(dapr)
                say(f"passed {case.__name__}")
            except Exception as error:
                traceback.print_exc()
                say(f"failed {case.__name__}: {error!r}")
    say("finished")


main()
