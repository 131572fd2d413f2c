"""Every sample of the documentation, run as it stands on the page, by curl, Python and Node, on the demo practice.

Filled in is what a reader fills in: credentials, and the numbers of things that are there.
"""

import html
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from officepro.access.scopes import EVERY_SCOPE
from tests.journeys.conftest import RunningHouse, start

# Calls that undo what other calls need are made last.
UNDOING = re.compile(r"\bDELETE\b")
LAST = {"getWebhookReplay": 1, "deleteSubscription": 1}  # after the replay was started; after it was cancelled

# When a visit is booked and when a time is held, so that one language does not take the times of another.
TIMES = {"curl": ("10:00:00", "14:00:00"), "Python": ("09:00:00", "13:00:00"), "JavaScript": ("11:00:00", "15:00:00")}

CURL = """\
curl() { command curl --fail-with-body "$@" > answer || fault "$(cat answer)"; }
fault() { echo "$sample: $1" >> faults; }
"""

PYTHON = """\
import contextlib, io, pathlib, runpy, urllib.error
faults = []
for sample in sorted(pathlib.Path(".").glob("*.sample.py")):
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            runpy.run_path(str(sample))
    except urllib.error.HTTPError as answer:
        faults.append(f"{sample}: {answer.read().decode()}")
    except Exception as error:
        faults.append(f"{sample}: {error!r}")
    else:
        if not printed.getvalue():
            faults.append(f"{sample}: printed nothing")
pathlib.Path("faults").write_text("".join(fault + "\\n" for fault in faults))
"""

NODE = """\
import { readdirSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
let faults = "", sample = "", printed = 0;
const realFetch = globalThis.fetch;
globalThis.fetch = async (...call) => {
  const answer = await realFetch(...call);
  if (!answer.ok) faults += `${sample}: ${await answer.clone().text()}\\n`;
  return answer;
};
console.log = () => { printed += 1; };
const samples = readdirSync(".").filter((name) => name.endsWith(".sample.mjs")).sort();
for (sample of samples) {
  try {
    await import(pathToFileURL(sample));
  } catch (error) {
    faults += `${sample}: ${error}\\n`;
  }
}
if (printed !== samples.length) faults += `${samples.length} samples printed ${printed} times\\n`;
writeFileSync("faults", faults);
"""


@pytest.fixture(scope="module")
def practised_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHouse]:
    """Of our own, because the samples change whatever can be changed."""
    house = start(
        tmp_path_factory.mktemp("samples") / "data",
        OFFICEPRO_WORKERS="1",
        OFFICEPRO_WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8",
    )
    yield house
    assert house.stop() == 0, house.output.read_text()


@pytest.mark.parametrize("language", ["curl", "Python", "JavaScript"])
def test_every_sample_of_the_documentation_runs(practised_house: RunningHouse, language: str, tmp_path: Path) -> None:
    page = httpx.get(f"{practised_house.base}/docs/console", timeout=30).text
    shown = samples(page, language)
    documented = httpx.get(f"{practised_house.base}/openapi.json").json()["paths"]
    assert len(shown) == sum(map(len, documented.values())) > 80
    filled = filled_in(practised_house, shown, language)

    faults = {"curl": run_curl, "Python": run_python, "JavaScript": run_node}[language](filled, tmp_path)

    assert "\n".join(faults) == ""


def samples(page: str, language: str) -> dict[str, str]:
    """By the calls' anchors, those that undo something at the end."""
    found = {}
    for article in page.split("<article ")[1:]:
        anchor = re.search(r'id="([^"]+)"', article)
        text = re.search(
            rf"<summary>{language}</summary><pre tabindex=\"0\"><code>(.*?)</code></pre>", article, re.DOTALL
        )
        assert anchor is not None
        assert text is not None
        found[anchor[1]] = html.unescape(text[1])
    return dict(sorted(found.items(), key=lambda one: (bool(UNDOING.search(one[1])), LAST.get(one[0], 0))))


def filled_in(house: RunningHouse, shown: dict[str, str], language: str) -> dict[str, str]:
    mine = {
        "YOUR_TOKEN": house.token(),
        "YOUR_ADMIN_SECRET": house.demo["adminSecret"],
        "your_api_key_here": house.demo["apiKey"],
        **things_that_are_there(house, language),
    }
    examples = re.compile("|".join(map(re.escape, mine)))
    return {anchor: examples.sub(lambda found: mine[found[0]], text) for anchor, text in shown.items()}


