"""The one way in: a batch is checked, made single, and written with all that follows from it in one transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

import msgspec
import psycopg

from mainzdigital.ingest.batch import Batch, NewObservation, RowError, WriteResult
from mainzdigital.ingest.follow import follow
from mainzdigital.ingest.resolve import There, columns, resolve
from mainzdigital.ingest.rows import Prepared, Rejected, prepare
from mainzdigital.kernel.errors import Conflict
from mainzdigital.store import idempotency, ids, latest, observations, partitions
from mainzdigital.store.observations import Row, from_micros, to_micros

Judge = Callable[[Sequence[NewObservation]], None]

_DAY = 86_400_000_000
SMALL = 200  # rows that go through a pipeline rather than COPY
_TRIES = 4
_judges: list[Judge] = []


def add_judge(judge: Judge) -> None:
    """Have every batch judged before it is stored: `judge` sets `quality` of observations. For config, at start."""
    _judges.append(judge)


@dataclass(slots=True)
class _Work:
    """What one transaction has done so far."""

    result: WriteResult
    fresh: list[Prepared] = field(default_factory=list)
    replaced: list[tuple[Row, Prepared]] = field(default_factory=list)


def write(connection: psycopg.Connection, batch: Batch) -> WriteResult:
    """Write a batch in one transaction, the caller's if one is open; returns after the commit otherwise.

    One bad observation never fails its neighbours: it stands in `rejected`. Raises Conflict where the batch's key
    was used for another batch, and psycopg.Error where the database fails.
    """
    for judge in _judges:
        judge(batch.observations)
    rejected: list[RowError] = []
    rows: list[Prepared] = []
    for index, one in enumerate(batch.observations):
        try:
            rows.append(prepare(index, one))
        except Rejected as error:
            rejected.append(error.at(index))
    rows.sort(key=attrgetter("datastream_id", "time"))  # stable: the order of the batch decides within an instant
    days = {row.time // _DAY for row in rows}
    own_transaction = connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    small = own_transaction and connection.autocommit and len(rows) <= SMALL
    believe, careful = True, False
    for left in reversed(range(_TRIES)):
        partitions.ensure(connection, {ids.month_index(from_micros(day * _DAY)) for day in days})
        try:
            if small and not careful:
                return _pipelined(connection, batch, rows, list(rejected), believe=believe)
            with connection.transaction():
                return _transaction(connection, batch, rows, list(rejected), believe=believe, careful=careful)
        except psycopg.errors.CheckViolation:
            # A partition we knew of has gone, to the archive for example.
            partitions.forget(connection)
            careful = left == 1
        except psycopg.errors.UniqueViolation:
            # The latest value was not the latest: look at the rows themselves.
            believe, careful = False, left == 1
        except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
            if not own_transaction or not left:
                raise
        except (psycopg.DataError, psycopg.errors.ProgramLimitExceeded):
            careful = True
        if not left:
            break
    raise AssertionError("a careful write rejects what the database refuses")


def _pipelined(
    connection: psycopg.Connection, batch: Batch, rows: list[Prepared], rejected: list[RowError], *, believe: bool
) -> WriteResult:
    """The same for few rows with two waits for the database instead of ten: less time, and fewer turns at the lock

    of the interpreter, which a busy event loop beside us holds for long.
    """
    try:
        with connection.pipeline():
            connection.execute("BEGIN")
            result = _transaction(connection, batch, rows, rejected, believe=believe, careful=False, copying=False)
            connection.execute("COMMIT")
        return result
    except BaseException:
        if not connection.closed:
            connection.rollback()
        raise


def _transaction(
    connection: psycopg.Connection, batch: Batch, rows: list[Prepared], rejected: list[RowError], *,
    believe: bool, careful: bool, copying: bool = True,
) -> WriteResult:  # fmt: skip
    work = _Work(WriteResult([None] * len(batch.observations), rejected=rejected))
    if batch.key is not None:
        before = idempotency.claim(connection, batch.key)
        if before is not None:
            return _told_before(batch, before)
    known, before_us = latest.lock(connection, {row.datastream_id for row in rows})
    features = {row.foi_id for row in rows if row.foi_id is not None}
    known_features = observations.lock_features(connection, sorted(features))
    rows = _of_known(rows, known, features - known_features, rejected)
    if careful:
        _store_carefully(connection, batch, rows, work)
    elif rows:
        _put(connection, batch, rows, before_us if believe else None, work, copying=copying)
    follow(connection, work.fresh, work.replaced, before_us, believe=believe and not careful, copying=copying)
    work.result.rejected.sort(key=lambda error: error.index)
    if batch.key is not None:
        idempotency.settle(connection, batch.key, msgspec.json.encode(work.result))
    return work.result


def _told_before(batch: Batch, before: bytes) -> WriteResult:
    result = msgspec.json.decode(before, type=WriteResult)
    if len(result.ids) != len(batch.observations):
        raise Conflict(
            "this key was used for another batch", where="Idempotency-Key", remedy="use a new key for a new batch"
        )
    return result


def _of_known(
    rows: list[Prepared], known: set[int], unknown_features: set[int], rejected: list[RowError]
) -> list[Prepared]:
    kept = []
    for row in rows:
        if row.datastream_id not in known:
            rejected.append(RowError(row.index, f"there is no datastream {row.datastream_id}", "Datastream"))
        elif row.foi_id in unknown_features:
            message = f"there is no feature of interest {row.foi_id}"
            rejected.append(RowError(row.index, message, "FeatureOfInterest"))
        else:
            kept.append(row)
    return kept


def _store_carefully(connection: psycopg.Connection, batch: Batch, rows: list[Prepared], work: _Work) -> None:
    """Put the rows into the table; where the database refuses some, halve until they stand alone."""
    if not rows:
        return
    done = _Work(WriteResult(list(work.result.ids)), list(work.fresh), list(work.replaced))
    try:
        with connection.transaction():
            _put(connection, batch, rows, None, done, copying=True)
    except (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded) as error:
        if len(rows) == 1:
            message = error.diag.message_primary or str(error)
            work.result.rejected.append(RowError(rows[0].index, f"the database refuses it: {message}", "result"))
            return
        middle = len(rows) // 2
        _store_carefully(connection, batch, rows[:middle], work)
        _store_carefully(connection, batch, rows[middle:], work)
        return
    work.result.ids, work.fresh, work.replaced = done.result.ids, done.fresh, done.replaced
    work.result.written += done.result.written
    work.result.duplicates += done.result.duplicates
    work.result.replaced += done.result.replaced
    work.result.rejected += done.result.rejected


def _put(
    connection: psycopg.Connection, batch: Batch, rows: list[Prepared], before: dict[int, latest.Latest] | None,
    work: _Work, *, copying: bool,
) -> None:  # fmt: skip
    result = work.result
    resolved = resolve(rows, _there(connection, rows, before), replace=batch.on_duplicate == "replace")
    sequence = ids.allocate(connection, len(resolved.fresh))
    months: dict[int, int] = {}
    for row, number in zip(resolved.fresh, sequence, strict=True):
        day = row.time // _DAY
        month = months.get(day)
        if month is None:
            month = months[day] = ids.month_index(from_micros(row.time)) << ids.SEQUENCE_BITS
        row.id = result.ids[row.index] = month | number
    for row in resolved.known:
        result.ids[row.index] = row.id
    for row, first in resolved.same:
        result.ids[row.index] = first.id
    for row in resolved.crowded:
        result.rejected.append(RowError(row.index, "too many observations at this instant", "phenomenonTime"))
    fresh = [
        (row.id, row.time, row.number, row.result_time, row.datastream_id, row.foi_id, row.seq, row.more)
        for row in resolved.fresh
    ]
    if fresh and copying:
        observations.copy(connection, fresh)
    elif fresh:
        observations.insert(connection, fresh)
    observations.replace(connection, [columns(row) for _, row in resolved.replaced])
    work.fresh += resolved.fresh
    work.replaced += resolved.replaced
    result.written += len(resolved.fresh)
    result.replaced += len(resolved.replaced)
    result.duplicates += len(resolved.known) + len(resolved.same) - len(resolved.replaced)


def _there(connection: psycopg.Connection, rows: list[Prepared], before: dict[int, latest.Latest] | None) -> There:
    """What stands at the instants of the rows. Nothing stands outside the extent of a datastream (`before`)."""
    late = rows
    if before is not None:
        extents = {one.datastream_id: (one.phenomenon_start, one.time) for one in before.values()}
        nowhere = (0, -1)
        late = []
        for row in rows:
            start, end = extents.get(row.datastream_id, nowhere)
            if start <= row.time <= end:
                late.append(row)
    if not late:
        return There({}, {})
    seqs = observations.highest_seqs(connection, [(row.datastream_id, row.time) for row in late])
    keyed = [(row, row.key) for row in late if row.key is not None and (row.datastream_id, row.time) in seqs]
    found = observations.keyed_at(
        connection, [(row.datastream_id, row.time) for row, _ in keyed], [key for _, key in keyed]
    )
    return There(seqs, {(one.datastream_id, to_micros(one.phenomenon_time), one.key or ""): one for one in found})
