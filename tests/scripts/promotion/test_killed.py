"""kill -9 before the writes of a round: the next call continues it, and no reader sees half of it."""

from __future__ import annotations

import shutil

import pytest

from lab.store import promotions
from lab.store.runs import Store
from tests.archives import assert_whole, copy_state
from tests.integration.test_archive import assert_nothing_half_visible, killed
from tests.samples import sampled
from tests.scripts.promotion.conftest import LABEL, PromotionBed

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("step", sampled([1, 19], 19))
def test_a_round_killed_at_each_write(bed: PromotionBed, step: int) -> None:
    bed.add("libgreet 2", "hail 2 libgreet (>= 2)", "shout 2 libgreet (>= 2)", "plain 2")
    bed.broken = {"hail/2": "hail"}
    store = Store.of(bed.lab)
    copy_state(store.root, bed.home / "before")
    before = bed.reader.existing(LABEL).name
    for at in range(1, 10_000, step):
        shutil.rmtree(store.root)
        copy_state(bed.home / "before", store.root)
        died = killed(at, bed.promote, store.root)
        assert_nothing_half_visible(store.archive)
        assert bed.content() in {"", "libgreet/2 plain/2 shout/2"}
        assert list(bed.promote()) == ["hail/2"]
        assert bed.content() == "libgreet/2 plain/2 shout/2"
        moves = bed.reader.moves(LABEL)
        assert [(move.kind, move.before) for move in moves[1:]] == [("promotion", before)]
        past = promotions.rounds(store, LABEL)
        assert [one.outcome for one in past] == ["promoted"]
        assert [held.item for held in past[0].held] == ["hail/2"]
        assert [state.number for state in bed.reader.states("trunk")] == [*range(1, 12)]
        if not died:
            break
    assert at > 100
    assert_whole(store.archive)
