"""Which rows of a batch are new, which are known by their key, which replace others."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from mainzdigital.ingest.rows import Prepared
from mainzdigital.store.observations import CopyRow, Row, from_micros

_SEQ_LIMIT = 32_767


@dataclass(slots=True)
class Resolved:
    fresh: list[Prepared] = field(default_factory=list)
    replaced: list[tuple[Row, Prepared]] = field(default_factory=list)
    known: list[Prepared] = field(default_factory=list)
    same: list[tuple[Prepared, Prepared]] = field(default_factory=list)  # with the row of the batch that it repeats
    crowded: list[Prepared] = field(default_factory=list)  # no room for another at this instant


def columns(row: Prepared) -> CopyRow:
    return row.id, row.time, row.number, row.result_time, row.datastream_id, row.foi_id, row.seq, row.more


@dataclass(slots=True)
class There:
    """What stands at the places (datastream, time) of a batch: the highest seq, and the rows with the batch's keys."""

    seqs: dict[tuple[int, int], int]
    keyed: dict[tuple[int, int, str], Row]


def resolve(rows: Sequence[Prepared], there: There, *, replace: bool) -> Resolved:
    """Sort out rows ordered by datastream and time, given what stands at the same instants.

    Gives new rows their seq, and replacing rows the seq and id of what they replace.
    """
    resolved = Resolved()
    fresh = resolved.fresh
    replacing: dict[int, tuple[Row, Prepared]] = {}
    datastream, time, seq = 0, 0, -1
    keys: dict[str, Prepared] = {}
    seqs, keyed = there.seqs, there.keyed
    for row in rows:
        if row.time != time or row.datastream_id != datastream:
            datastream, time, seq = row.datastream_id, row.time, -1
            if keys:
                keys = {}
            if seqs:
                seq = seqs.get((datastream, time), -1)
        key = row.key
        if key is not None:
            if keyed and (old := keyed.get((datastream, time, key))):
                row.id, row.seq = old.id, old.seq
                resolved.known.append(row)
                replacing[old.id] = old, row
                continue
            if key in keys:
                resolved.same.append((row, keys[key]))
                if replace:
                    _take_over(keys[key], row)
                continue
        if seq >= _SEQ_LIMIT:
            resolved.crowded.append(row)
            continue
        if key is not None:
            keys[key] = row
        seq += 1
        row.seq = seq
        fresh.append(row)
    if replace:
        resolved.replaced = [pair for pair in replacing.values() if _differs(*pair)]
    return resolved


def _take_over(first: Prepared, later: Prepared) -> None:
    first.end, first.number, first.result_time = later.end, later.number, later.result_time
    first.foi_id, first.more = later.foi_id, later.more


def _differs(old: Row, new: Prepared) -> bool:
    # By their text, so that zero changes its sign.
    if old.number != new.number or (not old.number and str(old.number) != str(new.number)) or old.foi_id != new.foi_id:
        return True
    if old.result_time != (None if new.result_time is None else from_micros(new.result_time)):
        return True
    return old.more != (None if new.more is None else msgspec.json.decode(new.more))
