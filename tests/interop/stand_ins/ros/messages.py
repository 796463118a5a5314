"""Topics of a robot, with types of different packages; fields and notation of the definitions as in the .msg files of
ros2/common_interfaces."""

import numpy
from rosbags.typesys import Stores, get_typestore

TYPES = {
    "/imu": "sensor_msgs/msg/Imu", "/chatter": "std_msgs/msg/String", "/tf_static": "tf2_msgs/msg/TFMessage",
    "/fix": "sensor_msgs/msg/NavSatFix",
}
HEADER = {"stamp": {"sec": 1767323045, "nanosec": 5}, "frame_id": "base"}
MESSAGES = {
    "/imu": {
        "header": HEADER, "orientation": dict(x=0.0, y=0.0, z=0.6, w=0.8), "orientation_covariance": [0.5] * 9,
        "angular_velocity": dict(x=0.1, y=0.2, z=0.3), "angular_velocity_covariance": [0.0] * 9,
        "linear_acceleration": dict(x=0.5, y=-0.25, z=9.81), "linear_acceleration_covariance": [-1.0] + [0.0] * 8},
    "/chatter": {"data": "grüß dich"},
    "/tf_static": {"transforms": [
        {"header": HEADER, "child_frame_id": child, "transform": {
            "translation": dict(x=1.5, y=0.0, z=0.0), "rotation": dict(x=0.0, y=0.0, z=0.0, w=1.0)}}
        for child in ("camera", "lidar")]},
    "/fix": {
        "header": HEADER, "status": {"status": 0, "service": 1}, "latitude": 48.1, "longitude": 11.5, "altitude": 545.4,
        "position_covariance": [1.0] * 9, "position_covariance_type": 0},
}
DEFINITIONS = {
    "std_msgs/msg/String": "# what is said\nstring data\n",
    "std_msgs/msg/Header": "# Standard metadata\n\nbuiltin_interfaces/Time stamp\n\nstring frame_id\n",
    "builtin_interfaces/msg/Time": "int32 sec\n\n# The nanoseconds component, valid in the range [0, 1e9).\nuint32 nanosec\n",
    "geometry_msgs/msg/Vector3": "float64 x\nfloat64 y\nfloat64 z\n",
    "geometry_msgs/msg/Quaternion": "float64 x 0\nfloat64 y 0\nfloat64 z 0\nfloat64 w 1\n",
    "geometry_msgs/msg/Transform": "Vector3 translation\nQuaternion rotation\n",
    "geometry_msgs/msg/TransformStamped": "std_msgs/Header header\nstring child_frame_id\n\nTransform transform\n",
    "tf2_msgs/msg/TFMessage": "geometry_msgs/TransformStamped[] transforms\n",
    "sensor_msgs/msg/NavSatStatus": "int8 STATUS_NO_FIX =  -1  # unable to fix\nint8 STATUS_FIX = 0\n\nint8 status -2\n"
                                    "uint16 SERVICE_GPS = 1\n\nuint16 service\n",
    "sensor_msgs/msg/NavSatFix": "# WGS 84\n\nstd_msgs/Header header\n\nNavSatStatus status\nfloat64 latitude\n"
                                 "float64 longitude\nfloat64 altitude\n\nfloat64[9] position_covariance\n\n"
                                 "uint8 COVARIANCE_TYPE_UNKNOWN = 0\nuint8 position_covariance_type\n",
    "sensor_msgs/msg/Imu": "std_msgs/Header header\n\ngeometry_msgs/Quaternion orientation\n"
                           "float64[9] orientation_covariance # Row major about x, y, z axes\n\n"
                           "geometry_msgs/Vector3 angular_velocity\nfloat64[9] angular_velocity_covariance\n\n"
                           "geometry_msgs/Vector3 linear_acceleration\nfloat64[9] linear_acceleration_covariance\n",
}
STORE = get_typestore(Stores.ROS2_HUMBLE)


def message(kind, values):
    """A message of `rosbags` with these values."""
    fields = {}
    for name, (_, form) in zip(values, STORE.get_msgdef(kind).fields):
        value, inner = values[name], form[1]
        if isinstance(value, dict):
            fields[name] = message(inner, value)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            fields[name] = [message(inner[0][1], one) for one in value]
        else:
            fields[name] = numpy.array(value) if isinstance(value, list) else value
    return STORE.types[kind](**fields)


def cdr(kind, values):
    return bytes(STORE.serialize_cdr(message(kind, values), kind))
