"""Several proposals of the same expert: drawn in one call where it can give several choices, else in one call each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mixture.dispatch.validation import checked
from mixture.errors import MixtureError
from mixture.streams import complete
from mixture.types import Completion, Panel, Query, Usage

TEMPERATURE = 0.7
"""For proposals of one expert when the request says 0, at which all would be the same: that of Self-MoA (Li et al.
2025, arXiv 2502.00674)."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One call: the `places` of the proposals that it brings, who is asked, and what. `request` is what they are to
    answer, without what may stand behind it.
    """

    places: tuple[int, ...]
    expert: str
    query: Query
    request: Query

    async def drawn(self, panel: Panel) -> list[Completion | MixtureError]:
        """A completion for each place, or the error of one that says nothing; the usage of the call is the first's.
        Raises what the expert raises.
        """
        whole = await complete(panel.experts[self.expert], self.query)
        if len(self.places) == 1:
            return [checked(self.request, whole)]
        choices = [replace(whole, choices=(choice,), usage=Usage()) for choice in whole.choices]
        drawn = [self._checked(one) for one in (replace(choices[0], usage=whole.usage), *choices[1:])]
        return [drawn[i] if i < len(drawn) else self._nothing(whole) for i in range(len(self.places))]

    def _checked(self, completion: Completion) -> Completion | MixtureError:
        try:
            return checked(self.request, completion)
        except MixtureError as error:
            return error

    def _nothing(self, whole: Completion) -> Completion | MixtureError:
        """For a choice that was asked for and did not come."""
        return self._checked(replace(whole, choices=(replace(whole.choices[0], text="", tool_calls=()),)))


def sampled(names: Sequence[str], request: Query, asks: Sequence[Query], panel: Panel) -> list[Sample]:
    """The calls that bring a proposal for `request` of each of `names`, who is asked what stands there in `asks`."""
    places: dict[tuple[str, int], list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault((name, id(asks[place])), []).append(place)
    calls: list[Sample] = []
    for (name, _), same in places.items():
        query = _varied(asks[same[0]], names.count(name))
        if len(same) > 1 and "n" in panel.experts[name].card.abilities:
            several = replace(query, sampling=replace(query.sampling, n=len(same)))
            calls.append(Sample(tuple(same), name, several, request))
        else:
            calls += [Sample((place,), name, _reseeded(query, names[:place].count(name)), request) for place in same]
    return sorted(calls, key=lambda call: call.places)


def _varied(query: Query, times: int) -> Query:
    """The query of a proposer who writes so many proposals."""
    sampling = query.sampling
    if times > 1 and sampling.temperature == 0:
        sampling = replace(sampling, temperature=TEMPERATURE)
    return replace(query, stream=False, purpose="proposer", sampling=sampling)


def _reseeded(query: Query, again: int) -> Query:
    """The query for one more proposal: a fixed seed would make them all the same."""
    seed = query.sampling.seed
    return query if seed is None else replace(query, sampling=replace(query.sampling, seed=seed + again))
