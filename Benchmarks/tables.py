"""What bench.py prints: tables in Markdown, and a plot as SVG."""
import statistics
from xml.sax.saxutils import escape

from jobs import JOBS

NAMES = {"nginx": "nginx", "haproxy": "HAProxy", "envoy": "Envoy", "caddy": "Caddy", "node": "Node",
         "fastapi": "FastAPI", "krakend": "KrakenD", "banyan": "Banyan"}


def name_of(job, peer):
    return JOBS[job].label if peer == "nginx" else NAMES[peer]


def ratios(results):
    """Processor time over nginx's of each contestant, round by round; a round in which it had no turn is left out."""
    return {peer: [one["cpu"] / other["cpu"] for one, other in zip(rounds, results["nginx"]) if one and other]
            for peer, rounds in results.items()}


def of_all(rounds, word, form, inner=None):
    """The median over rounds of a figure, as text."""
    found = [one[inner] if inner else one for one in rounds if one and (not inner or inner in one)]
    values = [one[word] for one in found if one[word] is not None]
    return form(statistics.median(values)) if values else "–"


def time_of(milliseconds):
    if milliseconds < 1:
        return f"{milliseconds * 1000:.0f} µs"
    return f"{milliseconds:.1f} ms" if milliseconds < 100 else f"{milliseconds:.0f} ms"


def number_of(value):
    return f"{value:,.0f}".replace(",", " ") if value >= 10_000 else f"{value:.0f}"


def table(job, results, peaks):
    """The lines of the table of a job whose requests are counted."""
    what = "handshake" if job == "handshakes" else "request"
    over = name_of(job, "nginx")
    lines = [f"### {job}: {JOBS[job].title}", "",
             f"| | CPU µs a {what} | over {over}: median (least–most) | {what}s/s | p50, p99 | "
             "p50, p99 with one connection | memory at most | errors |",
             "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    found = ratios(results)
    for peer in sorted(found, key=lambda peer: statistics.median(found[peer])):
        rounds, ratio = results[peer], found[peer]
        errors = sorted({error for one in rounds if one for error in one["errors"]})
        loaded = ", ".join(of_all(rounds, share, time_of) for share in ("p50", "p99"))
        alone = ", ".join(of_all(rounds, share, time_of, "alone") for share in ("p50", "p99"))
        lines.append(
            f"| {name_of(job, peer)} | {of_all(rounds, 'cpu', '{:.1f}'.format)} | {statistics.median(ratio):.2f} "
            f"({min(ratio):.2f}–{max(ratio):.2f}) | {of_all(rounds, 'rate', number_of)} | "
            f"{'–' if loaded.startswith('–') else loaded} | {alone} | {peaks[peer] / 1024:.0f} MiB | "
            f"{'; '.join(errors) or 'none'} |")
    return lines + [""]


def table_of_idle(job, found):
    lines = [f"### {job}: {JOBS[job].title}", "",
             "| | bytes a connection | over nginx | memory before and with them | connections | errors |",
             "| --- | ---: | ---: | ---: | ---: | ---: |"]
    for peer in sorted(found, key=lambda peer: found[peer]["bytes"]):
        one = found[peer]
        errors = ", ".join(f"{one[word]} {word}" for word in ("failed", "lost") if one[word])
        lines.append(
            f"| {NAMES[peer]} | {number_of(one['bytes'])} | {one['bytes'] / found['nginx']['bytes']:.2f} | "
            f"{one['before'] / 1024:.1f} MiB, {one['after'] / 1024:.1f} MiB | {number_of(one['connections'])} | "
            f"{errors or 'none'} |")
    return lines + [""]


def table_of_reload(job, found):
    lines = [f"### {job}: {JOBS[job].title}", "",
             "| | requests | failed without, with a reload | p99 without, with | longest without, with | "
             "connections opened without, with |", "| --- | ---: | ---: | ---: | ---: | ---: |"]
    for peer in sorted(found, key=lambda peer: (found[peer]["with"]["failed"], found[peer]["with"]["longest"])):
        pair = found[peer]["without"], found[peer]["with"]
        lines.append(
            f"| {NAMES[peer]} | {number_of(pair[1]['requests'])} | " + " | ".join(
                ", ".join(form(one[word]) for one in pair) for word, form in (
                    ("failed", str), ("p99", time_of), ("longest", time_of), ("opened", str))) + " |")
    return lines + [
        "", "Envoy takes no part: it has new routes from a server of its own protocol, not from a file.", ""]


def lines_of(job, found, peaks):
    """The lines of the table of any job."""
    kind = JOBS[job].kind
    if kind == "idle":
        return table_of_idle(job, found)
    return table_of_reload(job, found) if kind == "reload" else table(job, found, peaks)


def plot(jobs):
    """Bars of what a request costs over what it costs nginx, as SVG, job by job; memory for idle connections."""
    width, left, most, line = 720, 112, 6, 18
    full = width - left - 70
    unit = round(full / most)
    rows, y = ['<text x="16" y="28" font-size="15" font-weight="bold">Processor time of a request over nginx’s '
               '(shorter is better)</text>'], 40
    for job, found in jobs.items():
        kind = JOBS[job].kind
        if kind == "reload":
            continue
        if kind == "idle":
            medians = {peer: one["bytes"] / found["nginx"]["bytes"] for peer, one in found.items()}
        else:
            medians = {peer: statistics.median(ratio) for peer, ratio in ratios(found).items()}
        title = f"{job}: {JOBS[job].title}" + (" (memory)" if kind == "idle" else "")
        y += 28
        rows.append(f'<text x="16" y="{y}" font-size="12" font-weight="bold">{escape(title)}</text>')
        y += 8
        top = y
        for peer in sorted(medians, key=medians.get):
            ratio = medians[peer]
            bar = round(min(ratio, most) / most * full)
            colour = {"banyan": "#15803d", "nginx": "#475569"}.get(peer, "#94a3b8")
            weight = ' font-weight="bold"' if peer == "banyan" else ""
            text = f"{ratio:.2f}" if ratio < 20 else f"{ratio:.0f}"
            # A bar that is cut off shows a gap; no figure stands on the line of nginx.
            gap = f'<path d="M{left + bar - 24} {y + line} l8 -{line} h5 l-8 {line} z" fill="#fff"/>'
            x = left + (bar if bar >= unit or bar < unit - 40 else unit) + 6
            rows.append(
                f'<text x="{left - 8}" y="{y + 12}" text-anchor="end"{weight}>{name_of(job, peer)}</text>'
                f'<rect x="{left}" y="{y + 2}" width="{bar}" height="{line - 5}" fill="{colour}"/>'
                + (gap if ratio > most else "") + f'<text x="{x}" y="{y + 12}"{weight}>{text}</text>')
            y += line
        rows.append(f'<path d="M{left + unit} {top - 1} V{y}" stroke="#0f172a" stroke-dasharray="3 3"/>')
    y += 20
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" viewBox="0 0 {width} {y}" '
            f'font-family="DejaVu Sans, Verdana, Helvetica, sans-serif" font-size="11" fill="#0f172a">'
            f'<rect width="{width}" height="{y}" rx="6" fill="#fff"/>\n' + "\n".join(rows) + "\n</svg>\n")
