#!/usr/bin/env python3
"""Counts the instructions and allocations of single operations, and compares them with what the tree says.

    Benchmarks/micro.py PROGRAM [--update] [OPERATION]...

PROGRAM is what scripts/micro.sh builds. Each operation runs under callgrind twice, so often and three times as often:
the difference is what it costs once all is warm, without what it takes to begin. Exit code 1 when an operation takes
over 5 % more instructions than Benchmarks/Micro/thresholds.json says, or more allocations.
"""

import argparse
import concurrent.futures
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

THRESHOLDS = Path(__file__).parent / "Micro" / "thresholds.json"
TIMES = 200
"""How often an operation is done in the shorter of its two runs; as many digits as in the longer one."""
GROWTH = 0.05
"""The share of instructions that may come on top."""

ALLOCATORS = {
    prefix + name
    for prefix in ("", "__libc_")
    for name in ("malloc", "calloc", "realloc", "memalign", "posix_memalign", "aligned_alloc")
}
ENVIRONMENT = {
    # Which of its copies of memcpy and the like the C library takes depends on the processor: these leave one of each.
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=" + ",".join(
        "-" + name for name in (
            "AVX512F", "AVX512VL", "AVX512BW", "AVX2", "AVX", "AVX_Fast_Unaligned_Load", "BMI2", "RTM", "SSE4_2",
            "SSE4_1", "SSSE3", "ERMS", "FSRM")),
    "SWIFT_DETERMINISTIC_HASHING": "1",
    "LC_ALL": "C",
    "PATH": os.defpath,
}
VALGRIND = shutil.which("valgrind")


def fixed_addresses():
    """What makes the addresses of a program the same in each run; nothing where that is not allowed."""
    command = ["setarch", platform.machine(), "--addr-no-randomize"]
    try:
        return command if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0 else []
    except OSError:
        return []


PREFIX = fixed_addresses()
"""Without it a count varies by one instruction or two: Swift reads addresses as text when a program begins."""


def counts(program, operation, times):
    """The instructions and allocations of a run."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        command = [*PREFIX, VALGRIND, "--quiet", "--tool=callgrind", "--dump-line=no", f"--callgrind-out-file={out}"]
        # By the same name wherever it is: names and variables lie on the stack, and move all that lies below.
        run = subprocess.run(
            [*command, f"./{program.name}", operation, str(times)], cwd=program.parent, env=ENVIRONMENT,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if run.returncode != 0:
            sys.exit(f"micro: {operation} fails:\n{run.stdout}")
        return read(out)


def read(path):
    """The instructions and allocations of a run, of callgrind's account of it."""
    instructions = allocations = 0
    allocators = set()
    called = None
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith(("fn=(", "cfn=(")):
                # A function is called by its number, which stands with its name where it comes first.
                number, _, name = line.partition("(")[2].rstrip("\n").partition(")")
                # A tick and a number tell how deep a function is within itself.
                if name.strip().partition("'")[0] in ALLOCATORS:
                    allocators.add(number)
                if line.startswith("c"):
                    called = number
            elif line.startswith("calls=") and called in allocators:
                allocations += int(line[len("calls="):].split()[0])
            elif line.startswith("totals:"):
                instructions = int(line.split()[1])
    return instructions, allocations


def measure(program, operation):
    """What an operation costs once: instructions and allocations."""
    first, second = counts(program, operation, TIMES), counts(program, operation, 3 * TIMES)
    instructions, allocations = ((after - before) / (2 * TIMES) for before, after in zip(first, second))
    if instructions < 10:
        sys.exit(f"micro: {operation} is left out by the compiler: {instructions} instructions")
    allocations = int(allocations) if allocations.is_integer() else round(allocations, 2)
    return {"instructions": round(instructions), "allocations": allocations}


def tools():
    """The versions of what the counts depend on besides the tree."""
    def said(*command):
        try:
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            return ""

    swift = said("swift", "--version").partition("Swift version ")[2].split(" ")[0]
    libc = (os.confstr("CS_GNU_LIBC_VERSION") or "") if hasattr(os, "confstr") else ""
    return f"Swift {swift}, {libc}, nghttp2 {said('pkg-config', '--modversion', 'libnghttp2').strip()}"


