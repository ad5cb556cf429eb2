"""The job `reload` of bench.py: whether requests fail or wait while a contestant takes a new configuration.

The client asks at a steady rate over kept connections and reads each answer. A connection that is closed while it waits
for a request is replaced; a request that was sent and gets no whole answer with status 200 is a failure.
"""
import select
import socket
import sys
import time

from jobs import ask

RATE = 2000
REQUEST = "GET /1k HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n"
# After the reload all users go to the service.
ROUTES, SHARE = 1000, 100


class Kept:
    """A connection that is kept, and the request on it, if any."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 5)
        self.socket.setblocking(False)
        self.due, self.answer = None, b""
        self.request = REQUEST.format(port).encode()

    def send(self, due):
        self.due, self.answer = due, b""
        self.socket.sendall(self.request)

    def read(self):
        """True when the answer is whole, False as long as it is not, None when the connection is gone."""
        try:
            part = self.socket.recv(65536)
        except BlockingIOError:
            return False
        except OSError:
            return None
        if not part:
            return None
        self.answer += part
        return self.answer.endswith(b"a" * 1024)


class Load:
    """Requests at a steady rate for so many seconds, and what became of them."""

    def __init__(self, port):
        self.port, self.poll = port, select.epoll()
        self.waiting, self.asked = [], {}
        self.times, self.failed, self.opened = [], 0, 0

    def run(self, seconds, half_way=lambda: None):
        start = time.perf_counter()
        total, sent, middle = int(seconds * RATE), 0, False
        while sent < total or self.asked:
            now = time.perf_counter() - start
            if now > seconds + 5:
                self.failed += len(self.asked)
                break
            if not middle and now > seconds / 2:
                middle = True
                half_way()
            while sent < min(total, int(now * RATE) + 1):
                self.begin(start + sent / RATE)
                sent += 1
            for number, _ in self.poll.poll(0.0003):
                self.hear(number)
        self.close()
        self.times.sort()
        return {"requests": sent, "failed": self.failed, "opened": self.opened,
                "p99": self.times[len(self.times) * 99 // 100] * 1000, "longest": self.times[-1] * 1000}

    def begin(self, due):
        while True:
            if self.waiting:
                connection = self.waiting.pop()
                # What was closed meanwhile is not used: only then has a request that fails been sent.
                if connection.read() is None:
                    self.drop(connection)
                    continue
            else:
                try:
                    connection = Kept(self.port)
                except OSError:
                    self.failed += 1
                    return
                self.opened += 1
                self.poll.register(connection.socket, select.EPOLLIN)
            break
        self.asked[connection.socket.fileno()] = connection
        try:
            connection.send(due)
        except OSError:
            self.failed += 1
            self.drop(connection)

    def hear(self, number):
        connection = self.asked.get(number)
        if not connection:
            self.hear_from_waiting(number)
            return
        whole = connection.read()
        if whole is None:
            self.failed += 1
            self.drop(connection)
        elif whole:
            self.times.append(time.perf_counter() - connection.due)
            head = connection.answer.split(b"\r\n\r\n", 1)[0].lower()
            self.failed += b" 200 " not in head.split(b"\r\n", 1)[0]
            if b"connection: close" in head:
                self.drop(connection)
            else:
                del self.asked[number]
                self.waiting.append(connection)

    def hear_from_waiting(self, number):
        for connection in [one for one in self.waiting if one.socket.fileno() == number]:
            if connection.read() is None:
                self.waiting.remove(connection)
                self.drop(connection)

    def drop(self, connection):
        self.asked.pop(connection.socket.fileno(), None)
        self.poll.unregister(connection.socket)
        connection.socket.close()

    def close(self):
        for connection in [*self.asked.values(), *self.waiting]:
            self.drop(connection)
        self.poll.close()


def side(port, user):
    """Who answers for the tasks of a user."""
    status, fields, _ = ask(port, "/tasks/1", headers={"X-User": user})
    if status != 200:
        sys.exit(f"{status} for {user}")
    return fields["X-Side"]


def run(field, job, options):
    """For each contestant, started for this alone, a run without a reload and one with it."""
    found, seconds = {}, 2 if options.quick else 5
    for name, key in job.keys(field.known()).items():
        contestant = field.start(key)
        try:
            user = next(user for user in (f"user-{number}" for number in range(100))
                        if side(contestant.port, user) == "monolith")
            Load(contestant.port).run(1)
            still = Load(contestant.port).run(seconds)
            reloaded = Load(contestant.port).run(
                seconds, lambda: field.reload(contestant, routes=ROUTES, share=SHARE))
            if side(contestant.port, user) != "service":
                sys.exit(f"{name} goes by its former configuration after the reload")
            found[name] = {"without": still, "with": reloaded}
        finally:
            field.stop(contestant)
        print(f"  reload {name:8} {reloaded['failed']} of {reloaded['requests']} failed", file=sys.stderr)
    return found
