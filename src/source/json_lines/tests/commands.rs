//! Lines that ask for something.

use super::*;

/// What lines give: `/topic` for each message, and commands with their lines.
fn told(text: &str, options: &JsonLinesOptions) -> (Vec<String>, u64) {
    let mut source = input(text.as_bytes(), options, &channels(options));
    let (mut told, mut topics) = (Vec::new(), HashMap::new());
    while let Some(line) = source.next_line().unwrap() {
        match line {
            Line::Batch(batch) => {
                topics.extend(batch.announcements.iter().map(|channel| (channel.id, channel.topic.clone())));
                told.extend(batch.entries.iter().map(|entry| topics[&entry.channel].clone()));
            }
            Line::Command { line, command } => told.push(format!("{line} {command:?}")),
        }
    }
    (told, source.counts().bad.load(Ordering::Relaxed))
}

fn command(line: &str) -> Command {
    let options = strict();
    let mut source = input(line.as_bytes(), &options, &channels(&options));
    match source.next_line() {
        Ok(Some(Line::Command { line: 1, command })) => command,
        other => panic!("{line}: {other:?}"),
    }
}

fn schema(name: &str, data: &'static str) -> crate::model::Schema {
    crate::model::Schema { name: name.into(), encoding: "jsonschema".into(), data: data.into() }
}

#[test]
fn commands_keep_their_places_among_messages() {
    let (told, bad) = told(
        "{\"topic\":\"/a\",\"data\":{}}\n{\"op\":\"parameter\",\"name\":\"x\",\"remove\":true}\n\
         {\"topic\":\"/b\",\"data\":{}}\n\n{\"op\":\"service\",\"name\":\"/s\",\"remove\":true}\n",
        &JsonLinesOptions::default(),
    );
    assert_eq!(told, ["/a", "2 RemoveParameter(\"x\")", "/b", "5 RemoveService(\"/s\")"]);
    assert_eq!(bad, 0);
}

