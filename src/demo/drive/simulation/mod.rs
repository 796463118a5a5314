//! The drive itself: what the robot does, second after second. Pure: time is an argument, chance has a fixed seed.

use std::sync::Arc;

use super::story::{Fox, Level, Line, delivered};
use super::track::Point;
use super::vehicle::{Command, MOST_STEERING, Vehicle, WHEELBASE};
use super::world::{FREE, World};

/// One step, in seconds.
pub(crate) const STEP: f64 = 1.0 / 60.0;

/// Sideways acceleration in curves, in m/s².
const SIDEWAYS: f64 = 2.0;

/// Braking for what is far enough ahead, in m/s².
const CALM_BRAKING: f64 = 1.0;

/// How long the robot stops for a letter, at a goal, and to charge; in seconds.
const LETTER: f64 = 3.0;
const GOAL: f64 = 5.0;
const CHARGE: f64 = 12.0;

/// How long it obeys after the last command, in seconds.
const OBEYS: f64 = 2.0;

/// Room between the rear axle and what it stops before, in metres.
const ROOM: f64 = 6.0;

/// Where it starts, and is charged, as a part of a lap.
pub(crate) const START: f64 = 0.02;

/// What viewers set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Settings {
    /// In m/s.
    pub(crate) max_speed: f64,
    pub(crate) sky: Sky,
    pub(crate) lamp: Lamp,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_speed: 6.0, sky: Sky::Day, lamp: Lamp::Off }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sky {
    Day,
    Evening,
    Night,
    Fog,
}

impl Sky {
    pub(crate) const ALL: [(&'static str, Self); 4] =
        [("day", Self::Day), ("evening", Self::Evening), ("night", Self::Night), ("fog", Self::Fog)];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, sky)| sky)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lamp {
    Off,
    On,
}

/// Who decides where the robot goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Mode {
    /// It follows its lane.
    Alone,
    /// A viewer steers it; for so many seconds more.
    Led(f64),
    /// It stands, for so many seconds more.
    Waits(f64, Reason),
}

/// Why the robot stands, or will.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// At the mailbox of a house.
    Letter(usize),
    Goal,
    Charge,
}

/// A place at which the robot will stop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stop {
    /// Distance along the lane, of all laps.
    along: f64,
    reason: Reason,
}

/// The robot in its world.
#[derive(Debug, Clone)]
pub(crate) struct Simulation {
    pub(crate) world: Arc<World>,
    pub(crate) settings: Settings,
    pub(crate) vehicle: Vehicle,
    pub(crate) mode: Mode,
    pub(crate) fox: Option<Fox>,
    /// Where a viewer sent it.
    pub(crate) goal: Option<Stop>,
    /// From 0 to 1.
    pub(crate) battery: f64,
    /// Seconds since the start.
    pub(crate) time: f64,
    /// How far along the lane it is, of all laps.
    pub(crate) along: f64,
    /// Seconds for which its horn is heard.
    pub(crate) horn: f64,
    led: Command,
    letters: usize,
    foxes: usize,
    fox_at: f64,
    warned: bool,
    lines: Vec<Line>,
}

impl Simulation {
    pub(crate) fn new() -> Self {
        let world = Arc::new(World::new());
        let along = START * world.lane.length;
        let place = world.lane.at(along);
        let vehicle = Vehicle { point: place.point, heading: place.heading, ..Vehicle::default() };
        let fox_at = Fox::crossing(0, &world);
        let hello = "Good morning! Five houses, one robot, and the mail is on board";
        Self {
            world,
            settings: Settings::default(),
            vehicle,
            mode: Mode::Alone,
            fox: None,
            goal: None,
            battery: 0.62,
            time: 0.0,
            along,
            horn: 0.0,
            led: Command::default(),
            letters: 0,
            foxes: 0,
            fox_at,
            warned: false,
            lines: vec![Line::new(Level::Info, "drive", hello)],
        }
    }

