"""Usage: which key read which token, and how often. Counted in memory, written in batches a few seconds behind.

A request only counts; a thread of each process writes, with statements that add up over any number of processes. While the
database is away nothing is lost and no request waits. A killed process takes with it what it counted since it last wrote.
Once a minute is over, `tell` makes one audit row of it for each key and connection.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import close_old_connections, transaction
from django.db import connection as database
from django.db import connections as databases
from django.db.models import Model, Q, QuerySet

from connections.actions import events
from connections.models import Actor, ApiKey, Connection, Team, Usage, UsageKind

log = logging.getLogger(__name__)
MINUTE = 60
LATE = timedelta(
    seconds=20
)  # after a minute's end its counts of all processes are written, unless the database was away
BATCH = 200
SOON = 0.2  # seconds until what was locked is tried again
LAST = 25  # so often when the process ends
TOLD = ("kind", "count", "minute", "address", "user_agent", "api_key__name", "api_key__team__name", "connection__name")
ACTIONS = {UsageKind.TOKEN.value: "token.read", UsageKind.PROXY.value: "proxy.call"}

# One row a key, connection, kind and minute, whoever comes first. What has been told is not changed any more.
ADD = """
INSERT INTO connections_usage (team_id, api_key_id, connection_id, kind, minute, count, address, user_agent)
SELECT k.team_id, k.id, c.id, %s, %s, %s, %s, %s
FROM connections_apikey k JOIN connections_connection c ON c.team_id = k.team_id
WHERE k.id = %s AND c.id = %s
ON CONFLICT (api_key_id, connection_id, kind, minute) DO UPDATE
SET count = connections_usage.count + excluded.count, address = excluded.address, user_agent = excluded.user_agent
WHERE connections_usage.told_at IS NULL
"""
ADD_TALLY = """
INSERT INTO connections_tally (name, label, value) VALUES (%s, %s, %s)
ON CONFLICT (name, label) DO UPDATE SET value = connections_tally.value + excluded.value
"""


class Line(NamedTuple):
    """What is counted together. `minute` since 1970."""

    connection_id: UUID
    key_id: UUID
    kind: str
    minute: int


@dataclass(slots=True)
class Count:
    count: int
    at: float  # of the last one, Unix time
    who: Callable[[], Actor]  # who it was


class Counted:
    """What this process has counted and not written."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.writing = threading.Lock()
        self.lines: dict[Any, Count] = {}  # by what makes a Line, as the database gave it
        self.keys: dict[Any, float] = {}  # last use, Unix time
        self.tallies: dict[tuple[str, str], float] = {}
        self.writer: threading.Thread | None = None


_counted = Counted()


def used(key_id: UUID | str) -> None:
    """A key was shown and is good."""
    with _counted.lock:
        _counted.keys[key_id] = time.time()
    if _counted.writer is None:
        _begin()


