//! The program from outside: it plays recordings to peers that other people wrote — the Python `websockets` and
//! `mcap` packages, the npm packages `@foxglove/ws-protocol` and `ws`, Chromium — and they check what arrives.
//!
//! What a peer is asked to check is in `tests/interop`. Where peers or recordings are missing the trials that need
//! them are ignored; with `CI=true` they fail.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a report of tests")]

use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

#[path = "interop/browser.rs"]
mod browser;
#[path = "interop/peers.rs"]
mod peers;

use peers::{ROOT, ci, modules, python, recordings, works};

/// Trials of `tests/interop/trials.py`: a sentence, the name there, whether it needs the folder of recordings.
const TRIALS: &[(&str, &str, bool)] = &[
    ("every conformance recording arrives exactly", "conformance", true),
    ("a recorder killed in its first chunk leaves one line and exit code 2", "unreadable", true),
    ("a viewer of the newer subprotocol controls playback and sees where a pause stands", "control", false),
    ("each lap of a loop is a new session for a viewer that knows no playback control", "loop_v1", true),
    ("each lap of a loop is a seek for a viewer that knows playback control", "loop_sdk", true),
    ("laps are seldom and come after a silence if they are new sessions", "laps", false),
    ("many seeks back are one new session after a silence", "seeks_back", false),
    ("what is subscribed in groups arrives from its first message on", "groups", false),
    ("a topic that is subscribed while playing begins with its last message", "late_topic", false),
    ("a wait of more than a minute is shown while it lasts", "long_wait", true),
    ("a recording that is sent as of now goes on in time at laps and seeks", "shift", false),
    ("the newest common subprotocol is spoken, and without one the 400 names all", "subprotocol", false),
    ("a viewer that has a table of schemas controls playback", "control@v1.1", false),
    ("each lap of a loop is a seek for a viewer that has a table of schemas", "loop_sdk@v1.1", true),
    ("many seeks back are one new session with its schemas", "seeks_back@v1.1", false),
    (
        "nothing of before a seek arrives after it at viewers that have a table of schemas",
        "seeks@v1.1",
        false,
    ),
    ("recordings that overlap arrive as one timeline with one table of schemas", "several@v1.1", true),
    ("a schema that changes has another id in the table", "changed_schema@v1.1", false),
    ("live topics are advertised with their schemas in a table", "live_rules@v1.1", false),
    ("time that begins anew is a new session with its schemas", "time_anew@v1.1", false),
    ("JSON of built-in schemas has them in the table", "looks@v1.1", false),
    ("who may connect is decided by origin and host, as the page about security says", "origins", false),
    ("a viewer of a read-only server sees everything and changes nothing", "read_only", false),
    ("what is beyond the limits of clients is refused, and others go on", "limits", false),
    ("each thing that a client asks is answered as the peers' tests ask", "answers", false),
    ("every capability of one server, in every subprotocol", "capabilities", false),
    ("rules of Lichtblick for services and the connection graph", "lichtblick", false),
    (
        "tens of thousands of requests of ten clients are answered once each and leave nothing",
        "many_requests",
        false,
    ),
    ("a browser is told what the port is and a health check is answered", "http", false),
    ("a recording is had as a file, whole and by ranges, with what viewers' pages need", "files", false),
    ("files have names that can stand in URLs", "file_names", false),
    ("another reader seeks in a file over HTTP", "file_by_ranges", false),
    ("who does not read a file, or leaves, costs little and leaves nothing", "file_aborted", false),
    ("who pauses for a minute while a file comes gets all of it", "file_paused", false),
    ("counts over time are those of another reader", "timeline", false),
    ("a connection without a word is hinted at once", "silent_connection", false),
    ("what is served and playback are read and controlled over HTTP", "http_api", false),
    (
        "bodies that are too large, slow or no JSON are refused, and requests in a row are answered",
        "http_bodies",
        false,
    ),
    (
        "events tell what changes, and listeners that are too many or don't read cost nobody anything",
        "http_events",
        false,
    ),
    ("the last message of a topic is decoded, as it is, or a picture", "http_latest", false),
    ("an input that failed is told by /readyz while clients are served the rest", "http_not_ready", false),
    ("what is kept is saved over HTTP and stays once the input has ended", "http_save", false),
    ("figures are read by the parser of Prometheus, also of thousands of topics", "http_metrics", false),
    ("layouts and a viewer are given out of their folders, and nothing beside those", "http_folders", false),
    (
        "who may ask over HTTP is decided by origin and host, as the page about security says",
        "http_origins",
        false,
    ),
    ("a port in use is exit code 3 and names the option", "port_in_use", false),
    ("a termination signal closes clients with 1001 and ends with code 0", "sigterm", false),
    ("the end of playback closes clients with 1000", "at_end_exit", false),
    ("a stalled client loses only what is newer elsewhere and nobody else notices", "stalled", false),
    ("a client that stops reading is closed and another goes on", "stops_reading", false),
    ("a client that reads slowly is not closed until it stops", "reads_slowly", false),
    ("an idle client is closed if it answers no pings", "idle", false),
    ("a frame that breaks a rule is closed with the code that belongs to it", "violations", false),
    ("fragments and pings between them are taken", "rules_kept", false),
    ("a handshake that is not one is refused with its reason", "handshakes", false),
    ("compressed messages arrive exactly, whatever window a client offers", "compressed", false),
    ("of a stream that nobody reads the system holds little", "backlog", false),
    ("nothing of before a seek arrives after it in a hundred seeks of two clients", "seeks", false),
    ("a folder and recordings that overlap arrive as one timeline", "several", true),
    ("a split recording is sought over the borders of its files", "parts_seek", false),
    ("parameters of options are read, set, corrected and followed", "params_declared", false),
    ("playback is controlled by parameters", "params_playback", false),
    ("a lap declares parameters no second time and repeats what is followed", "params_laps", false),
    ("playback is controlled by services that answer with what holds", "playback_services", false),
    ("commands are services, within their bounds, and end with the program", "command_services", false),
    ("JSON lines of recordings, in the older notation of mcap cat, are the recordings", "cat_older", true),
    ("JSON lines of recordings, in the newer notation of mcap cat, are the recordings", "cat_newer", true),
    ("JSON of built-in schemas is protobuf that others decode field for field", "looks", false),
    ("bad lines are logged and skipped", "bad_lines", false),
    ("a bad line ends a strict server with code 2", "strict", false),
    ("raw lines are payloads, with their time", "raw", false),
    ("a schema that changes is a new channel", "changed_schema", false),
    ("live topics are chosen, renamed, throttled and latched", "live_rules", false),
    ("time that begins anew is a new session", "time_anew", false),
    ("a late viewer has the static frames of every publisher of live input", "static_live", false),
    ("the examples of the README work as they are printed", "readme", false),
    ("each recipe has a trial", "recipes", false),
    ("a pipe from which nothing comes is told of, with what helps", "nothing_arrives", false),
    ("recipe: topics of ROS 2 reach viewers with their definitions", "recipe_ros_topics", false),
    ("recipe: a part of a ROS 2 topic", "recipe_ros_topic", false),
    ("recipe: bags of ROS 1 and of SQLite are converted", "recipe_bags", false),
    ("recipe: a GPS receiver", "recipe_gps", false),
    ("recipe: a camera", "recipe_camera", false),
    ("recipe: points of one's own", "recipe_point_cloud", false),
    ("recipe: a serial port with JSON", "recipe_serial_json", false),
    ("recipe: a serial port with CSV", "recipe_serial_csv", false),
    ("recipe: a log file that is rotated", "recipe_log_file", false),
    ("recipe: the journal", "recipe_journal", false),
    ("recipe: GPUs", "recipe_gpu", false),
    ("recipe: MQTT with JSON", "recipe_mqtt_json", false),
    ("recipe: MQTT with any payloads", "recipe_mqtt_any", false),
    ("recipe: a CSV file", "recipe_csv_file", false),
    ("recipe: a program over SSH", "recipe_over_ssh", false),
    ("recipe: several programs", "recipe_several", false),
    ("recipe: a server in Python", "recipe_python_server", false),
    ("recipe: a recording every night", "recipe_every_night", false),
    ("recipe: a line every hour", "recipe_every_hour", false),
    ("recipe: a test, and what makes it fail", "recipe_in_a_test", false),
    ("recipe: the last minute is saved and downloaded", "recipe_last_minute", false),
    ("a server whose inputs are silent ends at once", "silent", false),
    ("the end of stdin leaves the server with what is latched", "eof_keeps", false),
    ("a pipe that ends before anybody subscribed is played as a recording", "unwatched", false),
    ("of a moment in a pipe who subscribes gets the last messages", "unwatched_moment", false),
    ("a pipe that is watched is sent as it comes", "watched", false),
    ("a file of JSON lines is a recording", "lines_file", false),
    ("first lines that can't be used are skipped", "beginnings", false),
    ("an input of which nothing can be used is told of", "no_whole_line", false),
    ("a paced stream is not led astray by times", "paced_times", false),
    ("an HTTP request to a socket for lines is refused", "web_page", false),
    ("unfinished lines of many writers take little memory", "long_lines", false),
    ("an MCAP stream is sent as it comes if that is asked for", "live_mcap", false),
    ("writers on sockets hurt no other", "sockets", false),
    ("an MCAP stream is the recording", "mcap_stream", true),
    ("what is no stream is refused with the way out", "not_a_stream", false),
    ("a growing file is followed", "follow", false),
    ("an MCAP stream, lines from sockets and growing files are served together", "mixed", false),
    ("a recording plays beside live input as if it were of now", "shifted", false),
    ("recordings and live input don't mix", "dont_mix", false),
    ("a script on stdin provides a service", "services", false),
    (
        "writers on sockets provide services, and one that does not read hurts no other",
        "sockets_services",
        false,
    ),
    ("parameters of a script are set by clients", "script_parameters", false),
    ("what happens is printed", "events", false),
    ("events are printed once and another server reads them", "events_with_script", false),
    ("an stdout that takes nothing holds nobody", "events_stalled", false),
    ("an stdout that is closed ends the events alone", "events_closed", false),
    ("beside a recording stdin gives commands", "beside_recording", false),
    ("commands in files are not carried out", "commands_in_files", false),
    ("a shell script is a whole server", "readme_script", false),
    ("what is served is recorded exactly", "record", false),
    ("a termination signal completes the recording", "record_sigterm", false),
    ("a recording whose recorder was killed lacks its last second at most", "record_killed", false),
    ("a full disk ends the recording, not the serving", "record_disk_full", false),
    ("a recording never replaces a file", "record_exists", false),
    (
        "a recording in parts of a minute is what was served, each part readable by itself",
        "record_split",
        false,
    ),
    ("of a killed recorder every finished part is whole", "record_split_killed", false),
    ("the parts of a recording stay within their number and their bytes", "record_split_limits", false),
    ("what a live source has sent last is saved exactly while viewers watch", "black_box", false),
    ("what is kept of live input has a bound, also while it is saved", "black_box_bound", false),
    ("a kill while what is kept is saved leaves no half file", "black_box_killed", false),
    ("who asks to save is told of a folder that is missing or full", "black_box_faults", false),
    ("a service, a signal and the end save what is kept", "black_box_asked", false),
    ("a key saves what is kept", "black_box_key", false),
    ("a server whose stderr was closed goes on", "stderr_closed", false),
    ("a server whose stderr takes nothing goes on and ends when asked", "stderr_stalled", false),
    ("log lines that nobody read are counted", "stderr_slow", false),
    ("a hangup, a quit and an interrupt complete the recording", "signals", false),
    ("signals that come together are one, as from GNU timeout, and complete the recording", "timeout", false),
    ("a signal that was ignored at the start stays ignored", "nohup", false),
    ("a file that is as large as allowed ends the recording, not the serving", "file_limit", false),
    ("unfinished handshakes lock nobody out for long", "descriptors", false),
    ("requests that HTTP forbids are refused, and logged in short", "requests", false),
    ("text of a client that is too long costs a status and little memory", "long_texts", false),
    ("playback control that can't be carried out is answered", "refused_control", false),
    ("a list of channels of 18 MB reaches clients", "many_channels", false),
    ("with JSON every line of the log is an object", "json_log", false),
    ("the log says what clients do and each message if asked", "verbose", false),
    ("a file says where the server listens", "ready", false),
    ("addresses that are shown can be reached", "addresses", false),
    ("keys control what is piped in", "pipe_keys", false),
    ("job control works, and the bar is drawn in the foreground alone", "job_control", false),
    ("on a narrow terminal the bar is one line with what matters", "narrow_bar", false),
    ("a terminal that takes nothing holds nobody", "stopped_terminal", false),
    ("a terminal that is closed ends the program in good order", "hangup", false),
    ("a recording keeps what another has beside its messages", "kept", false),
    ("connections that say nothing are tested by the system", "keepalive", false),
    (
        "many attacks at once on a recording harm neither a viewer nor memory nor the log",
        "attacks_on_recording",
        false,
    ),
    (
        "many attacks at once on few descriptors harm nobody who was there before",
        "attacks_on_few_descriptors",
        false,
    ),
    ("many attacks at once on live input harm neither a viewer nor a writer", "attacks_on_live_input", false),
    ("much damage is counted, with one line of the log each time", "much_damage", false),
    ("a file that is truncated while it plays is one line of the log", "truncated", false),
    ("commands ask a server of the SDK for everything", "client_sdk", false),
    ("an encrypted server is believed if its authority is", "client_tls", false),
    ("a token is sent and not shown", "client_token", false),
    ("a server that is killed and comes back is followed", "client_restart", false),
    ("a server that never answers costs the time that was given", "client_silent", false),
    ("of a server of nonsense arrives what makes sense", "client_nonsense", false),
    ("commands ask a server of PyPI foxglove-websocket for everything", "client_older_server", false),
    ("a recording that npm mcap-play plays is decoded", "client_mcap_play", false),
    ("a server is measured by several clients", "client_bench", false),
    ("reports of rates are objects if asked for", "client_rates", false),
    ("publishing to a server that leaves is no success", "client_odd_publish", false),
    ("a server is shown that leaves or is never quiet", "client_odd_info", false),
    ("topics that a server does not have are warned of, also if it ends at once", "client_odd_brief", false),
    (
        "a server that sends without a pause is recorded for as long as was asked for",
        "client_odd_record",
        false,
    ),
    ("a server is stepped, and says where it is", "client_step", false),
    ("what a server refuses or does otherwise is told", "client_told", false),
    (
        "an stdout that is not read costs the oldest messages and no connection",
        "client_stalled_stdout",
        false,
    ),
    (
        "a pipe stands still while a viewer takes nothing, and goes on without it",
        "client_stalled_pipe",
        false,
    ),
    ("what echo prints raw and serve reads are the recordings", "client_relay_all", true),
    ("what echo prints and serve reads is the same JSON and protobuf", "client_relay_decoded", true),
    ("commands ask the example servers of npm", "client_examples", false),
    (
        "of every recording what is served is recorded, and served and recorded once more",
        "recorder_recordings",
        true,
    ),
    (
        "a server that is killed and comes back is recorded with a gap that is named",
        "recorder_reconnect",
        false,
    ),
    ("what is latched and sent again after a reconnect is stored once", "recorder_latched", false),
    (
        "of a recording that plays on while the connection is lost nothing is stored twice",
        "recorder_playing",
        false,
    ),
    ("a topic that changes and changes back is recorded as two channels", "recorder_changing", false),
    ("each signal that asks for the end completes what record writes", "recorder_signals", false),
    ("a full disk ends record at once, with what was written", "recorder_disk_full", false),
    ("after a write error a file of record without a message is removed", "recorder_disk_full_early", false),
    ("record ends after a count or a time, and replaces no file", "recorder_ends", false),
    ("record holds a server back, or is told what it left out", "recorder_held_back", false),
    ("a server that pauses for long is recorded", "recorder_paused", false),
    ("record goes on in new files, and keeps so many", "recorder_split", false),
    ("record writes to stdout what readers of streams and of files read", "recorder_stdout", false),
    ("what record writes to stdout can be read as it comes", "recorder_stdout_live", false),
    ("what record writes to stdout is served", "recorder_stdout_serve", false),
    (
        "record ends well when stdout is closed, and refuses what stdout can't be",
        "recorder_stdout_ends",
        false,
    ),
    ("a stdout that stands still holds record back until a second signal", "recorder_stdout_stalled", false),
    ("a bar tells what record has stored", "recorder_bar", false),
    ("an MCAP stream on stdin is recorded", "recorder_stdin_mcap", false),
    ("what an MCAP stream on stdin has beside messages is recorded", "recorder_stdin_extras", false),
    ("lines on stdin are recorded, and bad ones told", "recorder_stdin_lines", false),
    ("a signal completes the recording of stdin", "recorder_stdin_signal", false),
    ("a server of the SDK is recorded", "recorder_sdk", false),
    ("the demos are listed, and a mistyped one is answered with what was meant", "demo_list", false),
    ("demo: a robot drives, shows all it has and is led", "demo_drive", false),
    ("demo: this computer is watched", "demo_sysmon", false),
    ("demo: JSON arrives by its schema, and comes back", "demo_json", false),
    ("demo: others decode the protobuf messages", "demo_protobuf", false),
    ("demo: pictures come with what belongs to them", "demo_image", false),
    ("demo: parameters are set within their bounds and change by themselves", "demo_params", false),
    ("demo: services answer, and a slow one holds up no other", "demo_services", false),
    ("demo: a recording in memory is controlled", "demo_playback", false),
    ("the program of the README that embeds the library publishes", "library_minimal", false),
    ("an embedder's JSON, logs and latched messages arrive", "library_publish", false),
    ("an embedder's protobuf is decoded by its own definition", "library_protobuf", false),
    (
        "an embedder's functions answer calls, send assets and take what clients publish",
        "library_service",
        false,
    ),
    ("an embedder's parameters are set within their bounds", "library_parameters", false),
    ("a program's client subscribes, decodes and records", "library_client", false),
    ("an embedder's simulation is paused and sought in", "library_playback", false),
    ("what a client publishes reaches the others at the time of what is served", "published", false),
    ("channels of clients are the server's, or beside them", "publish_forms", false),
    ("a channel of a client that comes back soon is the same", "publish_again", false),
    ("a client that publishes as fast as it can harms nobody", "publish_flood", false),
    ("the first messages of a live topic reach viewers that are there", "first_messages", false),
    ("the connection graph shows who publishes and subscribes", "graph", false),
    ("assets are fetched from their folders and from nowhere else", "assets", false),
    ("a client that fetches much and reads slowly takes little memory", "assets_slow", false),
    ("what is attached to recordings can be fetched", "attachments", false),
];

