"""gRPC without generated code: messages are plain bytes.

    grpc_peer.py server [FILE]   serves until it is killed; prints its port; while FILE is there its health is bad
    grpc_peer.py client TARGET   makes calls of each kind and prints what came of them, as one JSON object
    grpc_peer.py refuse TARGET   makes calls that are refused, 200 of each kind, and counts how they ended
    grpc_peer.py stall TARGET    reads one answer not at all, and makes calls beside it
"""

import collections
import json
import os
import sys
import threading
import time
from concurrent import futures

import grpc

cancelled = threading.Event()


def unary(request, context):
    context.send_initial_metadata((("x-initial", "first"),))
    context.set_trailing_metadata((("x-trailing", "last"), ("x-user", dict(context.invocation_metadata()).get("x-user", ""))))
    if request == b"fail":
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not today: 100% sure")
    if request == b"left":
        return str(int(context.time_remaining())).encode()
    if request == b"slow":
        context.add_callback(cancelled.set)
        time.sleep(3)
    if request == b"was cancelled":
        return b"yes" if cancelled.wait(5) else b"no"
    return request[::-1]


def one_to_many(request, context):
    for number in range(int(request)):
        yield str(number).encode()


def flood(request, context):
    for _ in range(4_096):
        yield b"x" * 16_384


def many_to_one(requests, context):
    return str(sum(len(request) for request in requests)).encode()


def many_to_many(requests, context):
    for request in requests:
        yield request.upper()


def health(request, context):
    """grpc.health.v1.Health/Check: the server as a whole, and the service "shop"."""
    if request not in (b"", b"\x0a\x04shop"):
        context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
    bad = len(sys.argv) > 2 and os.path.exists(sys.argv[2])
    return b"\x08\x02" if bad else b"\x08\x01"


class Handlers(grpc.GenericRpcHandler):
    def service(self, details):
        return {
            "/grpc.health.v1.Health/Check": grpc.unary_unary_rpc_method_handler(health),
            "/test.Echo/Unary": grpc.unary_unary_rpc_method_handler(unary),
            "/test.Echo/OneToMany": grpc.unary_stream_rpc_method_handler(one_to_many),
            "/test.Echo/Flood": grpc.unary_stream_rpc_method_handler(flood),
            "/test.Echo/ManyToOne": grpc.stream_unary_rpc_method_handler(many_to_one),
            "/test.Echo/ManyToMany": grpc.stream_stream_rpc_method_handler(many_to_many),
        }.get(details.method)


def serve():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
    server.add_generic_rpc_handlers((Handlers(),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


def status(call):
    """The code and the words that a failing call ends with."""
    try:
        call()
        return "OK"
    except grpc.RpcError as error:
        return f"{error.code().name}: {error.details()}"


def converse(channel):
    """A conversation in which each side waits for the other."""
    heard = threading.Semaphore(0)
    answers = []

    def say():
        for word in (b"one", b"two", b"three"):
            yield word
            heard.acquire(timeout=10)

    for answer in channel.stream_stream("/test.Echo/ManyToMany")(say(), timeout=20):
        answers.append(answer.decode())
        heard.release()
    return answers


def ask(target):
    with grpc.insecure_channel(target) as channel:
        one = channel.unary_unary("/test.Echo/Unary")
        answer, call = one.with_call(b"abc", timeout=20, metadata=(("x-user", "ada"),))
        result = {
            "unary": answer.decode(),
            "initial": dict(call.initial_metadata()).get("x-initial"),
            "trailing": dict(call.trailing_metadata()).get("x-trailing"),
            "metadata": dict(call.trailing_metadata()).get("x-user"),
            "large": one(b"x" * 3_000_000 + b"y", timeout=20) == b"y" + b"x" * 3_000_000,
            "one to many": len(list(channel.unary_stream("/test.Echo/OneToMany")(b"1000", timeout=20))),
            "many to one": channel.stream_unary("/test.Echo/ManyToOne")(
                (b"x" * 1000 for _ in range(500)), timeout=20
            ).decode(),
            "many to many": converse(channel),
            "failure": status(lambda: one(b"fail", timeout=20)),
            "unknown": status(lambda: channel.unary_unary("/test.Echo/Nothing")(b"", timeout=20)).split(":")[0],
            "deadline passes": one(b"left", timeout=20).decode() in ("18", "19", "20"),
            "deadline": status(lambda: one(b"slow", timeout=0.3)).split(":")[0],
            "server saw the deadline": one(b"was cancelled", timeout=20).decode(),
        }
        cancelled_call = one.future(b"slow", timeout=20)
        time.sleep(0.3)
        cancelled_call.cancel()
        result["cancel"] = cancelled_call.code().name
        print(json.dumps(result))


def refuse(target):
    """What a server answers that refuses a call before it has read it, again and again."""
    with grpc.insecure_channel(target) as channel:
        calls = {
            "unknown": channel.unary_unary("/test.Echo/Nothing"),
            "aborted": channel.unary_unary("/test.Echo/Unary"),
        }
        ends = {name: collections.Counter() for name in calls}
        for number in range(200):
            body = b"fail" if number % 2 else b"fail" + b"x" * 50_000
            ends["unknown"][status(lambda: calls["unknown"](body, timeout=20)).split(":")[0]] += 1
            ends["aborted"][status(lambda: calls["aborted"](b"fail", timeout=20))] += 1
        streams = channel.stream_stream("/test.Echo/Nothing")
        ends["stream"] = collections.Counter(
            status(lambda: list(streams((b"x" * 10_000 for _ in range(20)), timeout=20))).split(":")[0]
            for _ in range(50)
        )
        print(json.dumps(ends))


def stall(target):
    """One answer that nobody reads, and calls of another client beside it."""
    alone = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(target, alone) as slow, grpc.insecure_channel(target, alone) as busy:
        stalled = slow.unary_stream("/test.Echo/Flood")(b"", timeout=60)
        next(stalled)
        one = busy.unary_unary("/test.Echo/Unary")
        answers = [one(b"x" * 100_000, timeout=10) for _ in range(100)]
        pieces = 1 + sum(1 for _ in stalled)
        print(json.dumps({"answers": len(answers), "pieces": pieces}))


if __name__ == "__main__":
    if sys.argv[1] == "server":
        serve()
    else:
        {"client": ask, "refuse": refuse, "stall": stall}[sys.argv[1]](sys.argv[2])
