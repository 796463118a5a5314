//! Lines with commands, whose writer reads what comes of them, and a viewer that calls and sets.

use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Write};
use std::thread::JoinHandle;

use bytes::Bytes;

use super::*;
use crate::hub::capability::parameters::ParameterRequest;
use crate::hub::responder::Responder;
use crate::hub::testing::{Sent, Viewer, hub};
use crate::hub::{Hub, SlowClient};
use crate::payload::{TypeOptions, Types};
use crate::protocol::{
    CallId, Parameter, ParameterValue, ServerMessage, ServiceCallRequest, ServiceId, SetParameters,
};
use crate::registry::Registry;
use crate::source::TopicRules;
use crate::source::json_lines::JsonLinesOptions;
use crate::source::live::LiveChannels;

/// A hub with commands.
struct Robot {
    hub: Hub,
    commands: Commands,
    channels: Arc<LiveChannels>,
}

/// A program that writes lines, and reads what comes back.
struct Program {
    write: PipeWriter,
    read: BufReader<PipeReader>,
    reading: JoinHandle<()>,
}

impl Robot {
    fn new(call_timeout: Duration) -> Self {
        let hub = hub(SlowClient::Drop);
        let services = hub.provide_services().unwrap();
        let commands = Commands::new(services, hub.parameters().unwrap(), call_timeout);
        let types = Arc::new(Types::load(&TypeOptions::default()).unwrap());
        let channels = LiveChannels::new(TopicRules::default(), types, &[], Registry::default()).unwrap();
        Self { hub, commands, channels }
    }

    fn program(&self, back: Back) -> Program {
        let ((from, write), (read, to)) = (std::io::pipe().unwrap(), std::io::pipe().unwrap());
        let options = Arc::new(JsonLinesOptions::default());
        let stop = Stop::new().unwrap();
        let lines = JsonLines::new("a program".into(), from, &stop, options, self.channels.clone());
        let mut stream = self.commands.carry_out(lines, Printer::new("a program", to), back);
        let reading = std::thread::spawn(move || while stream.next().unwrap().is_some() {});
        Program { write, read: BufReader::new(read), reading }
    }
}

