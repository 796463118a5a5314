use std::fs;
use std::path::Path;

use super::*;

struct Robot {
    folder: tempfile::TempDir,
    assets: Assets,
}

/// `package://rover` and, within it, `package://rover/urdf`, with something precious beside them.
fn robot() -> Robot {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir_all(path("rover/meshes")).unwrap();
    fs::create_dir_all(path("urdf")).unwrap();
    fs::write(path("rover/meshes/arm 1.stl"), "solid").unwrap();
    fs::write(path("urdf/rover.urdf"), "<robot/>").unwrap();
    fs::write(path("secret"), "precious").unwrap();
    let folders = vec![
        AssetFolder::new("package://rover", path("rover")).unwrap(),
        AssetFolder::new("package://rover/urdf/", path("urdf")).unwrap(),
    ];
    Robot { assets: Assets::of_folders(folders).with_largest(100), folder }
}

impl Robot {
    fn read(&self, uri: &str) -> Result<String, String> {
        self.assets.read(uri).map(|content| String::from_utf8_lossy(&content).into_owned())
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }
}

#[test]
fn the_longest_prefix_answers() {
    let robot = robot();
    assert_eq!(robot.read("package://rover/meshes/arm%201.stl").unwrap(), "solid");
    assert_eq!(robot.read("package://rover/urdf/rover.urdf").unwrap(), "<robot/>");
    for uri in
        ["package://rover/urdf/none", "package://rover/rover.urdf", "package://rover/meshes/arm 1.stl/x"]
    {
        assert_eq!(robot.read(uri).unwrap_err(), format!("{uri}: there is no such file"));
    }
    assert!(robot.read("package://rover2/a").unwrap_err().ends_with("there is no such asset"));
}

#[test]
fn an_error_names_nothing_that_was_not_asked_for() {
    let robot = robot();
    let own = robot.folder.path().display().to_string();
    for uri in
        ["package://rover/../secret", "package://rover/meshes", "package://rover/", "x", &"y".repeat(5000)]
    {
        let error = robot.read(uri).unwrap_err();
        assert!(!error.contains(&own) && !error.contains("precious") && error.len() < 300, "{error}");
    }
}

#[test]
fn what_is_larger_than_allowed_is_refused() {
    let robot = robot();
    fs::write(robot.path("rover/large"), vec![0; 101]).unwrap();
    fs::write(robot.path("rover/fits"), vec![0; 100]).unwrap();
    assert!(robot.read("package://rover/large").unwrap_err().contains("has 101 bytes, more than the 100"));
    assert_eq!(robot.read("package://rover/fits").unwrap().len(), 100);
}

#[cfg(unix)]
#[test]
fn links_are_followed_within_the_folder_and_never_out_of_it() {
    use std::os::unix::fs::symlink;
    let robot = robot();
    symlink("meshes/arm 1.stl", robot.path("rover/near")).unwrap();
    symlink(robot.path("rover/meshes"), robot.path("rover/absolute")).unwrap();
    symlink("../secret", robot.path("rover/out")).unwrap();
    symlink(robot.folder.path(), robot.path("rover/up")).unwrap();
    symlink("loop", robot.path("rover/loop")).unwrap();
    assert_eq!(robot.read("package://rover/near").unwrap(), "solid");
    assert_eq!(robot.read("package://rover/absolute/arm%201.stl").unwrap(), "solid");
    for uri in ["package://rover/out", "package://rover/up/secret", "package://rover/up/urdf/rover.urdf"] {
        assert_eq!(robot.read(uri).unwrap_err(), format!("{uri}: leads out of its folder"));
    }
    assert!(robot.read("package://rover/loop").is_err());
}

