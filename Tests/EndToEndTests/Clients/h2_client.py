"""HTTP/2 in clear by the h2 package: h2_client.py HOST PORT. Uploads with flow control, reads the answer slowly with
windows of its own, and takes a second request along. Prints one JSON object."""

import json
import socket
import sys

import h2.config
import h2.connection
import h2.events

SIZE = 1_000_000


def main(host: str, port: str) -> None:
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
    wire = socket.create_connection((host, int(port)), timeout=20)
    connection.initiate_connection()
    head = [(":method", "POST"), (":scheme", "http"), (":authority", "api.test"), (":path", "/echo")]
    connection.send_headers(1, head)
    get = [(":method", "GET"), (":scheme", "http"), (":authority", "api.test"), (":path", "/beside")]
    connection.send_headers(3, get, end_stream=True)
    rest = bytes(number % 251 for number in range(SIZE))
    sent = rest
    answers = {1: b"", 3: b""}
    statuses = {}
    open_streams = {1, 3}
    while open_streams:
        while rest:
            room = min(connection.local_flow_control_window(1), connection.max_outbound_frame_size, len(rest))
            if room == 0:
                break
            connection.send_data(1, rest[:room], end_stream=room == len(rest))
            rest = rest[room:]
        wire.sendall(connection.data_to_send())
        received = wire.recv(65_536)
        if not received:
            break
        for event in connection.receive_data(received):
            if isinstance(event, h2.events.ResponseReceived):
                statuses[event.stream_id] = dict(event.headers)[":status"]
            elif isinstance(event, h2.events.DataReceived):
                answers[event.stream_id] += event.data
                connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                open_streams.discard(event.stream_id)
            elif isinstance(event, h2.events.StreamReset):
                statuses[event.stream_id] = f"reset {event.error_code}"
                open_streams.discard(event.stream_id)
    print(json.dumps({"statuses": statuses, "echoed": answers[1] == sent, "beside": answers[3].decode()}))


main(*sys.argv[1:])
