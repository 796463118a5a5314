//! `demo drive`: a robot that delivers mail, for ever. Everything that a viewer can show has a topic here.
//!
//! [`simulation`] is the robot and what happens to it; [`camera`] and [`lidar`] are what it sees; the other files make
//! messages of that. All of it is pure; this file has the clock and the hub.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foxglove_bridge::hub::Hub;
use foxglove_bridge::hub::handles::{BuiltinChannel, JsonChannel};
use foxglove_bridge::time::Timestamp;
use serde_json::Value;

use super::{Running, Ticker, jpeg};
use camera::Camera;
use camera::view::{HEIGHT, WIDTH};
use lidar::Lidar;
use live::Live;
use simulation::{STEP, Simulation};
use story::Line;
use telemetry::{Imu, Motion, State};

mod camera;
mod controls;
mod ground;
mod lidar;
mod live;
mod robot;
mod scenery;
mod sensors;
mod simulation;
mod solid;
mod story;
mod telemetry;
mod track;
mod vehicle;
mod world;

/// Steps of the simulation for one tick, of which there are 30 a second.
const STEPS: usize = 2;
const PERIOD: Duration = Duration::from_nanos((1e9 * STEP) as u64 * STEPS as u64);

/// Starts to drive.
pub(super) fn start(hub: &Hub) -> anyhow::Result<Running> {
    let robot = Arc::new(Mutex::new(Simulation::new()));
    controls::parameters(hub, &robot)?;
    controls::publishing(hub, &robot)?;
    let services = controls::services(hub, &robot)?;
    let mut sender = Sender::new(hub, &lock(&robot))?;
    let mut ticks = 0;
    let ticker = Ticker::start(PERIOD, move || {
        let (lines, robot) = {
            let mut robot = lock(&robot);
            (0..STEPS).for_each(|_| robot.step());
            (robot.take_lines(), robot.clone())
        };
        // without the lock: what is sent takes longer than a step, and viewers that steer shall not wait
        sender.send(&lines, &robot, ticks, Timestamp::now());
        ticks += 1;
    })?;
    Ok(Box::new((ticker, services)))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The topics, and what is sent on them.
struct Sender {
    tf: BuiltinChannel<Value>,
    live: BuiltinChannel<Value>,
    plan: BuiltinChannel<Value>,
    position: BuiltinChannel<Value>,
    cloud: BuiltinChannel<Value>,
    scan: BuiltinChannel<Value>,
    image: BuiltinChannel<Value>,
    calibration: BuiltinChannel<Value>,
    annotations: BuiltinChannel<Value>,
    gps: BuiltinChannel<Value>,
    log: BuiltinChannel<Value>,
    motion: JsonChannel<Motion>,
    imu: JsonChannel<Imu>,
    state: JsonChannel<State>,
    scene: Live,
    lidar: Lidar,
    camera: Camera,
    /// Sent once; kept, since a channel ends with its last handle.
    _latched: [BuiltinChannel<Value>; 4],
}

impl Sender {
    fn new(hub: &Hub, robot: &Simulation) -> anyhow::Result<Self> {
        let now = Timestamp::now();
        let latched = |topic: &str, schema: &str, message: Value| {
            let channel = hub.channel(topic).latched().builtin(schema)?;
            channel.try_log(now, &message)?;
            anyhow::Ok(channel)
        };
        Ok(Self {
            tf: hub.channel("/tf").builtin("foxglove.FrameTransforms")?,
            live: hub.channel("/scene/live").builtin("foxglove.SceneUpdate")?,
            plan: hub.channel("/plan").builtin("foxglove.PosesInFrame")?,
            position: hub.channel("/pose").builtin("foxglove.PoseInFrame")?,
            cloud: hub.channel("/lidar/points").builtin("foxglove.PointCloud")?,
            scan: hub.channel("/lidar/scan").builtin("foxglove.LaserScan")?,
            image: hub.channel("/camera/image").builtin("foxglove.CompressedImage")?,
            calibration: hub.channel("/camera/calibration").builtin("foxglove.CameraCalibration")?,
            annotations: hub.channel("/camera/annotations").builtin("foxglove.ImageAnnotations")?,
            gps: hub.channel("/gps").builtin("foxglove.LocationFix")?,
            log: hub.channel("/log").latched().builtin("foxglove.Log")?,
            motion: hub.channel("/motion").json_schema("Motion", telemetry::MOTION)?,
            imu: hub.channel("/imu").json_schema("Imu", telemetry::IMU)?,
            state: hub.channel("/state").json_schema("State", telemetry::STATE)?,
            scene: Live::default(),
            lidar: Lidar::new(&robot.world),
            camera: Camera::new(),
            _latched: [
                latched("/tf_static", "foxglove.FrameTransforms", robot::mounts(now))?,
                latched("/scene/robot", "foxglove.SceneUpdate", robot::body(now))?,
                latched("/scene/world", "foxglove.SceneUpdate", scenery::scene(&robot.world, now))?,
                latched("/map", "foxglove.Grid", scenery::map(&robot.world, now))?,
            ],
        })
    }

    /// Sends what is due at a tick. Expensive messages are made only if somebody wants them.
    fn send(&mut self, lines: &[Line], robot: &Simulation, tick: usize, now: Timestamp) {
        for line in lines {
            self.log.log_at(now, &sensors::log(line, now));
        }
        if self.tf.is_subscribed() {
            self.tf.log_at(now, &robot::frames(robot, now));
        }
        self.motion.log_at(now, &Motion::of(robot));
        self.imu.log_at(now, &Imu::of(robot));
        // ten times a second each, one after the other
        match tick % 3 {
            0 => self.look(robot, now),
            1 => self.measure(robot, now),
            _ => self.draw(robot, now),
        }
        if tick.is_multiple_of(6) && self.gps.is_subscribed() {
            self.gps.log_at(now, &sensors::fix(robot, now));
        }
    }

    fn look(&self, robot: &Simulation, now: Timestamp) {
        if self.image.is_subscribed() {
            let (width, height) = (WIDTH as u16, HEIGHT as u16);
            match jpeg::encode(&self.camera.picture(robot), width, height, 85) {
                Ok(jpeg) => self.image.log_at(now, &sensors::image(&jpeg, now)),
                Err(error) => tracing::error!("a picture can't be encoded: {error}"),
            }
        }
        if self.calibration.is_subscribed() {
            self.calibration.log_at(now, &sensors::calibration(now));
        }
        if self.annotations.is_subscribed() {
            self.annotations.log_at(now, &sensors::annotations(robot, now));
        }
    }

    fn measure(&mut self, robot: &Simulation, now: Timestamp) {
        if self.cloud.is_subscribed() {
            self.cloud.log_at(now, &sensors::cloud(&self.lidar.points(robot), now));
        }
        if self.scan.is_subscribed() {
            self.scan.log_at(now, &sensors::scan(&self.lidar.ranges(robot), now));
        }
    }

    fn draw(&mut self, robot: &Simulation, now: Timestamp) {
        if self.live.is_subscribed() {
            self.live.log_at(now, &self.scene.update(robot, now));
        }
        if self.plan.is_subscribed() {
            self.plan.log_at(now, &live::poses(robot, now));
        }
        if self.position.is_subscribed() {
            self.position.log_at(now, &sensors::position(robot, now));
        }
        self.state.log_at(now, &State::of(robot));
    }
}