#[cfg(unix)]
#[test]
fn a_folder_that_is_changed_meanwhile_leads_nowhere_else() {
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicBool, Ordering};
    let robot = robot();
    let (meshes, away) = (robot.path("rover/meshes"), robot.path("rover/away"));
    fs::write(robot.path("arm 1.stl"), "precious").unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                fs::rename(&meshes, &away).unwrap();
                symlink(robot.folder.path(), &meshes).unwrap();
                fs::remove_file(&meshes).unwrap();
                fs::rename(&away, &meshes).unwrap();
            }
        });
        for _ in 0..2000 {
            if let Ok(content) = robot.read("package://rover/meshes/arm%201.stl") {
                assert_eq!(content, "solid");
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[cfg(unix)]
#[test]
fn no_device_no_pipe_and_no_folder_is_read() {
    let robot = robot();
    let fifo = robot.path("rover/pipe");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(robot.path("rover/socket")).unwrap();
    for uri in ["package://rover/pipe", "package://rover/socket", "package://rover/meshes"] {
        assert_eq!(robot.read(uri).unwrap_err(), format!("{uri}: is not a regular file"));
    }
    let dev = Assets::of_folders(vec![AssetFolder::new("dev://", "/dev").unwrap()]);
    assert_eq!(dev.read("dev:///zero").unwrap_err(), "dev:///zero: is not a regular file");
}

#[test]
fn folders_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(AssetFolder::new("a://", &file), Err(BadFolder::NoFolder(_))));
    assert!(matches!(AssetFolder::new("a://", folder.path().join("none")), Err(BadFolder::Io { .. })));
    assert!(matches!(AssetFolder::new("", folder.path()), Err(BadFolder::Form(_))));
    for text in ["", "=", "a://", "a://=", "=/opt"] {
        assert!(text.parse::<AssetFolder>().is_err(), "{text}");
    }
    let parsed: AssetFolder = "package://rover=/opt/a=b".parse().unwrap();
    assert_eq!((parsed.prefix(), parsed.path()), ("package://rover", Path::new("/opt/a=b")));
}

#[test]
fn attachments_are_fetched_by_name_and_by_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mcap");
    let mut writer = mcap_with(&path);
    for (name, data) in [("rover.urdf", "one"), ("a b#2", "odd"), ("rover.urdf", "two")] {
        attach(&mut writer, name, data);
    }
    writer.finish().unwrap();
    drop(writer);
    let options = crate::source::RecordingOptions::default();
    let recording = crate::source::open(&[&path], &options, &Default::default(), &mut |_| {}).unwrap();
    let assets = Assets::of_folders(Vec::new()).with_attachments(recording.info().attachments.clone());
    let read = |uri: &str| assets.read(uri).map(|content| String::from_utf8(content.to_vec()).unwrap());
    for (uri, content) in [
        ("rover.urdf", "one"),
        ("attachment:rover.urdf", "one"),
        ("attachment:rover.urdf#2", "two"),
        ("attachment:rover%2Eurdf%232", "two"),
        ("attachment:a%20b#2", "odd"),
        ("a b#2", "odd"),
    ] {
        assert_eq!(read(uri).as_deref(), Ok(content), "{uri}");
    }
    for uri in ["attachment:rover.urdf#3", "attachment:rover.urdf#0", "none", "attachment:%"] {
        assert!(read(uri).unwrap_err().ends_with("there is no such asset"), "{uri}");
    }
    // damaged since it was opened
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(3).position(|window| window == b"odd").unwrap();
    bytes[at] = b'O';
    fs::write(&path, bytes).unwrap();
    assert!(read("a b#2").unwrap_err().contains("damaged"));
}

fn mcap_with(path: &Path) -> mcap::Writer<std::io::BufWriter<fs::File>> {
    mcap::Writer::new(std::io::BufWriter::new(fs::File::create(path).unwrap())).unwrap()
}

fn attach(writer: &mut mcap::Writer<std::io::BufWriter<fs::File>>, name: &str, data: &str) {
    writer
        .attach(&mcap::Attachment {
            log_time: 1,
            create_time: 1,
            name: name.to_owned(),
            media_type: "text/plain".to_owned(),
            data: data.as_bytes().into(),
        })
        .unwrap();
}