/// Those that need Node as well, among them the clients of npm `@foxglove/ws-protocol-examples`.
const NODE_TRIALS: &[(&str, &str)] = &[
    ("the client of the npm package asks for every capability, in every subprotocol", "capabilities_npm"),
    ("a read-only server shows everything, and refuses each act in its form", "capabilities_read_only"),
    ("the example servers of npm are recorded", "recorder_examples"),
    ("serve and simple-client: it decodes a recording", "serve_simple"),
    ("serve and param-client: it reads, sets and follows parameters", "serve_params"),
    ("serve and service-client: it calls a program and commands", "serve_service"),
    ("serve and publish-client: what it publishes comes out, in each encoding", "serve_publish"),
    ("serve and mcap-record: it records all of a recording", "serve_record"),
    ("serve and perf-test-client: it counts every message", "serve_perf"),
    ("demo and simple-client: it decodes JSON and protobuf", "example_simple"),
    ("demo and param-client: it reads, sets and follows parameters", "example_params"),
    ("demo and service-client: it calls SetBool", "example_service"),
    ("demo and publish-client: it is heard", "example_publish"),
    ("demo and mcap-record: it makes a recording that others decode", "example_record"),
    ("demo and perf-test-client: it counts every topic", "example_perf"),
];

/// A trial that is still there after that has failed. Those in `trials.py` and `*.cjs` have limits of their own, which come
/// first and say more.
const LIMIT: Duration = Duration::from_secs(300);

