"""Pages: the connections list, the pane, and Save & authorize from the button to the stored tokens."""

from __future__ import annotations

from tests.bench.figures import Row, median
from tests.bench.load import get, keep_asking
from tests.bench.pages import Browser, csrf_token
from tests.bench.stage import Stage

FEW, MANY = 100, 100_000
TIMES = 40  # each page, after the first five
# Timings of one page differ by this much from run to run; what differs less is the same.
FLAT = 1.25


def connections_list(stage: Stage) -> list[Row]:
    """The first page, the last one by its own links as far as they are cheap to reach, and the queries."""
    found = {}
    for count in (FEW, MANY):
        seeded = stage.seed("listed", simulator=stage.simulator.url, count=count)
        browser = Browser(stage.gatehouse.url, {"gatehouse_session": seeded["session"]})
        second = "/connections/" + browser.get("/connections/").next_page
        pages = {"first": _page(browser, "/connections/"), "second": _page(browser, second)}
        browser.close()
        found[count] = (seeded["queries"], pages)
    few, many = found[FEW], found[MANY]
    rows = [
        Row(f"Connections list, {which} page, {MANY:,} rows", many[1][which] * 1000, "ms", "flat, ≤ 15 ms",
            many[1][which] <= 0.015 and many[1][which] <= few[1][which] * FLAT, few[1][which] * 1000, f"with {FEW}")
        for which in ("first", "second")
    ]  # fmt: skip
    same = many[0] == few[0]
    return [*rows, Row("… queries", many[0], "", "equal, ≤ 8", same and many[0] <= 8, few[0], f"with {FEW}")]


def _page(browser: Browser, path: str) -> float:
    """Its median time in seconds."""
    taken = []
    for _ in range(TIMES + 5):
        answer = browser.get(path)
        assert answer.status == 200, f"{path}: {answer.status}"
        taken.append(answer.seconds)
    return median(taken[5:])


def pane(stage: Stage) -> list[Row]:
    """A saved connection's pane, as a page of its own: more than the fragment that a drawer takes."""
    hot = stage.seed("hot", simulator=stage.simulator.url, refresh_token=stage.simulator.refresh_token(), name="Pane")
    browser = stage.browser()
    paths = [f"/connections/{hot['connection']}/", "/connections/new/amazon-simulator/"]
    seconds = max(_page(browser, path) for path in paths)
    size = max(browser.get(path).size for path in paths)
    browser.close()
    bare = median(
        keep_asking(get(f"{stage.floor.url}/{hot['connection']}"), stage.floor.url, clients=1, seconds=1).latencies
    )
    return [
        Row("Pane opened, server time", seconds * 1000, "ms", "≤ 30 ms", seconds <= 0.03, bare * 1000, "bare view"),
        Row("… over the wire, warm cache", size / 1000, "KB", "≤ 30 KB", size <= 30_000),
    ]


def save_and_authorize(stage: Stage) -> list[Row]:
    """Each time a new connection: post the pane, the consent page, Confirm, the callback with its exchange; what is stored is checked.

    Beside it what the simulator takes for its own part: consent page, Confirm, token endpoint.
    """
    browser, provider = stage.browser(), Browser(stage.simulator.url)
    client = stage.seeded["client"]
    totals, floors = [], []
    for number in range(20):
        page = browser.get("/connections/new/amazon-simulator/").text
        browser.seconds = provider.seconds = 0.0
        sent = browser.post(
            "/connections/new/amazon-simulator/",
            _typed(stage, f"Authorized {number}", client) | {"csrfmiddlewaretoken": csrf_token(page)},
        )
        assert sent.location.startswith(stage.simulator.url), f"not sent to the provider: {sent.status}"
        provider.get(sent.location)
        back = provider.post(sent.location, {"decision": "confirm"})
        done = browser.get(back.location)
        assert done.status == 302, f"the callback answered {done.status}"
        totals.append(browser.seconds + provider.seconds)
        floors.append(provider.seconds)
        assert "Online" in browser.get(done.location).text, "authorized, but not online"
    browser.close()
    provider.close()
    exchange = keep_asking(
        stage.token_endpoint(stage.simulator.refresh_token()), stage.simulator.url, clients=1, seconds=1
    )
    total, floor = median(totals[3:]), median(floors[3:]) + median(exchange.latencies)
    return [
        Row("Save & authorize, all hops together", total * 1000, "ms", "≤ 80 ms", total <= 0.08, floor * 1000, "the simulator’s part"),
    ]  # fmt: skip


def _typed(stage: Stage, name: str, client: str) -> dict[str, str]:
    url = stage.simulator.url
    return {
        "name": name,
        "region": "na",
        "marketplace": "US",
        "base_uri": url,
        "media_type": "json",
        "auth_type": "oauth2",
        "oauth_client": client,
        "grant_type": "authorization_code",
        "client_authentication": "client_secret_post",
        "authorization_url": f"{url}/apps/authorize/consent",
        "pkce": "off",
        "token_url": f"{url}/auth/o2/token",
        "ping_method": "GET",
        "then": "authorize",
    }
