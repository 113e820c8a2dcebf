def test_connections_page_shows(as_alice):
    assert as_alice.get("/connections/").status_code == 200


def test_simulator(simulator, by, team):
    from connections.actions import grants
    from tests import factories

    c = factories.connection(team, simulator.url)
    g = grants.paste(c, simulator.refresh_token(), by=by)
    assert g.access_token.reveal().startswith("Atza|")