/// How long each trial took.
static TIMES: Mutex<Vec<(Duration, String)>> = Mutex::new(Vec::new());

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let code = libtest_mimic::run(&arguments, trials()).exit_code();
    let mut times = std::mem::take(&mut *TIMES.lock().unwrap_or_else(PoisonError::into_inner));
    times.sort_unstable_by(|one, other| other.cmp(one));
    if !times.is_empty() {
        println!("the slowest trials:");
    }
    for (time, name) in times.iter().take(20) {
        println!("{:6.1} s  {name}", time.as_secs_f64());
    }
    code
}

/// A trial that runs a command; where something it needs is missing it is ignored, in CI it fails.
fn trial(name: String, needs: Result<Vec<PathBuf>, String>) -> Trial {
    let ignored = needs.is_err() && !ci();
    Trial::test(name.clone(), move || run(&name, &needs?)).with_ignored_flag(ignored)
}

/// The trial in a network namespace of its own; where none is permitted it is ignored, also in CI.
fn vanished(needs: Result<Vec<PathBuf>, String>) -> Trial {
    let ignored = needs.is_err() && !ci();
    let name = "a viewer that vanishes stops the others no longer than the timeout";
    let trial = Trial::ignorable_test(name, move || {
        let command = needs?;
        if let Err(reason) = namespaces() {
            return Ok(Completion::ignored_with(reason));
        }
        run(name, &[vec!["unshare".into(), "-Urn".into()], command].concat())?;
        Ok(Completion::Completed)
    });
    trial.with_ignored_flag(ignored)
}

