//! Decodes payloads to JSON, and prints what each costs, on one core.
//!
//! `cargo bench --bench decode`. Bytes are those of the payload. Figures are printed, nothing is asserted: they depend on what
//! else the machine does; each is the best of several runs.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and stops where it can't measure"
)]
#![allow(missing_docs, reason = "a program")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use foxglove_bridge::model::Schema;
use foxglove_bridge::payload::{Decoder, JsonOptions, Length, TypeOptions, Types};

const HEADER: &str = "
===
MSG: std_msgs/Header
time stamp
string frame_id
";

const GEOMETRY: &str = "
===
MSG: geometry_msgs/Vector3
float64 x
float64 y
float64 z
===
MSG: geometry_msgs/Quaternion
float64 x
float64 y
float64 z
float64 w
===
MSG: geometry_msgs/Transform
geometry_msgs/Vector3 translation
geometry_msgs/Quaternion rotation
===
MSG: geometry_msgs/TransformStamped
std_msgs/Header header
string child_frame_id
geometry_msgs/Transform transform
===
MSG: sensor_msgs/PointField
string name
uint32 offset
uint8 datatype
uint32 count
";

const IMU: &str = "
std_msgs/Header header
geometry_msgs/Quaternion orientation
float64[9] orientation_covariance
geometry_msgs/Vector3 angular_velocity
float64[9] angular_velocity_covariance
geometry_msgs/Vector3 linear_acceleration
float64[9] linear_acceleration_covariance
";

const TRANSFORMS: &str = "geometry_msgs/TransformStamped[] transforms";

const SCAN: &str = "
std_msgs/Header header
float32 angle_min
float32 angle_max
float32 angle_increment
float32 time_increment
float32 scan_time
float32 range_min
float32 range_max
float32[] ranges
float32[] intensities
";

const CLOUD: &str = "
std_msgs/Header header
uint32 height
uint32 width
sensor_msgs/PointField[] fields
bool is_bigendian
uint32 point_step
uint32 row_step
uint8[] data
bool is_dense
";

const STATUS: &str = "
std_msgs/Header header
string[] names
int32[] values
bool[] flags
";

/// Writes payloads; numbers are aligned to at most `alignment`.
struct Payload {
    bytes: Vec<u8>,
    alignment: usize,
    header: usize,
    /// Bytes that end a string.
    nul: &'static [u8],
}

impl Payload {
    fn cdr() -> Self {
        Self { bytes: vec![0, 1, 0, 0], alignment: 8, header: 4, nul: b"\0" }
    }

    fn ros1() -> Self {
        Self { bytes: Vec::new(), alignment: 1, header: 0, nul: b"" }
    }

    fn number<const SIZE: usize>(&mut self, bytes: [u8; SIZE]) -> &mut Self {
        while !(self.bytes.len() - self.header).is_multiple_of(SIZE.min(self.alignment)) {
            self.bytes.push(0);
        }
        self.bytes.extend(bytes);
        self
    }

    fn u32(&mut self, value: usize) -> &mut Self {
        self.number(u32::try_from(value).unwrap().to_le_bytes())
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.u32(text.len() + self.nul.len());
        self.bytes.extend(text.bytes().chain(self.nul.iter().copied()));
        self
    }

    fn doubles(&mut self, values: impl IntoIterator<Item = f64>) -> &mut Self {
        for value in values {
            self.number(value.to_le_bytes());
        }
        self
    }

    fn floats(&mut self, values: impl IntoIterator<Item = f32>) -> &mut Self {
        for value in values {
            self.number(value.to_le_bytes());
        }
        self
    }

    fn stamp(&mut self) -> &mut Self {
        self.u32(1_769_169_524).u32(557_359_777).text("base_link")
    }

    fn imu(mut self) -> Vec<u8> {
        self.stamp();
        for (values, covariance) in [(4, 0.0025), (3, 0.02), (3, 0.04)] {
            self.doubles(measured(values));
            self.doubles((0..9).map(|place| if place % 4 == 0 { covariance } else { 0.0 }));
        }
        self.bytes
    }

    fn transforms(mut self, count: usize) -> Vec<u8> {
        self.u32(count);
        for number in 0..count {
            self.stamp().text(&format!("link_{number}")).doubles(measured(7));
        }
        self.bytes
    }

    fn scan(mut self) -> Vec<u8> {
        self.stamp().floats([-2.356_194_5, 2.356_194_5, 0.004_363_323, 1.7e-5, 0.025, 0.06, 20.0]);
        self.u32(1081).floats((0..1081u16).map(|beam| 2.0 + f32::from(beam % 97) * 0.0173));
        self.u32(1081).floats((0..1081u16).map(f32::from));
        self.bytes
    }

    fn cloud(mut self) -> Vec<u8> {
        self.stamp().u32(1).u32(30_000).u32(4);
        for (place, name) in ["x", "y", "z", "intensity"].into_iter().enumerate() {
            self.text(name).u32(place * 4).number([7]).u32(1);
        }
        self.number([0]).u32(16).u32(480_000).u32(480_000);
        self.bytes.extend((0..480_000u32).map(|n| n.to_le_bytes()[n as usize % 3]));
        self.number([1]);
        self.bytes
    }