impl Program {
    fn say(&mut self, line: &str) {
        writeln!(self.write, "{line}").unwrap();
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.read.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Its last line; what it has read comes back until it is heard no more.
    fn end(self) -> Vec<String> {
        drop(self.write);
        self.reading.join().unwrap();
        self.read.lines().map(Result::unwrap).collect()
    }
}

fn call(viewer: &Viewer, service: u32, id: u32, encoding: &str, payload: &'static str) {
    viewer.client.call_service(ServiceCallRequest {
        service_id: ServiceId(service),
        call_id: CallId(id),
        encoding: encoding.to_owned(),
        payload: Bytes::from_static(payload.as_bytes()),
    });
}

/// What a viewer is sent about services and parameters, one after the other.
async fn news(viewer: &mut Viewer) -> ServerMessage {
    let is_news = |sent: &Sent| matches!(sent, Sent::Other(_));
    viewer.until(is_news).await;
    let at = viewer.sent.iter().position(is_news).unwrap();
    let Sent::Other(message) = viewer.sent.remove(at) else { unreachable!() };
    message
}

async fn failure(viewer: &mut Viewer) -> String {
    match news(viewer).await {
        ServerMessage::ServiceCallFailure(failure) => failure.message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_call_comes_out_as_a_line_and_its_answer_goes_to_who_called() {
    let robot = Robot::new(Duration::from_secs(10));
    let mut program = robot.program(Back::Stdout);
    let mut viewer = Viewer::join(&robot.hub);
    program.say(r#"{"op":"service","name":"/set","type":"Set","request":{"type":"object","x":1}}"#);
    let ServerMessage::AdvertiseServices(services) = news(&mut viewer).await else { panic!() };
    assert_eq!((services[0].name.as_str(), services[0].service_type.as_str()), ("/set", "Set"));
    let request = services[0].request.clone().unwrap();
    assert_eq!((request.encoding.as_str(), request.schema_name.as_str()), ("json", "SetRequest"));
    assert_eq!(request.schema, r#"{"type":"object","x":1}"#);
    call(&viewer, services[0].id.0, 5, "json", "{ \"a\":\r\n1.0}");
    assert_eq!(program.hear(), r#"{"op":"call","id":1,"service":"/set","client":0,"data":{ "a":  1.0}}"#);
    program.say(r#"{"op":"response","id":1,"data":{"ok":true}}"#);
    let ServerMessage::ServiceCallResponse(response) = news(&mut viewer).await else { panic!() };
    assert_eq!((response.call_id, response.payload), (CallId(5), Bytes::from(r#"{"ok":true}"#)));
    call(&viewer, services[0].id.0, 6, "json", "");
    assert!(program.hear().ends_with(r#""id":2,"service":"/set","client":0,"data":{}}"#));
    program.say(r#"{"op":"response","id":2,"error":"no"}"#);
    assert_eq!(failure(&mut viewer).await, "no");
    call(&viewer, services[0].id.0, 7, "cdr", "");
    assert_eq!(failure(&mut viewer).await, "/set takes requests as json, not as 'cdr'");
    call(&viewer, services[0].id.0, 8, "json", "{");
    assert!(failure(&mut viewer).await.starts_with("the request is not JSON"));
    assert_eq!(program.end(), [""; 0]);
}

#[test]
fn a_command_is_carried_out_after_what_came_before_it_was_handed_on() {
    let robot = Robot::new(Duration::ZERO);
    let text = "{\"topic\":\"/a\",\"data\":{}}\n{\"op\":\"parameter\",\"name\":\"x\",\"value\":1}\n\
                {\"topic\":\"/a\",\"data\":{}}\n{\"op\":\"parameter\",\"name\":\"x\",\"value\":2}\n";
    let stop = Stop::new().unwrap();
    let lines =
        JsonLines::new("a program".into(), text.as_bytes(), &stop, Arc::default(), robot.channels.clone());
    let (_read, to) = std::io::pipe().unwrap();
    let mut stream = robot.commands.carry_out(lines, Printer::new("a program", to), Back::Stdout);
    let store = robot.hub.parameters().unwrap();
    let mut held = || {
        let messages = stream.next().unwrap().map_or(0, |batch| batch.entries.len());
        (messages, store.get("x").and_then(|x| x.value?.as_f64()))
    };
    assert_eq!([held(), held(), held()], [(1, None), (1, Some(1.0)), (0, Some(2.0))]);
}

#[tokio::test]
async fn a_service_goes_with_its_program_and_so_do_its_calls() {
    let robot = Robot::new(Duration::from_secs(10));
    let (mut first, mut second) = (robot.program(Back::Writer), robot.program(Back::Writer));
    let mut viewer = Viewer::join(&robot.hub);
    first.say(r#"{"op":"service","name":"/set"}"#);
    assert!(matches!(news(&mut viewer).await, ServerMessage::AdvertiseServices(_)));
    second.say(r#"{"op":"service","name":"/set"}"#);
    assert_eq!(
        second.hear(),
        r#"{"op":"error","line":1,"message":"there is a service /set already; it has to be removed first, or its provider to end"}"#
    );
    call(&viewer, 1, 1, "json", "{}");
    assert!(first.hear().contains(r#""op":"call""#));
    second.say(r#"{"op":"response","id":1,"data":{}}"#);
    assert!(second.hear().contains("call 1 is not of a service of this input"));
    second.say(r#"{"op":"response","id":9,"data":{}}"#);
    assert!(second.hear().contains("there is no call 9"));
    assert_eq!(first.end(), [""; 0]);
    let mut told = [news(&mut viewer).await, news(&mut viewer).await];
    told.sort_by_key(|message| matches!(message, ServerMessage::ServiceCallFailure(_)));
    assert_eq!(told[0], ServerMessage::UnadvertiseServices(vec![ServiceId(1)]));
    assert!(
        matches!(&told[1], ServerMessage::ServiceCallFailure(failure) if failure.message.contains("has gone"))
    );
    second.say(r#"{"op":"service","name":"/set"}"#);
    assert!(matches!(news(&mut viewer).await, ServerMessage::AdvertiseServices(_)));
    second.say(r#"{"op":"service","name":"/set","remove":true}"#);
    assert_eq!(news(&mut viewer).await, ServerMessage::UnadvertiseServices(vec![ServiceId(2)]));
    second.say(r#"{"op":"service","name":"/set","remove":true}"#);
    assert!(second.hear().contains("this input has no service /set"));
    assert_eq!(second.end(), [""; 0]);
}

#[tokio::test]
async fn a_program_that_does_not_answer_or_read_is_a_failure() {
    let robot = Robot::new(Duration::from_millis(50));
    let mut program = robot.program(Back::Stdout);
    let mut viewer = Viewer::join(&robot.hub);
    program.say(r#"{"op":"service","name":"/set"}"#);
    assert!(matches!(news(&mut viewer).await, ServerMessage::AdvertiseServices(_)));
    call(&viewer, 1, 1, "json", "{}");
    assert_eq!(failure(&mut viewer).await, "/set gave no answer within 50ms");
    program.hear();
    let Program { write, read, reading } = program;
    drop(read);
    loop {
        call(&viewer, 1, 2, "json", "{}");
        let reason = failure(&mut viewer).await;
        if reason == "the program that provides /set has gone" {
            break;
        }
        assert_eq!(reason, "/set gave no answer within 50ms");
    }
    drop(write);
    reading.join().unwrap();
}

fn set(viewer: &Viewer, name: &str, value: Option<ParameterValue>) {
    let parameters = vec![Parameter { name: name.to_owned(), parameter_type: None, value }];
    viewer.client.set_parameters(SetParameters { parameters, id: None }).unwrap();
}

#[test]
fn a_parameter_that_a_handler_keeps_is_not_removed_by_who_sets_it() {
    let robot = Robot::new(Duration::ZERO);
    let store = robot.hub.parameters().unwrap();
    let (sender, asked) = std::sync::mpsc::channel();
    let handler = move |request: ParameterRequest, answer: Responder<Result<(), String>>| {
        sender.send(request.value).unwrap();
        answer.respond(Ok(()));
    };
    store.declare_handled(Parameter::new("playback.rate", 1), handler).unwrap();
    let mut program = robot.program(Back::Writer);
    program.say(r#"{"op":"parameter","name":"playback.rate","value":2}"#);
    program.say(r#"{"op":"parameter","name":"playback.rate","remove":true}"#);
    let refused = program.hear();
    assert!(refused.contains("parameter playback.rate is the server's own"), "{refused}");
    assert_eq!(asked.try_recv(), Ok(2.into()));
    assert!(store.get("playback.rate").is_some());
}

#[tokio::test]
async fn parameters_that_lines_set_are_there_and_changes_go_to_who_set_them() {
    let robot = Robot::new(Duration::ZERO);
    let mut program = robot.program(Back::Writer);
    let mut viewer = Viewer::join(&robot.hub);
    viewer.client.follow_parameters(Vec::new()).unwrap();
    program.say(r#"{"op":"parameter","name":"gain","value":2,"type":"float64"}"#);
    let ServerMessage::ParameterValues(values) = news(&mut viewer).await else { panic!() };
    assert_eq!(values.parameters, [Parameter::float64("gain", 2.0).unwrap()]);
    set(&viewer, "gain", Some(ParameterValue::from(7)));
    assert_eq!(
        program.hear(),
        r#"{"op":"set_parameter","name":"gain","value":7.0,"type":"float64","client":0}"#
    );
    for (line, part) in [
        (r#"{"op":"parameter","name":"gain","value":"high"}"#, "can't be \\\"high\\\""),
        (r#"{"op":"parameter","name":"x","value":1,"type":"int"}"#, "type: expected byte_array"),
        (r#"{"op":"parameter","name":"x","value":[null]}"#, "null is not a value"),
        (r#"{"op":"parameter","name":"x","remove":true}"#, "parameter x was not set here"),
    ] {
        program.say(line);
        let heard = program.hear();
        assert!(heard.contains(part), "{line}: {heard}");
    }
    let mut other = robot.program(Back::Writer);
    other.say(r#"{"op":"parameter","name":"gain","remove":true}"#);
    assert!(other.hear().contains("only who has set it can remove it"));
    other.end();
    program.say(r#"{"op":"parameter","name":"mode","value":"a"}"#);
    program.say(r#"{"op":"parameter","name":"gain","remove":true}"#);
    assert_eq!(program.end(), [""; 0]);
    let left: Vec<String> =
        robot.hub.parameters().unwrap().all().into_iter().map(|parameter| parameter.name).collect();
    assert_eq!(left, ["mode"], "they stay when their program ends");
}

#[tokio::test]
async fn where_events_are_printed_changes_are_not_printed_twice() {
    let robot = Robot::new(Duration::ZERO);
    let mut program = robot.program(Back::StdoutWithEvents);
    let mut viewer = Viewer::join(&robot.hub);
    viewer.client.follow_parameters(Vec::new()).unwrap();
    program.say(r#"{"op":"parameter","name":"gain","value":2}"#);
    news(&mut viewer).await;
    set(&viewer, "gain", Some(ParameterValue::from(7)));
    news(&mut viewer).await;
    assert_eq!(program.end(), [""; 0]);
}

#[test]
fn services_have_a_bound_that_is_told() {
    let robot = Robot::new(Duration::ZERO);
    let mut program = robot.program(Back::Writer);
    for n in 0..MAX_SERVICES {
        program.say(&format!(r#"{{"op":"service","name":"/{n}"}}"#));
    }
    program.say(r#"{"op":"service","name":"/more"}"#);
    assert!(program.hear().contains("service /more: there can't be more than 1000 services"));
    // one that takes the place of another is none more
    program.say(r#"{"op":"service","name":"/7","type":"T"}"#);
    program.say(r#"{"op":"service","name":"/8","remove":true}"#);
    program.say(r#"{"op":"service","name":"/more"}"#);
    assert_eq!(program.end(), [""; 0]);
    assert_eq!(lock(&robot.commands.0.offered).services, 0);
}