/// Whether two network namespaces can be made and linked.
fn namespaces() -> Result<(), String> {
    let link =
        "ip link add near type veth peer name far && unshare --net true && nsenter --target $$ --net true";
    if works(Path::new("unshare"), &["-Urn", "sh", "-c", link]) {
        Ok(())
    } else {
        Err("network namespaces (unshare, nsenter, and ip of iproute2) are missing or not permitted".into())
    }
}

fn trials() -> Vec<Trial> {
    let interop = Path::new(ROOT).join("tests/interop");
    let python: Arc<Result<PathBuf, String>> = Arc::new(python());
    let data = Path::new(ROOT).join("../shared/data");
    let has_data = if data.join("expected.json").is_file() {
        Ok(())
    } else {
        Err("the folder of recordings, ../shared/data, is missing".to_owned())
    };
    let with_python = |name: &str, argument: Option<&Path>, needs_data: bool| {
        let python = Result::clone(&python)?;
        if needs_data {
            has_data.clone()?;
        }
        let command = [python, interop.join("trials.py"), name.into()];
        Ok(command.into_iter().chain(argument.map(Path::to_owned)).collect::<Vec<_>>())
    };

    let case = Path::new(ROOT).join("../shared/cases/tfs_one.mcap");
    let case = if case.is_file() { Ok(case) } else { Err(format!("{} is missing", case.display())) };

    let mut trials = Vec::new();
    for (sentence, name) in [
        ("a late viewer has every static frame of a recording, at a start within it too", "static_late"),
        ("a viewer has every static frame after a seek back", "static_seek"),
    ] {
        let needs = case.clone().and_then(|case| with_python(name, Some(&case), false));
        trials.push(trial(sentence.into(), needs));
    }
    let recordings = recordings(&data);
    for recording in &recordings {
        let name = format!("{} arrives exactly", recording.display());
        trials.push(trial(name, with_python("recording", Some(recording), true)));
    }
    if recordings.is_empty() {
        trials.push(trial("every recording arrives exactly".into(), with_python("recording", None, true)));
    }
    for (sentence, name, needs_data) in TRIALS {
        trials.push(trial((*sentence).into(), with_python(name, None, *needs_data)));
    }
    trials.push(vanished(with_python("vanished", None, false)));
    for (sentence, name) in NODE_TRIALS {
        let needs = node().and_then(|_node| with_python(name, None, false));
        trials.push(trial((*sentence).into(), needs));
    }
    let node = node().map(|node| vec![node, interop.join("client.cjs")]);
    trials.push(trial("the client of the npm package reads a whole recording".into(), node.clone()));
    let compressed = node.clone().map(|command| [command, vec!["compressed".into()]].concat());
    trials.push(trial("the client of the npm package reads a whole recording compressed".into(), compressed));
    let publishes = node.clone().map(|command| vec![command[0].clone(), interop.join("publish.cjs")]);
    trials.push(trial("clients of the npm package publish, follow the graph and fetch".into(), publishes));
    for (sentence, script, name) in browser::TRIALS {
        let command = |node: Vec<PathBuf>| {
            Ok(vec![node[0].clone(), interop.join(script), browser::chromium()?, name.into()])
        };
        trials.push(trial((*sentence).into(), node.clone().and_then(command)));
    }
    trials
}

