"""The line before the model: skip, never queue."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from ravdess.serve.desk import WAITING, Desk


def run(work: Callable[[Desk[str]], object], threads: int = 1) -> object:
    async def within() -> object:
        desk: Desk[str] = Desk(threads)
        try:
            return await work(desk)  # type: ignore[misc]
        finally:
            desk.close()

    return asyncio.run(asyncio.wait_for(within(), 20))


def test_a_newer_live_question_replaces_the_one_that_waits() -> None:
    async def work(desk: Desk[str]) -> None:
        go = threading.Event()
        busy = asyncio.create_task(desk.ask("x", lambda: lambda: str(go.wait(10)), urgent=True))
        await asyncio.sleep(0.05)

        def live(number: int) -> Callable[[], Callable[[], str]]:
            return lambda: lambda: f"live {number}"

        asked = [asyncio.create_task(desk.ask("a", live(number), urgent=False)) for number in range(5)]
        await asyncio.sleep(0.05)
        go.set()
        assert await asyncio.gather(*asked) == [None] * 4 + ["live 4"]
        assert await busy == "True"
        assert desk.skipped == 4

    run(work)


def test_ends_go_first_and_who_waited_longest_goes_next() -> None:
    async def work(desk: Desk[str]) -> list[str]:
        go, order = threading.Event(), []
        tasks = [asyncio.create_task(desk.ask("x", lambda: lambda: str(go.wait(10)), urgent=True))]
        await asyncio.sleep(0.05)

        def told(name: str) -> Callable[[], Callable[[], str]]:
            def take() -> Callable[[], str]:
                order.append(name)
                return lambda: name

            return take

        for who, urgent in (("a", False), ("b", False), ("c", True), ("d", True), ("a", False)):
            tasks.append(asyncio.create_task(desk.ask(who, told(f"{who}{urgent:d}"), urgent=urgent)))
            await asyncio.sleep(0.01)
        go.set()
        await asyncio.gather(*tasks)
        return order

    assert run(work) == ["c1", "d1", "a0", "b0"], "a keeps its place though its first question was skipped"


def test_sound_is_taken_when_the_turn_comes() -> None:
    async def work(desk: Desk[str]) -> str | None:
        go, present = threading.Event(), ["old"]
        busy = asyncio.create_task(desk.ask("x", lambda: lambda: str(go.wait(10)), urgent=True))
        await asyncio.sleep(0.05)

        def take() -> Callable[[], str]:
            found = present[0]
            return lambda: found

        asked = asyncio.create_task(desk.ask("a", take, urgent=False))
        await asyncio.sleep(0.05)
        present[0] = "new"
        go.set()
        await busy
        return await asked

    assert run(work) == "new"


def test_one_visitor_cannot_fill_the_line_and_takes_nothing_along_when_leaving() -> None:
    async def work(desk: Desk[str]) -> None:
        go = threading.Event()
        busy = asyncio.create_task(desk.ask("x", lambda: lambda: str(go.wait(10)), urgent=True))
        await asyncio.sleep(0.05)
        asked = [asyncio.create_task(desk.ask("a", lambda: lambda: "end", urgent=True)) for _ in range(WAITING + 4)]
        await asyncio.sleep(0.05)
        assert sum(task.done() for task in asked) == 4
        desk.leave("a")
        assert await asyncio.gather(*asked) == [None] * (WAITING + 4)
        go.set()
        await busy
        assert await desk.ask("b", lambda: lambda: "fine", urgent=True) == "fine"

    run(work)


def test_a_judge_that_fails_tells_who_asked_and_goes_on() -> None:
    async def work(desk: Desk[str]) -> None:
        def broken() -> str:
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            await desk.ask("a", lambda: broken, urgent=True)
        assert await desk.ask("a", lambda: lambda: "yes", urgent=False) == "yes"
        assert await desk.ask("a", lambda: None, urgent=False) is None

    run(work)
