"""A simulator without sockets, and a clock that moves when it is told to."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from werkzeug.test import Client, TestResponse

from connections.simulator.registry import CLIENT_ID
from connections.simulator.server import Application
from connections.simulator.state import State

CLIENT_SECRET = "amzn1.oa2-cs.v1.simulator"
REDIRECT_URI = "https://gatehouse.example.com/oauth/callback/"


@dataclass
class Clock:
    """Seconds that pass only on request."""

    now: float = 1_790_000_000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class Amazon:
    """What a product does with Amazon, in a call each."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.state = State(clock, clock.sleep)
        self.client = Client(Application(self.state))

    def configure(self, **values: Any) -> TestResponse:
        return self.client.post("/_control/config", json=values)

    def fail(self, path: str, **values: Any) -> TestResponse:
        return self.client.post("/_control/faults", json={"path": path, **values})

    def consent_link(self, **changes: str | None) -> dict[str, str]:
        values: dict[str, str | None] = {
            "application_id": "amzn1.sp.solution.simulator",
            "state": "state-1",
            "redirect_uri": REDIRECT_URI,
            **changes,
        }
        return {name: value for name, value in values.items() if value is not None}

    def consent(self, decision: str = "confirm", account: str = "", **changes: str | None) -> TestResponse:
        form = {"decision": decision, **({"account": account} if account else {})}
        return self.client.post("/apps/authorize/consent", query_string=self.consent_link(**changes), data=form)

    def code(self, **changes: str | None) -> str:
        return answer_of(self.consent(**changes))["spapi_oauth_code"]

    def token(self, **values: str) -> TestResponse:
        form = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **values}
        return self.client.post("/auth/o2/token", data=form)

    def redeem(self, code: str, **values: str) -> TestResponse:
        return self.token(grant_type="authorization_code", code=code, **values)

    def refresh(self, refresh_token: str, **values: str) -> TestResponse:
        return self.token(grant_type="refresh_token", refresh_token=refresh_token, **values)

    def grant(self, account: str = "") -> dict[str, Any]:
        tokens: dict[str, Any] = self.redeem(answer_of(self.consent(account=account))["spapi_oauth_code"]).get_json()
        return tokens

    def grantless(self, scope: str) -> str:
        return str(self.token(grant_type="client_credentials", scope=scope).get_json()["access_token"])

    def get(self, path: str, access_token: str, **query: str) -> TestResponse:
        return self.client.get(path, query_string=query, headers={"x-amz-access-token": access_token})

    def post(self, path: str, access_token: str, body: Any = None) -> TestResponse:
        return self.client.post(path, json=body, headers={"x-amz-access-token": access_token})


def answer_of(response: TestResponse) -> dict[str, str]:
    """What a redirect carries in its query."""
    assert response.status_code == 302, response.get_data(as_text=True)
    return dict(parse_qsl(urlsplit(response.headers["Location"]).query, keep_blank_values=True))
