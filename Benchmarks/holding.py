"""The job `idle` of bench.py: what a connection that only waits costs in memory."""
import resource
import select
import socket
import struct
import sys
import time

WANTED = 10_000
REQUEST = "GET /1k HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n"
# Of no account for what the gateways hold, but 10 000 ports are not to be had of every address on every machine.
PER_ADDRESS = 1000


def raise_limit():
    """As many descriptors as we may have; all that we start get as many."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(most, 65536), max(most, 65536)))
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def count():
    """How many connections there can be: banyan lets clients have half of its descriptors."""
    return min(WANTED, (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 1000) // 2)


def open_one(number, port):
    """A connection that has had one request, or None when that failed."""
    connection = socket.socket()
    connection.settimeout(10)
    # Closing then leaves nothing behind that would hold a port.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.bind((f"127.0.0.{2 + number // PER_ADDRESS}", 0))
    try:
        connection.connect(("127.0.0.1", port))
        connection.sendall(REQUEST.format(port).encode())
        answer = b""
        while not answer.endswith(b"a" * 1024):
            part = connection.recv(4096)
            if not part:
                raise OSError("closed")
            answer += part
        return connection
    except OSError:
        connection.close()
        return None


def hold(contestant, wanted):
    """Opens the connections; what each costs in bytes, and how many failed or did not last."""
    # What a process takes once for its first requests is not the connections'.
    first = [open_one(number, contestant.port) for number in range(64)]
    if None in first:
        sys.exit(f"{contestant.name} does not answer")
    for connection in first:
        connection.close()
    time.sleep(1)
    before, held, poll = contestant.own_memory(), [], select.poll()
    try:
        for number in range(wanted):
            connection = open_one(number, contestant.port)
            if connection:
                held.append(connection)
                poll.register(connection, select.POLLIN | select.POLLRDHUP)
        time.sleep(2)
        after = contestant.own_memory()
        lost = len(poll.poll(0))
        return {"bytes": (after - before) * 1024 / max(len(held), 1), "before": before, "after": after,
                "connections": len(held), "failed": wanted - len(held), "lost": lost}
    finally:
        for connection in held:
            connection.close()


def run(field, job, options):
    """The memory of idle connections for each contestant, which is started for this alone."""
    found = {}
    for name, key in job.keys(field.known()).items():
        contestant = field.start(key)
        try:
            found[name] = hold(contestant, min(4000, count()) if options.quick else count())
        finally:
            field.stop(contestant)
        print(f"  idle {name:8} {found[name]['bytes']:8.0f} bytes a connection", file=sys.stderr)
    return found
