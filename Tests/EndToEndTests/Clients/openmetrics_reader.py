"""Reads figures with the parser of the prometheus_client package: openmetrics_reader.py FILE. The parser is strict: order
of lines, names of counters, bounds, lengths of exemplars. Prints one JSON object."""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families


def main(path: str) -> None:
    with open(path, encoding="utf-8") as file:
        families = list(text_string_to_metric_families(file.read()))
    samples = [sample for family in families for sample in family.samples]
    print(json.dumps({
        "types": {family.name: family.type for family in families},
        "samples": len(samples),
        "exemplars": [sample.exemplar.labels for sample in samples if sample.exemplar],
    }))


main(*sys.argv[1:])
