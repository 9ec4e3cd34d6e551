"""Read names of JUnit files, and write the counts of junitparser for each as a line of JSON."""

import json
import sys

from junitparser import Error, Failure, JUnitXml, Skipped

for name in sys.stdin.read().splitlines():
    said = {"file": name, "count": 0, "bad": 0, "skipped": 0}
    try:
        parsed = JUnitXml.fromfile(name)
        suites = parsed if isinstance(parsed, JUnitXml) else [parsed]
        for case in (case for suite in suites for case in suite):  # of nested suites too
            kinds = {type(result) for result in case.result}
            said["count"] += 1
            said["bad"] += bool(kinds & {Error, Failure})
            said["skipped"] += Skipped in kinds and not kinds & {Error, Failure}
    except Exception as error:  # noqa: BLE001 - whatever it says of the file
        said = {"file": name, "died": f"{type(error).__name__}: {error}"}
    sys.stdout.write(json.dumps(said) + "\n")