    /// Goes on by [`STEP`].
    pub(crate) fn step(&mut self) {
        self.time += STEP;
        self.horn = (self.horn - STEP).max(0.0);
        self.fox_step();
        let command = match self.mode {
            Mode::Alone => self.drive(),
            Mode::Led(left) if left > STEP => {
                self.mode = Mode::Led(left - STEP);
                self.obey()
            }
            Mode::Led(_) => {
                self.mode = Mode::Alone;
                self.say(Level::Info, "drive", "Nobody leads me: back to the mail");
                self.drive()
            }
            Mode::Waits(left, reason) if left > STEP => {
                self.mode = Mode::Waits(left - STEP, reason);
                if reason == Reason::Charge {
                    self.battery = (self.battery + 0.07 * STEP).min(1.0);
                }
                Command::default()
            }
            Mode::Waits(_, reason) => {
                self.go_on(reason);
                Command::default()
            }
        };
        self.vehicle.step(command, STEP);
        let lane = &self.world.lane;
        let lap = (self.along / lane.length).floor();
        self.along += lane.way(self.along, lane.nearest(self.vehicle.point).along);
        if (self.along / lane.length).floor() > lap {
            let metres = self.vehicle.odometer;
            self.say(Level::Debug, "odometry", format!("Lap {} done, {metres:.0} m in all", lap + 1.0));
        }
        self.leave_what_was_passed();
        self.battery = (self.battery - (0.0006 + 0.00012 * self.vehicle.speed.abs()) * STEP).max(0.05);
        if self.battery < 0.3 && !self.warned {
            self.warned = true;
            self.say(Level::Warning, "battery", "30 % left: I charge at the start of the next lap");
        }
    }

    /// A viewer may have led it past a mailbox or its goal.
    fn leave_what_was_passed(&mut self) {
        const PASSED: f64 = 3.0;
        while self.letter().along < self.along - PASSED {
            self.letters += 1;
        }
        if let Some(goal) = self.goal.as_mut().filter(|goal| goal.along < self.along - PASSED) {
            goal.along += self.world.lane.length;
        }
    }