def things_that_are_there(house: RunningHouse, language: str) -> dict[str, str]:
    """Numbers of our own in place of those of the examples."""
    admin = httpx.Client(base_url=f"{house.base}/v1", headers={"X-Admin-Secret": house.demo["adminSecret"]}, timeout=30)
    with admin, house.client() as partner:

        def made(client: httpx.Client, method: str, address: str, body: Any = None) -> Any:
            answer = client.request(method, address, json=body)
            assert answer.is_success, answer.text
            return answer.json().get("data")

        me = made(admin, "GET", "/admin/partners")[0]["partnerId"]
        keys = [
            made(
                admin,
                "POST",
                "/admin/keys",
                {"partnerId": me, "practicepass": "DemoOffice", "name": f"{language} {number}"},
            )["keyId"]
            for number in range(3)
        ]
        wish = {"practice": "DemoOffice", "contact": "Jo", "scopes": sorted(EVERY_SCOPE)}
        for number in range(2):
            mail = f"{language}{number}@example.com"
            made(admin, "POST", "/access-requests", {**wish, "company": f"{language} {number}", "email": mail})
        asked = made(admin, "GET", "/admin/access-requests?status=pending&limit=2")
        changes = [partner_change(house, made, admin, f"{language} partner {number}") for number in range(2)]
        away = made(admin, "PUT", "/admin/DemoOffice/providers/3/time-off", [
            {"start": "2031-07-01T00:00:00", "end": "2031-07-02T00:00:00", "reason": "Vacation"}
        ])  # fmt: skip
        extra = made(admin, "PUT", "/admin/DemoOffice/providers/3/extra-hours", [
            {"date": "2031-07-05", "start": "10:00", "end": "14:00"}
        ])  # fmt: skip
        free = made(partner, "GET", "availability/providers/2/next-slot?duration=30&visitType=Consult")["TheNextSlot"]
        visit = {"ProviderID": 2, "VisitType": "Consult", "VisitDuration": 30}
        visit |= {"VisitDate": free["Date"], "VisitTime": free["Time"]}
        booked = made(partner, "POST", "visits/book", {**visit, "PatientID": 1001})["VisitID"]
        free = made(partner, "GET", "availability/providers/2/next-slot?duration=30&visitType=Consult")["TheNextSlot"]
        held = made(partner, "POST", "visits/hold", {**visit, "VisitDate": free["Date"], "VisitTime": free["Time"]})
        hook = {"hookUrl": "http://127.0.0.1:1025/events", "scopes": ["Patients", "Claims"]}
        made(partner, "POST", f"{house.base}/v1/webhooks/signup", hook)
        logged = made(partner, "GET", "events?after=0")[-1]["logId"]
        sent = made(partner, "POST", f"{house.base}/v1/webhooks/test")
    return {
        "/visits/555": f"/visits/{booked}",
        "/visits/hold/556": f"/visits/hold/{held['HoldID']}",
        "/keys/11/": f"/keys/{keys[0]}/",
        "/keys/12/": f"/keys/{keys[1]}/",
        "/keys/17": f"/keys/{keys[2]}",
        "/access-requests/1/approve": f"/access-requests/{asked[0]['id']}/approve",
        "/access-requests/1/deny": f"/access-requests/{asked[1]['id']}/deny",
        "/partner-changes/4/approve": f"/partner-changes/{changes[0]}/approve",
        "/partner-changes/4/deny": f"/partner-changes/{changes[1]}/deny",
        "/providers/1/time-off/12": f"/providers/3/time-off/{away[0]['id']}",
        "/providers/1/extra-hours/7": f"/providers/3/extra-hours/{extra[0]['id']}",
        "10:00:00": TIMES[language][0],
        "14:00:00": TIMES[language][1],
        "/retry/10": f"/retry/{sent['deliveryId']}",
        "14656600": str(logged),
        "NorthOffice": f"NorthOffice{language}",
    }


def partner_change(house: RunningHouse, made: Callable[..., Any], admin: httpx.Client, company: str) -> int:
    """Number of a change of company that a new partner has requested."""
    partner = made(admin, "POST", "/admin/partners", {"company": company, "contact": "Jo", "email": "jo@example.com"})
    key = {"partnerId": partner["partnerId"], "practicepass": "DemoOffice", "name": company}
    api_key = made(admin, "POST", "/admin/keys", key)["apiKey"]
    token = httpx.post(f"{house.base}/v1/DemoOffice/auth/token", json={"apiKey": api_key}).json()["accessToken"]
    with httpx.Client(base_url=f"{house.base}/v1", headers={"Authorization": f"Bearer {token}"}) as caller:
        changed = made(caller, "PATCH", "/me", {"company": f"{company} Ltd"})
    return int(changed["pendingChanges"]["changeId"])


def run_curl(filled: dict[str, str], folder: Path) -> list[str]:
    lines = [f"sample={anchor}\n{text}\n" for anchor, text in filled.items()]
    return run(["bash"], "samples.sh", CURL + "\n".join(lines), folder)


def run_python(filled: dict[str, str], folder: Path) -> list[str]:
    write_each(filled, folder, "py")
    return run([sys.executable], "run.py", PYTHON, folder)


def run_node(filled: dict[str, str], folder: Path) -> list[str]:
    node = shutil.which("node")
    assert node, "these samples need Node: apt-get install nodejs"
    write_each(filled, folder, "mjs")
    return run([node], "run.mjs", NODE, folder)


def write_each(filled: dict[str, str], folder: Path, suffix: str) -> None:
    for number, (anchor, text) in enumerate(filled.items()):
        (folder / f"{number:03}-{anchor}.sample.{suffix}").write_text(text)


def run(command: list[str], name: str, program: str, folder: Path) -> list[str]:
    """The faults that it wrote down, one to a line."""
    (folder / name).write_text(program)
    done = subprocess.run([*command, name], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    faults = folder / "faults"
    return faults.read_text().splitlines() if faults.exists() else []
