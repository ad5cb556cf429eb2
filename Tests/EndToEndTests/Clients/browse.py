"""Opens a page in Chromium and evaluates expressions of JavaScript in it, one after the other.

    browse.py BROWSER PROFILE URL EXPRESSION ...

An expression is asked again until it is neither false, null nor empty, or half a minute is over. What each came to is
printed in one list, `found`; one that came to nothing ends the list.
"""

import asyncio
import json
import pathlib
import subprocess
import sys

import websockets

PATIENCE = 30


async def wait_for(what):
    """What `what()` comes to once that is something; None when it takes too long."""
    end = asyncio.get_running_loop().time() + PATIENCE
    while asyncio.get_running_loop().time() < end:
        found = what()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        await asyncio.sleep(0.05)
    return None


async def browse(profile, url, steps):
    port_file = pathlib.Path(profile, "DevToolsActivePort")
    lines = await wait_for(lambda: port_file.exists() and port_file.read_text().split())
    async with websockets.connect(f"ws://127.0.0.1:{lines[0]}{lines[1]}", max_size=None) as browser:
        number = 0

        async def call(method, session=None, **parameters):
            nonlocal number
            number += 1
            message = {"id": number, "method": method, "params": parameters}
            if session:
                message["sessionId"] = session
            await browser.send(json.dumps(message))
            while True:
                answer = json.loads(await asyncio.wait_for(browser.recv(), PATIENCE))
                if answer.get("id") == number:
                    return answer.get("result", {})

        target = await call("Target.createTarget", url=url)
        attached = await call("Target.attachToTarget", targetId=target["targetId"], flatten=True)

        async def evaluate(expression):
            answer = await call(
                "Runtime.evaluate", attached["sessionId"], expression=expression, returnByValue=True, awaitPromise=True
            )
            return answer.get("result", {}).get("value")

        found = []
        for step in steps:
            found.append(await wait_for(lambda: evaluate(step)))
            if not found[-1]:
                break
        await call("Browser.close")
        return found


def main():
    program, profile, url, *steps = sys.argv[1:]
    browser = subprocess.Popen(
        [
            program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0",
            f"--user-data-dir={profile}", "about:blank",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        print(json.dumps({"found": asyncio.run(browse(profile, url, steps))}))
        browser.wait(PATIENCE)
    finally:
        browser.kill()


main()