    /// What was said since this was last called.
    pub(crate) fn take_lines(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.lines)
    }

    /// Where the next letter goes: to every second house, so that each has its turn every second lap.
    fn letter(&self) -> Stop {
        let mailboxes = &self.world.mailboxes;
        let (lap, house) = (self.letters * 2 / mailboxes.len(), self.letters * 2 % mailboxes.len());
        let along = lap as f64 * self.world.lane.length + mailboxes[house].along;
        Stop { along, reason: Reason::Letter(house) }
    }

    /// The next stop ahead.
    pub(crate) fn next_stop(&self) -> Stop {
        let (lane, letter) = (self.world.lane.length, self.letter());
        let laps = ((self.along - 1.0) / lane - START).ceil();
        let charge = Stop { along: (laps + START) * lane, reason: Reason::Charge };
        let stops = [Some(letter), self.warned.then_some(charge), self.goal];
        stops.into_iter().flatten().min_by(|a, b| a.along.total_cmp(&b.along)).unwrap_or(letter)
    }

    /// How far it is to the next stop.
    pub(crate) fn metres_to_stop(&self) -> f64 {
        (self.next_stop().along - self.along).max(0.0)
    }

    /// Points of the way ahead, a metre apart.
    pub(crate) fn plan(&self) -> Vec<Point> {
        let ahead = self.metres_to_stop().clamp(1.0, 40.0);
        (0..=ahead as usize).map(|metre| self.world.lane.at(self.along + metre as f64).point).collect()
    }

    /// A viewer leads the robot: metres per second ahead, radians per second to the left.
    pub(crate) fn lead(&mut self, ahead: f64, to_the_left: f64) {
        if !matches!(self.mode, Mode::Led(_)) {
            self.say(Level::Info, "drive", "A viewer leads me now");
        }
        self.mode = Mode::Led(OBEYS);
        let speed = ahead.clamp(-2.0, self.settings.max_speed);
        let steering = if speed.abs() > 0.05 {
            (to_the_left * WHEELBASE / speed).atan()
        } else {
            // on the spot it can only turn its wheels
            to_the_left.clamp(-1.0, 1.0) * MOST_STEERING
        };
        self.led = Command { speed, steering };
    }

    /// Sends the robot to the place of the lane that is nearest to a point: how far that is.
    pub(crate) fn set_goal(&mut self, point: Point) -> f64 {
        let lane = &self.world.lane;
        let ahead = (lane.nearest(point).along - self.along - 3.0).rem_euclid(lane.length) + 3.0;
        self.goal = Some(Stop { along: self.along + ahead, reason: Reason::Goal });
        self.say(Level::Info, "drive", format!("A new goal, {ahead:.0} m ahead"));
        ahead
    }

    /// Where the goal is on the map.
    pub(crate) fn goal_point(&self) -> Option<Point> {
        self.goal.map(|goal| self.world.lane.at(goal.along).point)
    }

    pub(crate) fn honk(&mut self) {
        self.horn = 1.5;
        self.say(Level::Info, "horn", "Honk!");
        if let Some(fox) = &mut self.fox {
            fox.scare();
        }
    }

    /// Begins again at the start; what viewers have set stays.
    pub(crate) fn reset(&mut self) {
        *self = Self { settings: self.settings, ..Self::new() };
        self.say(Level::Warning, "drive", "Reset: back at the start");
    }

    fn say(&mut self, level: Level, name: &'static str, message: impl Into<String>) {
        self.lines.push(Line::new(level, name, message));
    }

    /// Along the lane, as fast as curves, the next stop and the fox allow.
    fn drive(&mut self) -> Command {
        let stop = self.next_stop();
        let left = stop.along - self.along;
        if left < 0.9 && self.vehicle.speed.abs() < 0.15 {
            return self.arrive(stop);
        }
        let braked = |metres: f64| (2.0 * CALM_BRAKING * metres.max(0.0)).sqrt();
        let mut speed = self.settings.max_speed.min(braked(left - 0.3));
        if left < 0.4 {
            speed = 0.0;
        }
        if let Some(fox) = self.fox.filter(Fox::is_in_the_way) {
            let way = self.world.lane.way(self.along, fox.along) - ROOM;
            if way > -ROOM + 2.0 {
                speed = speed.min(braked(way));
            }
        }
        for metres in [0.0, 4.0, 8.0, 14.0] {
            let bend = self.world.lane.at(self.along + metres).curvature.abs();
            let curve = (SIDEWAYS / bend.max(1e-3)).sqrt();
            speed = speed.min((curve * curve + 2.0 * CALM_BRAKING * metres).sqrt());
        }
        let look_ahead = 2.6 + 0.5 * self.vehicle.speed.abs();
        let [x, y] = self.vehicle.in_own_frame(self.world.lane.at(self.along + look_ahead).point);
        // pure pursuit: the circle through the point ahead
        let steering = if x > 0.0 {
            (2.0 * y * WHEELBASE / (x * x + y * y).max(0.1)).atan()
        } else {
            // it looks the wrong way
            speed = speed.min(1.5);
            MOST_STEERING.copysign(y)
        };
        Command { speed, steering }
    }

    fn obey(&mut self) -> Command {
        let left = self.world.road.nearest(self.vehicle.on_map([WHEELBASE, 0.0])).left;
        let back = self.world.road.nearest(self.vehicle.on_map([-0.5, 0.0])).left;
        let outward = if self.led.speed >= 0.0 { left.abs() - back.abs() } else { back.abs() - left.abs() };
        if left.abs().max(back.abs()) > FREE - 1.6 && outward > 0.0 {
            return Command { speed: 0.0, ..self.led };
        }
        self.led
    }

    fn arrive(&mut self, stop: Stop) -> Command {
        let time = match stop.reason {
            Reason::Letter(house) => {
                self.lines.push(delivered(self.letters, house));
                self.letters += 1;
                LETTER
            }
            Reason::Goal => {
                self.goal = None;
                self.say(Level::Info, "drive", "Here we are. I wait a moment");
                GOAL
            }
            Reason::Charge => {
                self.say(Level::Info, "battery", "Charging");
                CHARGE
            }
        };
        self.mode = Mode::Waits(time, stop.reason);
        Command::default()
    }

    fn go_on(&mut self, reason: Reason) {
        self.mode = Mode::Alone;
        if reason == Reason::Charge {
            self.warned = false;
            self.say(Level::Info, "battery", format!("Charged to {:.0} %", 100.0 * self.battery));
        }
    }

    fn fox_step(&mut self) {
        if let Some(fox) = &mut self.fox {
            let sat = fox.sits();
            fox.step(STEP);
            let (sits, gone) = (fox.sits(), fox.is_gone());
            if sits && !sat {
                self.say(Level::Warning, "camera", "A fox sits on the road and looks at me. I wait");
            }
            if gone {
                self.fox = None;
                self.say(Level::Info, "camera", "The fox has gone. Good luck, fox");
            }
            return;
        }
        let lane = &self.world.lane;
        let way = lane.way(self.along, self.fox_at);
        let early = ROOM + 4.0 + self.vehicle.speed * (1.6 + 0.5 * self.vehicle.speed / CALM_BRAKING);
        if self.mode == Mode::Alone && way > ROOM + 2.0 && way < early.min(lane.length / 4.0) {
            self.fox = Some(Fox::new(self.fox_at));
            self.foxes += 1;
            self.fox_at = Fox::crossing(self.foxes, &self.world);
            self.say(Level::Warning, "camera", "Something orange in the grass on the right: I brake");
        }
    }
}

#[cfg(test)]
mod tests;