fn node() -> Result<PathBuf, String> {
    let node = PathBuf::from("node");
    let needed =
        "require('@foxglove/ws-protocol'); require('ws'); require.resolve('@foxglove/ws-protocol-examples')";
    if works(&node, &["-e", needed]) {
        Ok(node)
    } else {
        Err("no node with the packages of tests/interop/package.json; .ci/run installs them".into())
    }
}

fn run(name: &str, command: &[PathBuf]) -> Result<(), Failed> {
    let mut child = Command::new(&command[0]);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FOXGLOVE_BRIDGE_")) {
        child.env_remove(name);
    }
    // no pipe: a process that a trial leaves behind would hold it open
    let mut said = tempfile::tempfile()?;
    child
        .args(&command[1..])
        .env_remove("RUST_LOG")
        .env("BRIDGE", env!("CARGO_BIN_EXE_foxglove-bridge"))
        .env("BRIDGE_DATA", Path::new(ROOT).join("../shared/data"))
        .env("BRIDGE_TESTDATA", Path::new(ROOT).join("testdata"))
        .env("NODE_PATH", modules())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONUTF8", "1")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .stdout(said.try_clone()?)
        .stderr(said.try_clone()?);
    let begin = Instant::now();
    let status = wait(child)?;
    let took = begin.elapsed();
    TIMES.lock().unwrap_or_else(PoisonError::into_inner).push((took, name.to_owned()));
    if status.is_some_and(|status| status.success()) {
        return Ok(());
    }
    let status = status.map_or("it is still there".to_owned(), |status| status.to_string());
    let mut text = Vec::new();
    said.rewind()?;
    said.read_to_end(&mut text)?;
    Err(format!("{status}, after {:.1} s\n{}", took.as_secs_f64(), String::from_utf8_lossy(&text)).into())
}

/// The exit status of a command, or nothing if it had to be killed.
fn wait(mut command: Command) -> std::io::Result<Option<ExitStatus>> {
    let (mut child, begin) = (command.spawn()?, Instant::now());
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if begin.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
