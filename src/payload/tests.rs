use super::{TypeOptions, Types};
#[test]
fn smoke() {
    let types = Types::load(&TypeOptions::default()).unwrap();
    let log = types.find("foxglove.Log").unwrap();
    let mut out = Vec::new();
    log.encode(r#"{"level":"INFO","message":"hi"}"#, &mut out).unwrap();
    assert_eq!(out, b"\x10\x02\x1a\x02hi");
}