def count(kind: str, *, key_id: UUID | str, connection_id: UUID | str, who: Callable[[], Actor]) -> None:
    """A token was handed out, or a call made (a UsageKind). `who` tells by which key and from where, when it is written."""
    now = time.time()
    same = (connection_id, key_id, kind, int(now // MINUTE))
    with _counted.lock:
        known = _counted.lines.get(same)
        if known is None:
            _counted.lines[same] = Count(1, now, who)
        else:
            known.count, known.at, known.who = known.count + 1, now, who
    if _counted.writer is None:
        _begin()


def add(name: str, label: str = "", value: float = 1) -> None:
    """Let a tally grow (models.usage.Tally)."""
    with _counted.lock:
        _counted.tallies[name, label] = _counted.tallies.get((name, label), 0) + value
    if _counted.writer is None:
        _begin()


def flush() -> bool:
    """Write everything; False where a little has to wait for somebody's lock. Raises DatabaseError: then it is still counted."""
    mine, is_all = _counted, True
    with mine.writing:
        with mine.lock:
            lines, mine.lines = mine.lines, {}
            keys, mine.keys = mine.keys, {}
            tallies, mine.tallies = mine.tallies, {}
        waiting = [(Line(_uuid(c), _uuid(k), kind, minute), n) for (c, k, kind, minute), n in lines.items()]
        waiting.sort(key=itemgetter(0))
        try:
            while waiting:
                left = _write_lines(waiting[:BATCH])
                del waiting[:BATCH]
                _put_back(left)
                is_all = is_all and not left
            _write_keys({_uuid(key): at for key, at in keys.items()})
            keys = {}
            _write_tallies(tallies)
            tallies = {}
        finally:
            _put_back(waiting, keys, tallies)
    return is_all


def _uuid(value: UUID | str) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


def _put_back(
    lines: list[tuple[Line, Count]], keys: Mapping[Any, float] = {}, tallies: Mapping[Any, float] = {}
) -> None:
    with _counted.lock:
        for line, n in lines:
            known = _counted.lines.setdefault(line, n)
            if known is not n:
                known.count += n.count
        for key, at in keys.items():
            _counted.keys.setdefault(key, at)
        for name, value in tallies.items():
            _counted.tallies[name] = _counted.tallies.get(name, 0) + value


def _write_lines(lines: list[tuple[Line, Count]]) -> list[tuple[Line, Count]]:
    """Returns what has to wait: a connection that is being saved just now is not waited for."""
    left: list[tuple[Line, Count]] = []
    gone: list[tuple[Line, Count]] = []
    this_minute = int(time.time() // MINUTE)
    with transaction.atomic(), database.cursor() as cursor:
        wanted = {line.connection_id for line, _ in lines}
        locked = set(_locked(Connection.objects.filter(pk__in=wanted).order_by("pk")).values_list("pk", flat=True))
        there = locked | set(Connection.objects.filter(pk__in=wanted - locked).values_list("pk", flat=True))
        for line, n in lines:
            if line.connection_id not in there:
                gone.append((line, n))
            elif line.connection_id not in locked:
                left.append((line, n))
            elif not _add(cursor, line, n) and line.minute < this_minute:
                left.append((line._replace(minute=this_minute), n))  # its minute has been told
        last: dict[UUID, float] = {}
        for line, n in lines:
            last[line.connection_id] = max(n.at, last.get(line.connection_id, 0))
        for id in sorted(locked):
            _move(Connection.objects.filter(pk=id), last[id])
    for line, n in gone:
        _tell_gone(line, n)
    return left


def _locked(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Those rows that nobody else holds, locked. SQLite has one writer at a time anyway."""
    return rows.select_for_update(
        skip_locked=database.features.has_select_for_update_skip_locked, of=_self(), no_key=True
    )


def _self() -> tuple[str, ...]:
    return ("self",) if database.features.has_select_for_update_of else ()


def _add(cursor: Any, line: Line, n: Count) -> bool:
    by = n.who()
    minute = Usage._meta.get_field("minute").get_db_prep_value(_start(line.minute), database)
    ids = [Connection._meta.pk.get_db_prep_value(id, database) for id in (line.key_id, line.connection_id)]
    cursor.execute(ADD, [line.kind, minute, n.count, by.address, by.user_agent, *ids])
    return bool(cursor.rowcount)


def _start(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * MINUTE, UTC)


def _move(rows: QuerySet[Any], at: float) -> None:
    """Their last use, never backwards."""
    moment = datetime.fromtimestamp(at, UTC)
    rows.filter(Q(last_used_at=None) | Q(last_used_at__lt=moment)).update(last_used_at=moment)


def _write_keys(keys: dict[UUID, float]) -> None:
    with transaction.atomic():
        for id in sorted(keys):
            _move(ApiKey.objects.filter(pk=id), keys[id])


def _write_tallies(tallies: dict[tuple[str, str], float]) -> None:
    with transaction.atomic(), database.cursor() as cursor:
        for (name, label), value in sorted(tallies.items()):
            cursor.execute(ADD_TALLY, [name, label, value])


def _tell_gone(line: Line, n: Count) -> None:
    """The connection has been deleted since: so that nobody hides a read by that, it is told at once."""
    by = n.who()
    if Team.objects.filter(pk=by.team.pk).exists():
        _record(line.kind, n.count, _start(line.minute), by=by, about=None, connection=str(line.connection_id))


def tell(now: datetime) -> int:
    """Write the minutes that are over into the audit trail, each once, however many workers do it. Returns how many."""
    over = Usage.objects.filter(told_at=None, minute__lte=now - timedelta(seconds=MINUTE) - LATE)
    told = 0
    for team_id in sorted(set(over.order_by("minute").values_list("team_id", flat=True)[: 10 * BATCH])):
        while some := _tell_team(team_id, over, now):
            told += some
    return told


@transaction.atomic
def _tell_team(team_id: UUID, over: QuerySet[Usage], now: datetime) -> int:
    # The team first: what is recorded there is ordered by its row, and nobody waits for it with a count in hand.
    if Team.objects.select_for_update().filter(pk=team_id).first() is None:
        return 0
    return _tell(over.filter(team_id=team_id).order_by("minute", "pk")[:BATCH], now)


@transaction.atomic
def tell_of(connection: Connection, now: datetime) -> None:
    """What is not told yet of a connection that is about to be deleted, the running minute too."""
    _tell(Usage.objects.filter(connection=connection, told_at=None).order_by("minute", "pk"), now)


def _tell(rows: QuerySet[Usage], now: datetime) -> int:
    chosen = list(_locked(rows.select_related("api_key__team", "connection").only(*TOLD)))
    for row in chosen:
        by = Actor.key(row.api_key, address=row.address, user_agent=row.user_agent)
        _record(row.kind, row.count, row.minute, by=by, about=row.connection)
    Usage.objects.filter(pk__in=[row.pk for row in chosen]).update(told_at=now)
    return len(chosen)


def _record(kind: str, n: int, minute: datetime, *, by: Actor, about: Model | None, **detail: Any) -> None:
    events.record(by=by, action=ACTIONS[kind], about=about, count=n, minute=minute.isoformat(), **detail)


def _begin() -> None:
    """Start the thread that writes; another process has none of it after a fork."""
    if not settings.USAGE_FLUSH_SECONDS:
        return
    with _counted.lock:
        if _counted.writer is not None:
            return
        _counted.writer = threading.Thread(target=_write_again_and_again, name="usage", daemon=True)
    atexit.register(_write_what_is_left)
    _counted.writer.start()


def _write_again_and_again() -> None:
    pause: float = settings.USAGE_FLUSH_SECONDS
    was_away = False
    while True:
        time.sleep(pause)
        close_old_connections()
        is_all = write(quietly=was_away)
        was_away = is_all is None
        if was_away:
            databases.close_all()
        pause = SOON if is_all is False else settings.USAGE_FLUSH_SECONDS


def _write_what_is_left() -> None:
    """When the process ends: what is locked is waited for a little, a database that is away is not."""
    for _ in range(LAST):
        if write() is not False:
            return
        time.sleep(SOON)


def write(*, quietly: bool = False) -> bool | None:
    """As `flush`, and never fails: None where nothing can be written now. It is still counted then."""
    try:
        return flush()
    except Exception as error:  # its text may quote values
        if not quietly:
            log.warning("usage cannot be written now: %s", type(error).__name__)
        return None


def forget() -> None:
    """Nothing is counted yet. Also after a fork: the parent writes what it counted."""
    global _counted
    _counted = Counted()


os.register_at_fork(after_in_child=forget)
