"""The list of bench.py: 50 tasks, into each of which its user is put; all 20 users come by one request."""
import os
import re

from views import text_of

LIST = "/list"
TASKS, USERS = "/tasks?size=50", "/users?ids="
HERE = os.path.dirname(os.path.abspath(__file__))


def tasks():
    return [{
        "id": 4700 + number, "user_id": f"u-{2000 + number * 7 % 20}", "organization_id": 17,
        "title": f"Replace the pump in hall {number}", "status": "open", "priority": number % 3, "estimate_hours": 6.5,
        "archived": False, "parent": None, "labels": ["pump", "spare part ordered"],
        "created_at": "2026-03-02T08:14:55Z", "location": {"building": "B", "floor": 0}} for number in range(50)]


def users():
    return {f"u-{2000 + number}": {
        "id": f"u-{2000 + number}", "name": f"Chloë Martin {number}", "email": f"chloe.{number}@example.org",
        "role": "maintainer", "active": True, "locale": "fr-CA", "teams": [{"id": 3, "name": "Maintenance"}],
        "created_at": "2021-11-30T10:02:11Z"} for number in range(20)}


def asked():
    """The identifiers of the users, each once, in the order of the tasks."""
    return list(dict.fromkeys(task["user_id"] for task in tasks()))


def expected():
    found = users()
    return {"items": [{**task, "user": found[task["user_id"]]} for task in tasks()], "total": 50}


def upstream(stage, port):
    """The server that has both. Whoever asks for other users than those of the tasks, or twice for one, gets a 400."""
    found = users()
    files = [stage.write(name, text_of(value)) for name, value in (
        ("tasks.json", {"items": tasks(), "total": 50}), ("users.json", {"items": [found[key] for key in asked()]}))]
    return (f"server {{ listen 127.0.0.1:{port} backlog=4096; default_type application/json;\n"
            f"location = /tasks {{ alias {files[0]}; }}\n"
            f"location = /users {{ if ($arg_ids != '{','.join(asked())}') {{ return 400; }} alias {files[1]}; }} }}\n")


def list_of_nginx(port, upstream_port):
    """What stands in the http block of an nginx that composes the list in Lua."""
    with open(os.path.join(HERE, "peers", "list.nginx.conf")) as file:
        conf = file.read()
    for word, value in (("FOLDER", os.path.join(HERE, "peers")), ("LISTED", upstream_port), ("LIST", port)):
        conf = re.sub(rf"\b{word}\b", str(value), conf)
    return conf


def route_of_banyan():
    return {"match": f"GET {LIST}", "aggregate": {
        "tasks": {"from": "lists", "get": TASKS, "merge": True},
        "users": {"from": "lists", "batch": "tasks.items[*].user_id", "get": USERS + "{each,}", "pick": "/items",
                  "into": "tasks.items[*].user"}}}
