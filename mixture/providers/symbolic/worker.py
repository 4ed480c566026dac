"""The process that computes: a line of JSON in, a line of JSON out. `python -m mixture.providers.symbolic.worker`.

It may take so much memory, and for each line so much time, as its two arguments say (MiB, seconds); the kernel ends
it beyond that. It ends by itself when its standard input closes, also in the middle of a computation.
"""

from __future__ import annotations

import json
import os
import queue
import resource
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import sympy as sp

from mixture.providers.symbolic import algebra, calculus, quantities
from mixture.providers.symbolic.comparing import same
from mixture.providers.symbolic.evaluation import build
from mixture.providers.symbolic.printing import measured, result
from mixture.providers.symbolic.refusals import NotMaths, TooLarge

Task = dict[str, Any]


def main() -> None:
    """Answer lines until standard input closes."""
    mebibytes, seconds = (int(arg) for arg in sys.argv[1:3])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then closes our input
    resource.setrlimit(resource.RLIMIT_AS, (mebibytes * 2**20,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(lines,), daemon=True).start()
    _write({"ready": True})
    while True:
        line = lines.get()
        _allow(seconds)
        _write(_outcome(json.loads(line)))


def answer(task: Task) -> str:
    """What follows the question in its answer. Raises NotMaths and TooLarge."""
    return _KINDS[task["kind"]](task)


def _listen(lines: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        lines.put(line)
    os._exit(0)


def _allow(seconds: int) -> None:
    """Let this process use `seconds` more of a processor."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime) + seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _outcome(task: Task) -> dict[str, str]:
    try:
        return {"answer": answer(task)}
    except TooLarge as refused:
        return {"large": str(refused)}
    except (MemoryError, RecursionError, SystemError):  # C code that gets no memory now and then says only the last
        return {"large": "the computation needs more memory than is allowed"}
    except NotMaths:
        return {"declined": "there is no closed answer"}
    except Exception as error:
        return {"declined": f"SymPy can't do this ({type(error).__name__})"}


def _write(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _compute(task: Task) -> str:
    value = build(task["nodes"][0])
    if not value.is_Rational:
        value = sp.simplify(value)
    return result(value, task.get("suffix", ""), task["reading"])


def _solve(task: Task) -> str:
    sides = [build(node) for node in task["nodes"]]
    return algebra.solved(list(zip(sides[::2], sides[1::2], strict=True)), task["variables"])


def _rewrite(task: Task) -> str:
    text = algebra.rewritten(task["kind"], build(task["nodes"][0]))
    if task["kind"] == "simplify" and text.removeprefix("= ").replace(" ", "") == task["reading"].replace(" ", ""):
        raise NotMaths
    return text


def _factors(task: Task) -> str:
    number = build(task["nodes"][0])
    if not number.is_Integer or number < 2:
        raise NotMaths
    if sp.isprime(number):
        return "is prime"
    powers = sp.factorint(number)
    return "= " + " * ".join(f"{p}^{n}" if n > 1 else str(p) for p, n in sorted(powers.items()))


def _check(task: Task) -> str:
    values = [build(node) for node in task["nodes"]]
    what, other = task["what"], task["other"]
    if what in ("prime", "even", "odd", "divisible") and not all(value.is_Integer for value in values):
        raise NotMaths
    verdict, phrase = _CHECKS[what](*values)
    if verdict not in (True, False):
        raise NotMaths
    return f"is {'' if verdict else 'not '}{phrase.format(other=other)}{_because(what, values, bool(verdict))}"


def _because(what: str, values: list[Any], verdict: bool) -> str:
    if what == "prime" and not verdict and 3 < values[0] < 10**12:
        return f": it is divisible by {min(sp.primefactors(values[0]))}"
    if what == "divisible" and not verdict:
        return f": the remainder is {values[0] % values[1]}"
    if what in "=<>" and not values[0].is_Integer:
        return ""
    return f": it is {values[0]}" if what == "=" and not verdict else ""


_CHECKS: dict[str, Callable[..., tuple[Any, str]]] = {
    "prime": lambda n: (sp.isprime(n), "prime"),
    "even": lambda n: (n % 2 == 0, "even"),
    "odd": lambda n: (n % 2 == 1, "odd"),
    "divisible": lambda n, by: (by != 0 and n % by == 0, "divisible by {other}"),
    "=": lambda a, b: (bool(sp.simplify(a - b) == 0), "equal to {other}"),
    "multiple": lambda a, b: (_multiple(a, b), "equal to a multiple of {other}"),
    ">": lambda a, b: (bool(a > b), "greater than {other}"),
    "<": lambda a, b: (bool(a < b), "less than {other}"),
}


def _multiple(first: Any, second: Any) -> bool:
    """Whether two equations, as what is zero where they hold, are the same one."""
    quotient = sp.simplify(first / second)
    return bool(quotient.is_number and quotient.is_finite and quotient != 0)


def _convert(task: Task) -> str:
    values = [build(node) for node in task["nodes"]]
    value = quantities.converted(values, task["units"], task["target"])
    one, many = task["words"]
    return f"{measured(value)} {one if value == 1 else many}{task['notes']}"


def _same(task: Task) -> str:
    one, other = (build(node, real=True) for node in task["nodes"])
    return same(one, other)


def _median(task: Task) -> str:
    values = sorted(build(node) for node in task["nodes"])
    middle = len(values) // 2
    return result(values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2)


def _calculus(task: Task) -> str:
    node, *rest = (build(encoded, real=True) for encoded in task["nodes"])
    name = task["variable"]
    match task["kind"]:
        case "derivative":
            return calculus.derivative(node, name, task["order"], *rest)
        case "integral":
            return calculus.integral(node, name, rest)
        case "limit":
            return calculus.limit(node, name, rest[0], task["side"])
        case kind:
            return calculus.series(kind, node, name, rest[0], rest[1])


_KINDS: dict[str, Callable[[Task], str]] = {
    "compute": _compute,
    "solve": _solve,
    **dict.fromkeys(("simplify", "expand", "factor"), _rewrite),
    "factors": _factors,
    "check": _check,
    "convert": _convert,
    "median": _median,
    "same": _same,
    **dict.fromkeys(("derivative", "integral", "limit", "sum", "product"), _calculus),
}

if __name__ == "__main__":
    main()
