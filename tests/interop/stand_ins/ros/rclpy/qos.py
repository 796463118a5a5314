from dataclasses import dataclass
from enum import IntEnum


class DurabilityPolicy(IntEnum):
    TRANSIENT_LOCAL = 1
    VOLATILE = 2


class ReliabilityPolicy(IntEnum):
    RELIABLE = 1
    BEST_EFFORT = 2


@dataclass
class QoSProfile:
    depth: int
    durability: DurabilityPolicy
    reliability: ReliabilityPolicy
