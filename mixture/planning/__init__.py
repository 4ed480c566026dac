"""Taking requests apart: by rules, which need no model, or by a configured expert, whose plan is checked."""

from mixture.planning.graph import depth, faults, in_order
from mixture.planning.llm import LLMDecomposer
from mixture.planning.rules import LONGEST, MOST, RuleDecomposer, plan

__all__ = ["LONGEST", "MOST", "LLMDecomposer", "RuleDecomposer", "depth", "faults", "in_order", "plan"]
