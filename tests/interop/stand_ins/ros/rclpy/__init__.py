"""As much of rclpy as a node of a few lines needs; what it is sent is CDR that PyPI `rosbags` serialized."""

import time
from types import SimpleNamespace

from messages import MESSAGES, TYPES, cdr

from .qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

LATCHED = QoSProfile(
    depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL, reliability=ReliabilityPolicy.RELIABLE)
SENSOR = QoSProfile(depth=5, durability=DurabilityPolicy.VOLATILE, reliability=ReliabilityPolicy.BEST_EFFORT)


class Node:
    def __init__(self):
        self.timers, self.subscribed = [], []

    def get_topic_names_and_types(self):
        nobody = [("/nobody_sends", ["std_msgs/msg/String"])]
        return [(topic, [kind]) for topic, kind in TYPES.items()] + nobody

    def get_publishers_info_by_topic(self, topic):
        if topic not in TYPES:
            return []
        return [SimpleNamespace(qos_profile=LATCHED if topic == "/tf_static" else SENSOR)]

    def create_timer(self, period, callback):
        self.timers.append(callback)

    def create_subscription(self, msg_type, topic, callback, qos_profile, *, raw=False):
        assert raw and msg_type == TYPES[topic], (raw, msg_type)
        assert qos_profile == QoSProfile(**{**vars(self.get_publishers_info_by_topic(topic)[0].qos_profile), "depth": 10})
        self.subscribed.append((topic, callback))


def init():
    pass


def create_node(name):
    return Node()


def spin(node):
    for callback in node.timers:
        callback()
    sent = set()
    while True:
        for topic, callback in node.subscribed:
            # what is latched is sent once, to each subscription
            if topic != "/tf_static" or topic not in sent:
                callback(cdr(TYPES[topic], MESSAGES[topic]))
            sent.add(topic)
        time.sleep(0.1)
