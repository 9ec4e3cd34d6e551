"""Read names of subunit files, and write the counts of python-subunit for each as a line of JSON."""

import io
import json
import sys
from pathlib import Path

import subunit
from testtools import StreamToDict

BAD = {"fail", "error", "exists", "inprogress", "uxsuccess", "addFailure", "addError", "addUnexpectedSuccess"}
SKIPPED = {"skip", "xfail", "addSkip", "addExpectedFailure"}


class Recorder:
    """A result that keeps the names of the calls that are outcomes."""

    def __init__(self):
        self.outcomes = []

    def __getattr__(self, name):
        if not name.startswith("add"):
            return lambda *_arguments, **_keywords: None
        return lambda *_arguments, **_keywords: self.outcomes.append(name)


def version_1(data):
    recorder = Recorder()
    subunit.TestProtocolServer(recorder, stream=io.BytesIO()).readFrom(io.BytesIO(data))
    return recorder.outcomes


def version_2(data):
    tests = []
    result = StreamToDict(tests.append)
    result.startTestRun()
    subunit.ByteStreamToStreamResult(io.BytesIO(data), non_subunit_name="noise").run(result)
    result.stopTestRun()
    last = {test["id"]: test["status"] for test in tests if test["id"]}
    ended = {name for name, status in last.items() if status not in {"exists", "inprogress"}}
    return [status for test in tests if (status := test["status"]) not in {"exists", "inprogress"} and test["id"]] + [
        status for name, status in last.items() if name not in ended
    ]


for name in sys.stdin.read().splitlines():
    data = Path(name).read_bytes()
    try:
        outcomes = version_2(data) if b"\xb3" in data else version_1(data)
        said = {
            "count": len(outcomes),
            "bad": sum(each in BAD for each in outcomes),
            "skipped": sum(each in SKIPPED for each in outcomes),
        }
    except Exception as error:  # noqa: BLE001 - whatever it says of the file
        said = {"died": f"{type(error).__name__}: {error}"}
    sys.stdout.write(json.dumps({"file": name, **said}) + "\n")
