use std::collections::BTreeSet;

use axum::http::StatusCode;

use super::*;

/// Bytes of all files as they are sent, over slow links to robots too.
const ROOM: usize = 60_000;

fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
    HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
}

fn html() -> HeaderMap {
    headers(header::ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8")
}

#[test]
fn a_browser_gets_the_page_and_others_get_text() {
    let page = front(&html(), || panic!("not asked for"));
    assert_eq!(page.headers()[header::CONTENT_TYPE], HTML);
    for asks in [HeaderMap::new(), headers(header::ACCEPT, "*/*")] {
        let text = front(&asks, || Response::new(Body::from("addresses")));
        assert!(!text.headers().contains_key(header::CONTENT_TYPE));
        assert_eq!(text.headers()[header::VARY], "Accept");
    }
}

#[test]
fn the_policy_lets_nothing_of_elsewhere_in() {
    let page = front(&html(), Response::default);
    let policy = page.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'self';") && policy.ends_with("frame-ancestors 'none'"),
        "{policy}"
    );
    for open in ["unsafe", "http", "*"] {
        assert!(!policy.contains(open), "{policy}");
    }
    assert_eq!(page.headers()[header::REFERRER_POLICY], "no-referrer");
}

#[test]
fn a_page_that_the_browser_has_is_not_sent_again() {
    let etag = front(&html(), Response::default).headers()[header::ETAG].to_str().unwrap().to_owned();
    for (asked, known) in
        [(etag.clone(), true), (format!("\"a\", W/{etag}"), true), ("\"a\"".to_owned(), false)]
    {
        let status = PAGE.index.answer(&headers(header::IF_NONE_MATCH, &asked)).status();
        assert_eq!(status == StatusCode::NOT_MODIFIED, known, "{asked}");
    }
}

/// All files, as text.
fn sent() -> impl Iterator<Item = (&'static str, &'static str)> {
    let files = [&PAGE.index].into_iter().chain(&PAGE.files);
    files.map(|file| (file.name, std::str::from_utf8(&file.content).unwrap()))
}

#[test]
fn every_file_that_is_loaded_is_there_and_each_is_loaded() {
    let mut loaded = BTreeSet::new();
    for (_, text) in sent() {
        loaded.extend(text.split("\"/page/").skip(1).filter_map(|rest| rest.split('"').next()));
    }
    assert_eq!(loaded, PAGE.files.iter().map(|file| file.name).collect());
}

#[test]
fn no_name_of_a_module_is_that_of_two_things() {
    let mut names = BTreeSet::new();
    for line in MODULES.iter().flat_map(|module| module.lines()) {
        let line = line.strip_prefix("export ").unwrap_or(line);
        let line = line.strip_prefix("async ").unwrap_or(line);
        let Some(rest) = ["const ", "let ", "function "].iter().find_map(|kind| line.strip_prefix(kind))
        else {
            continue;
        };
        let defined = rest.split(['=', '(']).next().unwrap_or_default();
        for name in defined.split(|letter: char| !letter.is_alphanumeric() && letter != '$' && letter != '_')
        {
            assert!(name.is_empty() || names.insert(name), "{name}");
        }
    }
    assert!(names.len() > 100, "{names:?}");
}

#[test]
fn the_page_is_small() {
    let bytes: usize = sent().map(|(_, text)| text.len()).sum();
    assert!(bytes < ROOM, "{bytes} bytes");
}

#[test]
fn nothing_that_is_left_out_was_part_of_a_text() {
    for (name, text) in sent() {
        for line in text.lines().filter(|_| name.ends_with(".js")) {
            assert_eq!(line.matches('`').count() % 2, 0, "{name}: {line}");
        }
    }
    assert_eq!(compact("// of people\n  a = `b // c`;\n\n    /** d */\n  // e\n", SCRIPT), "a=`b // c`;\n");
}

#[test]
fn spaces_stay_where_they_mean_something() {
    for (line, kind, sent) in [
        ("const [a, b] = [\" = x , \", -1 - +c];", SCRIPT, "const[a,b]=[\" = x , \",-1- +c];"),
        ("if (a) return { b: c ? 1 : 2 };", SCRIPT, "if(a)return{b:c?1:2};"),
        ("a = b / 2, c = `, ${d + \"\"}`;", SCRIPT, "a=b/2,c=`, ${d + \"\"}`;"),
        ("a = `b ${c ? `d , ` : 1} `;", SCRIPT, "a = `b ${c ? `d , ` : 1} `;"),
        ("return 'a , \" b' + c;", SCRIPT, "return'a , \" b'+c;"),
        ("a = b / 2, c = \" / \", d = \"//\";", SCRIPT, "a=b/2,c=\" / \",d=\"//\";"),
        ("a = / , /.exec(b);", SCRIPT, "a = / , /.exec(b);"),
        (".a > b :is(c, d) { e: f(1) calc(1px + 2px); }", CSS, ".a>b :is(c,d){e:f(1) calc(1px + 2px);}"),
        ("[a] b::before { content: \"● ; \"; }", CSS, "[a] b::before{content:\"● ; \";}"),
        ("<p>a = b, c</p>", HTML, "<p>a = b, c</p>"),
    ] {
        assert_eq!(tight(line, kind), sent);
    }
    assert_eq!(compact("a {\n  b;\n  c; // d;\n}\ne", SCRIPT), "a{b;c; // d;\n}e\n");
    assert_eq!(compact("a {\n  b: c;\n  d: e;\n}\n", CSS), "a{b:c;d:e}");
}

#[test]
fn what_others_wrote_only_ever_becomes_text() {
    for (name, text) in sent() {
        for way in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"]
        {
            assert!(!text.contains(way), "{name}: {way}");
        }
    }
}
