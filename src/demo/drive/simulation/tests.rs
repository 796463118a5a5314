use super::*;
use crate::demo::drive::track::turn;

/// Drives for so many seconds; what was said.
fn drive(simulation: &mut Simulation, seconds: f64) -> Vec<Line> {
    let mut lines = Vec::new();
    for _ in 0..(seconds / STEP) as usize {
        let before = simulation.vehicle;
        simulation.step();
        let after = simulation.vehicle;
        let way = (after.point[0] - before.point[0]).hypot(after.point[1] - before.point[1]);
        assert!(way <= 12.5 * STEP, "a jump of {way} m at {} s", simulation.time);
        assert!(turn(after.heading - before.heading).abs() < 2.0 * STEP, "a turn at {} s", simulation.time);
        assert!((after.speed - before.speed).abs() < 3.1 * STEP, "a jolt at {} s", simulation.time);
        let left = simulation.world.road.nearest(after.point).left;
        assert!(left.abs() < FREE - 1.0, "{left} m beside the road at {} s", simulation.time);
        lines.extend(simulation.take_lines());
    }
    lines
}

fn said(lines: &[Line], words: &str) -> usize {
    lines.iter().filter(|line| line.message.contains(words)).count()
}

#[test]
fn it_drives_for_a_long_time_and_tells_its_story() {
    let mut simulation = Simulation::new();
    let lines = drive(&mut simulation, 420.0);
    let laps = simulation.along / simulation.world.lane.length;
    assert!(laps > 3.0, "{laps} laps in seven minutes");
    assert!((0.2..=1.0).contains(&simulation.battery), "{}", simulation.battery);
    for (words, least) in [("umber ", 5), ("fox sits", 3), ("has gone", 3), ("Charging", 1), ("Lap ", 3)] {
        assert!(said(&lines, words) >= least, "{words}: {lines:#?}");
    }
    for level in [Level::Debug, Level::Info, Level::Warning, Level::Error] {
        assert!(lines.iter().any(|line| line.level == level), "{level:?}");
    }
}

#[test]
fn it_never_touches_a_cone_nor_a_fox() {
    let mut simulation = Simulation::new();
    simulation.settings.max_speed = 12.0;
    for _ in 0..(150.0 / STEP) as usize {
        simulation.step();
        let touches = |point: Point, room: f64| {
            let [x, y] = simulation.vehicle.in_own_frame(point);
            (-0.5..=2.3).contains(&x) && y.abs() < 0.7 + room
        };
        for cone in &simulation.world.cones {
            assert!(!touches(*cone, 0.2), "a cone at {} s", simulation.time);
        }
        if let Some(fox) = &simulation.fox {
            assert!(!touches(fox.point(&simulation.world), 0.3), "a fox at {} s", simulation.time);
        }
    }
}

#[test]
fn a_viewer_leads_it_for_a_while() {
    let mut simulation = Simulation::new();
    drive(&mut simulation, 3.0);
    // a wild driver
    for second in 0..60 {
        let (ahead, left) = ([3.0, -1.5, 5.0, 0.0][second % 4], [0.9, -0.6, -1.2, 0.4, 0.0][second % 5]);
        simulation.lead(ahead, left);
        drive(&mut simulation, 1.0);
    }
    let lines = drive(&mut simulation, 90.0);
    assert_eq!(said(&lines, "Nobody leads me"), 1);
    let left = simulation.world.lane.nearest(simulation.vehicle.point).left;
    assert!(left.abs() < 0.5, "back in its lane: {left}");
}

#[test]
fn what_a_viewer_leads_it_past_is_not_waited_for() {
    let mut simulation = Simulation::new();
    let mailbox = simulation.world.mailboxes[0];
    for _ in 0..600 {
        let [x, y] = simulation.vehicle.in_own_frame(simulation.world.lane.at(simulation.along + 4.0).point);
        simulation.lead(4.0, 4.0 * 2.0 * y / (x * x + y * y));
        drive(&mut simulation, 0.2);
        if simulation.along > mailbox.along + 5.0 {
            break;
        }
    }
    assert_eq!(said(&drive(&mut simulation, 20.0), "number 1"), 0);
    assert!(simulation.along > mailbox.along + 40.0, "{} m", simulation.along);
}

#[test]
fn it_goes_where_it_is_sent() {
    let mut simulation = Simulation::new();
    let goal = simulation.world.lane.at(simulation.along + 60.0).beside(3.0);
    let way = simulation.set_goal(goal);
    assert!((way - 60.0).abs() < 2.0, "{way}");
    let lines = drive(&mut simulation, 60.0);
    assert_eq!(said(&lines, "Here we are"), 1);
    assert_eq!(simulation.goal_point(), None);
}

#[test]
fn the_same_commands_make_the_same_drive() {
    let [one, two] = [0, 1].map(|_| {
        let mut simulation = Simulation::new();
        drive(&mut simulation, 20.0);
        simulation.honk();
        drive(&mut simulation, 20.0);
        simulation.vehicle
    });
    assert_eq!(one, two);
}

#[test]
fn after_a_reset_it_starts_again_as_it_was_set() {
    let mut simulation = Simulation::new();
    let start = simulation.vehicle;
    simulation.settings.sky = Sky::Night;
    drive(&mut simulation, 30.0);
    simulation.reset();
    assert_eq!((simulation.vehicle, simulation.settings.sky), (start, Sky::Night));
}