#[test]
fn a_service_needs_a_name_alone() {
    let Command::Service(service) = command(r#"{"op":"service","name":"/arm/set"}"#) else { panic!() };
    assert_eq!((service.name.as_str(), service.service_type.as_str()), ("/arm/set", "set"));
    assert_eq!(service.request, schema("setRequest", r#"{"type":"object"}"#));
    assert_eq!(service.response, schema("setResponse", r#"{"type":"object"}"#));
}

#[test]
fn requests_are_schemas_or_named_ones() {
    for (line, request) in [
        (r#""request":{"type":"object","x":1}"#, schema("TRequest", r#"{"type":"object","x":1}"#)),
        (r#""request":{"title":"Go","type":"object"}"#, schema("Go", r#"{"title":"Go","type":"object"}"#)),
        (r#""request":{"schemaName":"Go","schema":{"a":1}}"#, schema("Go", r#"{"a":1}"#)),
        (r#""request":{"schema":"{\"a\":1}","encoding":"json"}"#, schema("TRequest", r#"{"a":1}"#)),
        (r#""request":null"#, schema("TRequest", r#"{"type":"object"}"#)),
    ] {
        let text = format!(r#"{{"op":"service","name":"/s","type":"T",{line}}}"#);
        let Command::Service(service) = command(&text) else { panic!("{line}") };
        assert_eq!(service.request, request, "{line}");
    }
}

#[test]
fn answers_and_parameters_are_taken_as_they_stand() {
    assert_eq!(
        command(r#"{"op":"response","id":7,"data":{ "a": 1.0 }}"#),
        Command::Response { id: 7, result: Ok("{ \"a\": 1.0 }".into()) }
    );
    assert_eq!(
        command(r#"{"op":"response","id":7,"error":"\u0061 b"}"#),
        Command::Response { id: 7, result: Err("a b".into()) }
    );
    assert_eq!(
        command(r#"{"op":"parameter","name":"k","value":2.0,"type":"float64"}"#),
        Command::Parameter {
            name: "k".into(),
            value: serde_json::json!(2.0),
            parameter_type: Some("float64".into())
        }
    );
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    for (line, part) in [
        (r#"{"op":"service"}"#, "op service needs a name"),
        (r#"{"op":"service","name":""}"#, "op service needs a name"),
        (r#"{"op":"service","name":7}"#, "column 24: name 7 is not a string"),
        (r#"{"op":"service","name":"/s","request":[]}"#, "request is not a JSON Schema"),
        (r#"{"op":"service","name":"/s","request":{"schema":5}}"#, "neither an object nor a string"),
        (r#"{"op":"service","name":"/s","request":{"schema":"x"}}"#, "request: schema is not JSON"),
        (r#"{"op":"service","name":"/s","response":{"schema":{},"encoding":"cdr"}}"#, "encoding is cdr"),
        (r#"{"op":"service","name":"/s","remove":1}"#, "remove is neither true nor false"),
        (r#"{"op":"response","data":{}}"#, "op response needs the id of a call"),
        (r#"{"op":"response","id":"7","data":{}}"#, "column 23: id \"7\" is not a whole number"),
        (r#"{"op":"response","id":-1,"data":{}}"#, "id -1 is not a whole number"),
        (r#"{"op":"response","id":7}"#, "op response needs data or error"),
        (r#"{"op":"response","id":7,"data":null}"#, "op response needs data or error"),
        (r#"{"op":"response","id":7,"data":{},"error":""}"#, "one of them"),
        (r#"{"op":"parameter","value":1}"#, "op parameter needs a name"),
        (r#"{"op":"parameter","name":"x"}"#, "op parameter needs a value, or \"remove\":true"),
        (r#"{"op":"parameter","name":"x","value":NaN}"#, "a command can't have NaN"),
    ] {
        let outcome = read_with(line, &strict());
        assert_eq!((outcome.errors.len(), outcome.bad), (1, 1), "{line}: {outcome:?}");
        assert!(outcome.errors[0].contains(part), "{line}: {}", outcome.errors[0]);
    }
    let long = format!(r#"{{"op":"service","name":"{}"}}"#, "x".repeat(1025));
    assert!(read_with(&long, &strict()).errors[0].contains("at most 1024 bytes"));
}

#[test]
fn a_plain_stream_skips_commands_and_counts_them() {
    let options = strict();
    let text = "{\"op\":\"service\",\"name\":\"/s\"}\n{\"topic\":\"/a\",\"data\":{}}\n{\"op\":\"response\",\"id\":1,\"data\":1}\n";
    let mut source = input(text.as_bytes(), &options, &channels(&options));
    assert_eq!(source.next().unwrap().unwrap().entries.len(), 1);
    assert!(source.next().unwrap().is_none());
    let counts = source.counts();
    assert_eq!((counts.commands.load(Ordering::Relaxed), counts.bad.load(Ordering::Relaxed)), (2, 0));
}

#[test]
fn events_of_another_server_are_no_bad_lines() {
    let (told, bad) = told(
        "{\"op\":\"connect\",\"client\":1}\n{\"op\":\"call\",\"id\":7,\"service\":\"/s\",\"data\":{}}\n\
         {\"topic\":\"/a\",\"data\":{},\"client\":1}\n{\"op\":\"dropped\",\"count\":3}\n",
        &JsonLinesOptions::default(),
    );
    assert_eq!((told, bad), (vec!["/a".to_owned()], 0));
}

#[test]
fn beside_a_recording_a_message_is_a_bad_line_that_says_what_helps() {
    let options = JsonLinesOptions { form: LineForm::Commands, ..JsonLinesOptions::default() };
    let (told, bad) = told(
        "{\"topic\":\"/a\",\"data\":{}}\n{\"op\":\"channel\",\"topic\":\"/a\"}\n{\"ax\":1}\n\
         {\"op\":\"service\",\"name\":\"/s\",\"remove\":true}\n{\"op\":\"connect\"}\n",
        &options,
    );
    assert_eq!((told, bad), (vec!["4 RemoveService(\"/s\")".to_owned()], 3));
    let options = JsonLinesOptions { strict: true, ..options };
    let error = &read_with("{\"topic\":\"/a\",\"data\":{}}", &options).errors[0];
    assert!(error.contains("only commands are taken"), "{error}");
    assert!(error.contains("times of now"), "{error}");
}