def compiler(versions):
    """The compiler among the versions of ``tools()``."""
    return versions.partition(",")[0]


def load():
    """The thresholds of all kinds of machines."""
    return json.loads(THRESHOLDS.read_text(encoding="utf-8")) if THRESHOLDS.exists() else {}


def store(thresholds):
    """Writes the thresholds, an operation a line."""
    machines = []
    for machine, entry in sorted(thresholds.items()):
        lines = [f"      {json.dumps(name)}: {json.dumps(costs)}" for name, costs in entry["operations"].items()]
        machines.append(
            f"  {json.dumps(machine)}: {{\n    \"tools\": {json.dumps(entry['tools'])},\n    \"operations\": {{\n"
            + ",\n".join(lines) + "\n    }\n  }")
    THRESHOLDS.write_text("{\n" + ",\n".join(machines) + "\n}\n", encoding="utf-8")


def verdict(found, allowed):
    """What is to be said of an operation, and whether it costs too much."""
    if allowed is None:
        return "has no threshold: scripts/micro.sh --update", True
    more = found["instructions"] / allowed["instructions"] - 1
    said = f"{more:+.1%}"
    if found["allocations"] > allowed["allocations"]:
        return f"{said}, MORE ALLOCATIONS: {allowed['allocations']:g} are allowed", True
    if more > GROWTH:
        return f"{said}, TOO MANY: {allowed['instructions']} were expected", True
    if more < -GROWTH or found["allocations"] < allowed["allocations"]:
        return f"{said}, less: lower the threshold with scripts/micro.sh --update", False
    return said, False


def main():
    """Reads the command line, counts, and compares or writes."""
    parser = argparse.ArgumentParser(description="Counts what single operations cost.")
    parser.add_argument("program", help="what scripts/micro.sh builds")
    parser.add_argument("operations", nargs="*", metavar="OPERATION", help="these alone")
    parser.add_argument("--update", action="store_true", help="write the counts as thresholds")
    arguments = parser.parse_args()
    program = Path(arguments.program).resolve()

    known = subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()
    unknown = [name for name in arguments.operations if name not in known]
    if unknown:
        parser.error(f"no operation {unknown[0]}; there are: {' '.join(known)}")
    wanted = [name for name in known if name in arguments.operations or not arguments.operations]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = dict(zip(wanted, pool.map(lambda name: measure(program, name), wanted)))

    thresholds = load()
    machine = platform.machine()
    entry = thresholds.get(machine, {"tools": "", "operations": {}})
    allowed = entry["operations"]
    if arguments.update:
        costs = {name: found.get(name) or allowed.get(name) for name in known}
        thresholds[machine] = {"tools": tools(), "operations": {name: cost for name, cost in costs.items() if cost}}
        store(thresholds)
        print(f"micro: {len(found)} thresholds are written")
        return 0

    failed = []
    print(f"{'operation':<22}{'instructions':>14}{'allocations':>13}")
    for name, costs in found.items():
        words, is_too_much = verdict(costs, allowed.get(name)) if machine in thresholds else ("", False)
        print(f"{name:<22}{costs['instructions']:>14}{costs['allocations']:>13g}  {words}".rstrip())
        if is_too_much:
            failed.append(name)
    if machine not in thresholds:
        print(f"micro: there are no thresholds for {machine}")
    gone = [] if arguments.operations else [name for name in allowed if name not in known]
    for name in gone:
        print(f"micro: {name} has a threshold and is no operation any more: scripts/micro.sh --update")
    if not failed and not gone:
        return 0
    if entry["tools"] != tools():
        print(f"micro: the thresholds were made with {entry['tools']}; this is {tools()}")
        # Another compiler makes another program: what it costs is nobody's fault here.
        if compiler(entry["tools"]) != compiler(tools()):
            print("micro: another compiler, so that nothing fails")
            return 0
    print(f"micro: FAILED: {', '.join(failed + gone)}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
