"""The stage map and the rules on pages: what is proposed is filled in, tried, let hold, taken back; others are not
overwritten."""

import re
from typing import Any

import httpx2

from schemas.access import THIS_MACHINE
from tests.services.admin.conftest import SQLITE, Office, office
from tests.services.admin.test_mapping import STORIES, computed
from tests.services.cli.company import read
from tests.services.web.test_watched import reading

__all__ = ["office"]
pytestmark = SQLITE
MAP, RULES = "/connections/jira-acme/stage-map", "/connections/jira-acme/rules"
BACK = {"connection": "jira-acme", "back": "stage-map"}


def sent(page: str) -> dict[str, Any]:
    """What a browser sends of the page's own form, as it was shown."""
    form = page.partition('<input type="hidden" name="version"')[2].partition("</form>")[0]
    told: dict[str, Any] = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form))
    told |= {"version": re.search(r'^ value="([^"]+)"', form)[1]}  # type: ignore[index]
    for name, options in re.findall(r'<select name="([^"]+)".*?>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r"<option(?: value=\"([^\"]*)\")? selected>([^<]*)", options)
        told[name] = (chosen[1] or chosen[2]) if chosen else ""
    return told


async def shown(http: httpx2.AsyncClient, path: str) -> str:
    answer = await http.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_what_nobody_mapped_is_filled_in_as_proposed(office: Office) -> None:
    await read(office.engine, STORIES, first=100)
    async with reading(office, THIS_MACHINE) as http:
        page = await shown(http, MAP)
        assert "2 statuses have no meaning yet" in page
        assert "proposed: " in page
        form = sent(page)
        number = next(key.partition(".")[2] for key, value in form.items() if value == "Awaiting board")
        assert form[f"stage.{number}"] == "alignment"
        tried = (await http.post(MAP, data=form | {"do": "preview"})).text
        assert "What it would do" in tried
        assert "not mapped" in tried
        assert sent(tried) == form
        assert (await office.ask("GET", "/v1/rules/changes"))["items"] == []
        held = await http.post(MAP, data=form | {"do": "apply"})
        assert held.headers["location"] == f"{MAP}?held=1"
        await computed(office)
        after = await shown(http, f"{MAP}?held=1")
        assert "Every status has a meaning." in after
        assert "Every request is computed with it." in after or "are computed again" in after

        late = await http.post(MAP, data=form | {"do": "apply"})
        assert late.status_code == 412
        assert "Somebody changed this meanwhile" in late.text
        stale = await http.post("/rules/changes/1/undo", data=BACK | {"version": form["version"], "do": "apply"})
        assert stale.status_code == 412
        assert "Somebody changed this meanwhile" in stale.text
        back = BACK | {"version": sent(after)["version"]}
        would = await http.post("/rules/changes/1/undo", data=back)
        assert "What it would do to take change 1 back" in would.text
        assert "Nothing is taken back yet." in would.text
        assert len((await office.ask("GET", "/v1/rules/changes"))["items"]) == 1
        undone = await http.post("/rules/changes/1/undo", data=back | {"do": "apply"})
        assert undone.headers["location"] == f"{MAP}?held=2"
        now = await shown(http, MAP)
        assert "2 statuses have no meaning yet" in now
        twice = await http.post("/rules/changes/1/undo", data=BACK | {"version": sent(now)["version"], "back": "rules"})
        assert twice.status_code == 409
        assert "A later change came after it." in twice.text
        assert "What opens a request" in twice.text


async def test_a_state_alone_keeps_the_stage(office: Office) -> None:
    async with reading(office, THIS_MACHINE) as http:
        form = sent(await shown(http, MAP))
        number = next(key.partition(".")[2] for key, value in form.items() if value == "In Progress")
        assert form[f"stage.{number}"] == ""
        await http.post(MAP, data=form | {f"state.{number}": "waiting", "do": "apply"})
    chosen = (await office.ask("GET", "/v1/connections/jira-acme/stage-map"))["chosen"]
    assert [(one["status"], one["stage"], one["state"]) for one in chosen] == [
        ("In Progress", "development", "waiting")
    ]


async def test_types_and_links_are_chosen_together(office: Office) -> None:
    async with reading(office, THIS_MACHINE) as http:
        form = sent(await shown(http, RULES)) | {"opening": "chosen", "type": "Story", "openers": 'Bug, "Task, large"'}
        assert form["relation.0"]
        held = await http.post(RULES, data=form | {"does.0": "mentions", "do": "apply"})
        assert held.headers["location"] == f"{RULES}?held=1"
        own = next(
            one for one in (await office.ask("GET", "/v1/rules"))["connections"] if one["connection"] == "jira-acme"
        )
        assert set(own["chosen"]["openers"]) == {"Story", "Bug", "Task, large"}
        assert own["chosen"]["link_kinds"][form["relation.0"]] == "mentions"
        again = sent(await shown(http, RULES))
        assert again["does.0"] == "mentions"
        nothing = {key: "" for key in again if key.startswith("does.")}  # a link is chosen in both its directions
        await http.post(RULES, data=again | nothing | {"opening": "default", "do": "apply"})
        own = next(
            one for one in (await office.ask("GET", "/v1/rules"))["connections"] if one["connection"] == "jira-acme"
        )
        assert "openers" not in own["chosen"]
        assert form["relation.0"] not in own["chosen"].get("link_kinds", {})