    fn status(mut self) -> Vec<u8> {
        self.stamp().u32(100);
        for number in 0..100 {
            self.text(&format!("motor {number}: temperature within limits"));
        }
        self.u32(1000);
        for number in 0..1000 {
            self.u32(number * 7919);
        }
        self.u32(1000);
        self.bytes.extend((0..1000u32).map(|n| u8::from(n % 3 == 0)));
        self.bytes
    }
}

/// Doubles with all digits, as sensors have them.
fn measured(count: u32) -> impl Iterator<Item = f64> {
    (1..=count).map(|n| (f64::from(n) * 0.7391).sin() * 9.81)
}

/// Times a decoder.
fn measure(name: &str, decoder: &Decoder, payload: &[u8], options: &JsonOptions) {
    const RUN: Duration = Duration::from_millis(60);
    const RUNS: usize = 7;
    let mut json = Vec::new();
    let mut run = |count: u32| {
        let begin = Instant::now();
        for _ in 0..count {
            json.clear();
            decoder.to_json(black_box(payload), options, &mut json).unwrap();
        }
        (begin.elapsed(), json.len())
    };
    let mut count = 1;
    while run(count).0 < RUN / 2 {
        count *= 2;
    }
    let nanos =
        (0..RUNS).map(|_| run(count).0.as_secs_f64() * 1e9 / f64::from(count)).fold(f64::MAX, f64::min);
    let (bytes, written) = (payload.len(), run(1).1);
    let speed = |bytes: usize| bytes as f64 / nanos * 1e3;
    println!(
        "{name:<44} {bytes:>8} B {nanos:>12.0} ns {:>7.0} MB/s, {:>7.0} MB/s of JSON",
        speed(bytes),
        speed(written)
    );
}

fn ros(encoding: &str, text: &str) -> Decoder {
    let language = if encoding == "cdr" { "ros2msg" } else { "ros1msg" };
    let data = format!("{text}{HEADER}{GEOMETRY}").into();
    Decoder::new(encoding, Some(&Schema { name: "a/B".into(), encoding: language.into(), data })).unwrap()
}

fn protobuf(types: &Types, name: &str, json: &str) {
    let kind = types.find(name).unwrap();
    let mut payload = Vec::new();
    kind.encode(json, &mut payload).unwrap();
    let decoder = Decoder::new("protobuf", Some(kind.schema())).unwrap();
    measure(&format!("protobuf {name}"), &decoder, &payload, &JsonOptions::default());
}

fn main() {
    let whole = JsonOptions::default();
    let short = JsonOptions { length: Length::Short, ..whole };
    for (encoding, payload) in [("cdr", Payload::cdr as fn() -> Payload), ("ros1", Payload::ros1)] {
        measure(&format!("{encoding} Imu"), &ros(encoding, IMU), &payload().imu(), &whole);
        measure(
            &format!("{encoding} TFMessage, 10"),
            &ros(encoding, TRANSFORMS),
            &payload().transforms(10),
            &whole,
        );
        measure(&format!("{encoding} LaserScan"), &ros(encoding, SCAN), &payload().scan(), &whole);
        measure(&format!("{encoding} PointCloud2"), &ros(encoding, CLOUD), &payload().cloud(), &whole);
        measure(
            &format!("{encoding} PointCloud2, shortened"),
            &ros(encoding, CLOUD),
            &payload().cloud(),
            &short,
        );
        measure(
            &format!("{encoding} strings, integers, booleans"),
            &ros(encoding, STATUS),
            &payload().status(),
            &whole,
        );
    }
    let types = Types::load(&TypeOptions::default()).unwrap();
    protobuf(
        &types,
        "foxglove.LocationFix",
        r#"{"timestamp":"2026-01-02T03:04:05.123456789Z","frame_id":"gps","latitude":48.1372548,"longitude":11.5755,
            "altitude":519.25,"position_covariance":[0.5,0,0,0,0.5,0,0,0,1.5],"position_covariance_type":"KNOWN"}"#,
    );
    let transform = r#"{"timestamp":"2026-01-02T03:04:05.5Z","parent_frame_id":"base_link","child_frame_id":"lidar_1",
        "translation":{"x":1.8312,"y":-0.0251,"z":0.5},"rotation":{"x":0.0123,"y":0.7071,"z":0,"w":0.7071}}"#;
    let ten = [transform; 10].join(",");
    protobuf(&types, "foxglove.FrameTransforms", &format!(r#"{{"transforms":[{ten}]}}"#));
    let ranges: Vec<_> =
        (0..1081).map(|beam| format!("{:.4}", 2.0 + f64::from(beam % 97) * 0.0173)).collect();
    protobuf(
        &types,
        "foxglove.LaserScan",
        &format!(r#"{{"frame_id":"laser","ranges":[{}]}}"#, ranges.join(",")),
    );
    let data = "AAECAwQFBgcICQoLDA0ODxAR".repeat(20_000);
    protobuf(&types, "foxglove.PointCloud", &format!(r#"{{"frame_id":"lidar","data":"{data}"}}"#));
    let line = format!(r#"{{"stamp":1.5,"values":[{}]}}"#, ranges.join(","));
    measure("json, checked", &Decoder::new("json", None).unwrap(), line.as_bytes(), &whole);
    measure("base64", &Decoder::base64(), &Payload::cdr().cloud(), &whole);
}
