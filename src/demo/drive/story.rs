//! What happens on the way: letters, a fox, the battery; and the lines of the log that tell of it.

use super::track::Point;
use super::world::World;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Debug,
    Info,
    Warning,
    Error,
}

/// One line of the robot's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) level: Level,
    /// The part of the robot that says it.
    pub(crate) name: &'static str,
    pub(crate) message: String,
}

impl Line {
    pub(crate) fn new(level: Level, name: &'static str, message: impl Into<String>) -> Self {
        Self { level, name, message: message.into() }
    }
}

/// Where a fox waits for the robot, as parts of a lap; away from mailboxes and cones.
const CROSSINGS: [f64; 3] = [0.385, 0.805, 0.19];

/// How far beside the road it comes out of the grass.
const HIDDEN: f64 = 11.0;

/// When it sits down, when it walks on, and when it is gone; in seconds.
const SITS: f64 = 2.6;
const WALKS_ON: f64 = 5.4;
const GONE: f64 = 8.0;

/// A fox that crosses the road.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fox {
    /// Where it crosses, along the lane.
    pub(crate) along: f64,
    /// Seconds since it came.
    age: f64,
}

impl Fox {
    pub(crate) fn new(along: f64) -> Self {
        Self { along, age: 0.0 }
    }

    /// Where the fox of this number crosses.
    pub(crate) fn crossing(number: usize, world: &World) -> f64 {
        CROSSINGS[number % CROSSINGS.len()] * world.lane.length
    }

    pub(crate) fn step(&mut self, time: f64) {
        self.age += time;
    }

    /// It does not sit down any more.
    pub(crate) fn scare(&mut self) {
        if self.age > SITS {
            self.age = self.age.max(WALKS_ON);
        }
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.age >= GONE
    }

    pub(crate) fn sits(&self) -> bool {
        (SITS..WALKS_ON).contains(&self.age)
    }

    /// Metres to the left of the lane: it comes from the right.
    pub(crate) fn left(&self) -> f64 {
        let smooth = |t: f64| t * t * (3.0 - 2.0 * t);
        if self.age < SITS {
            HIDDEN * (smooth(self.age / SITS) - 1.0)
        } else {
            HIDDEN * smooth(((self.age - WALKS_ON) / (GONE - WALKS_ON)).clamp(0.0, 1.0))
        }
    }

    pub(crate) fn point(&self, world: &World) -> Point {
        world.lane.at(self.along).beside(self.left())
    }

    /// The direction it looks in: across the road, or at the robot while it sits.
    pub(crate) fn heading(&self, world: &World) -> f64 {
        let lane = world.lane.at(self.along).heading;
        if self.sits() { lane + std::f64::consts::PI } else { lane + std::f64::consts::FRAC_PI_2 }
    }

    /// Whether the robot must not pass.
    pub(crate) fn is_in_the_way(&self) -> bool {
        self.left().abs() < 5.0
    }
}

/// The words for a letter, by its number.
pub(crate) fn delivered(number: usize, house: usize) -> Line {
    let house = house + 1;
    match number % 5 {
        0 => Line::new(Level::Info, "mail", format!("A letter for number {house}")),
        1 => {
            Line::new(Level::Info, "mail", format!("A parcel for number {house}, and a wave from the window"))
        }
        2 => Line::new(
            Level::Info,
            "mail",
            format!("Three postcards for number {house}, all from the seaside"),
        ),
        3 => Line::new(
            Level::Error,
            "mail",
            format!("The box of number {house} is full: the parcel goes along for another lap"),
        ),
        _ => Line::new(Level::Info, "mail", format!("Number {house} gets the newspaper")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fox_walks_without_jumps_and_leaves() {
        let world = World::new();
        let mut fox = Fox::new(Fox::crossing(0, &world));
        let mut before = fox.point(&world);
        let mut sat = false;
        while !fox.is_gone() {
            fox.step(0.05);
            let now = fox.point(&world);
            assert!((now[0] - before[0]).hypot(now[1] - before[1]) < 0.4, "{fox:?}");
            (before, sat) = (now, sat || fox.sits());
        }
        assert!(sat && (fox.left() - HIDDEN).abs() < 0.1, "{fox:?}");
    }

    #[test]
    fn foxes_cross_where_nobody_stops() {
        let world = World::new();
        for number in 0..CROSSINGS.len() {
            let along = Fox::crossing(number, &world);
            for mailbox in &world.mailboxes {
                assert!(world.lane.way(along, mailbox.along).abs() > 15.0, "number {number}: {mailbox:?}");
            }
        }
    }
}
