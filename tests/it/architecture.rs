//! The shape of the code, kept: who may import whom, and what only one place may do.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A module imports only from the lines above its own; modules on one line do not know each other.
const LAYERS: &[&[&str]] = &[
    &["domain", "body"],
    &["jwt", "tokenizer", "wire"],
    &["config", "store", "tasks"],
    &["prices", "providers", "telemetry", "tokens"],
    &["audit"],
    &[
        "auth", "events", "ledger", "queue", "route", "tap", "upstream",
    ],
    &["people"],
    &["catalog", "directory"],
    &["alerts", "limits"],
    &["app", "error"],
    &["pipeline"],
    &["api", "control"],
    &["server"],
    &["cli"],
];

/// Every source file, by its path below `src`, without its comments.
fn sources() -> Vec<(String, String)> {
    fn walk(dir: &Path, into: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => walk(&path, into),
                false => into.push(path),
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    paths.retain(|path| path.extension().is_some_and(|kind| kind == "rs"));
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        (name, code.collect::<Vec<_>>().join("\n"))
    };
    paths.into_iter().map(read).collect()
}

/// The modules that `crate::` paths in `code` begin with.
fn imports(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, start) in code.match_indices("crate::") {
        let mut depth = 0;
        let mut name = String::new();
        let mut at_name = true;
        for c in code[at + start.len()..].chars() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => at_name = true,
                c if at_name && (c.is_alphanumeric() || c == '_') => name.push(c),
                c if at_name && c.is_whitespace() && name.is_empty() => {}
                _ => at_name = false,
            }
            if !name.is_empty() && (!at_name || depth == 0 && c == '}') {
                found.push(std::mem::take(&mut name));
            }
            if depth == 0 && !at_name {
                break;
            }
        }
    }
    found
}

fn layer(module: &str) -> usize {
    let place = LAYERS.iter().position(|layer| layer.contains(&module));
    place.unwrap_or_else(|| panic!("`{module}` has no place in LAYERS"))
}

/// Asserts that only files for which `may` holds contain one of `words`.
#[track_caller]
fn only(words: &[&str], may: impl Fn(&str) -> bool) {
    let offends = |(name, code): &(String, String)| {
        !may(name) && words.iter().any(|word| code.contains(word))
    };
    let offenders: Vec<String> = sources()
        .into_iter()
        .filter(offends)
        .map(|(name, _)| name)
        .collect();
    assert!(offenders.is_empty(), "{words:?} in {offenders:?}");
}

#[test]
fn modules_import_only_from_the_layers_above_their_own() {
    let mut violations = Vec::new();
    for (file, code) in sources() {
        let module = file.split(['/', '.']).next().unwrap();
        if ["lib", "main"].contains(&module) {
            continue;
        }
        for import in imports(&code) {
            if import != module && layer(&import) >= layer(module) {
                violations.push(format!("{file} imports {import}"));
            }
        }
    }
    assert!(violations.is_empty(), "{violations:#?}");
}

#[test]
fn the_reader_of_imports_sees_them_all() {
    let code = "use crate::{\n    app::{App, x::Y},\n    body,\n};\nfn f() { crate::wire::g(crate::tap::H) }";
    assert_eq!(imports(code), ["app", "body", "wire", "tap"]);
}

#[test]
fn only_the_configuration_reads_the_environment() {
    // And tests, which are told where a server is.
    only(&["env::var", "env::vars"], |file| {
        ["config/", "store/fixture.rs", "limits/shared/tests/"]
            .iter()
            .any(|place| file.starts_with(place))
    });
}

#[test]
fn only_one_module_names_metrics() {
    let words = [
        "counter!(",
        "gauge!(",
        "histogram!(",
        "\"weir_",
        "\"gen_ai_",
    ];
    only(&words, |file| file.starts_with("telemetry/metrics"));
}

#[test]
fn only_the_edges_name_hyper() {
    only(&["hyper::", "hyper_util::", "hyper_rustls::"], |file| {
        ["server/", "upstream/", "api/"]
            .iter()
            .any(|edge| file.starts_with(edge))
    });
}

#[test]
fn only_one_file_opens_connections_to_upstreams() {
    // And one those to Redis, which its tests can cut.
    only(&["legacy::Client", "TcpStream::connect"], |file| {
        [
            "upstream/connect.rs",
            "limits/shared/link.rs",
            "limits/shared/tests/",
        ]
        .iter()
        .any(|place| file.starts_with(place))
    });
}

#[test]
fn only_the_flight_table_is_unsafe() {
    only(&["unsafe "], |file| file == "ledger/flight/map.rs");
}
