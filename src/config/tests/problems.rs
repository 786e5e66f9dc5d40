//! What is refused, and in which words.

use super::Given;
use crate::domain::Place;
use std::fs;

#[test]
fn every_mistake_is_found_in_one_pass() {
    let given = Given::file(
        "[server]
lisen = '0.0.0.0:1'
workers = 'many'
header_max = '1KiB'
control_listen = '127.0.0.1:8080'

[log]
level = 'loud'
heartbeat = '1s'

[servr]
x = 1

[[upstream]]
name = 'a'
provider = 'openai'
base_url = 'ftp://x'
retries = 11

[[upstream]]
name = 'a'
provider = 'gemini'

[[model]]
name = 'm*n*'
to = ['aa',
      'nowhere']

[[model]]
name = 'empty'
to = []

[[forward]]
path = '/v1/../x'
",
    );
    assert_eq!(
        given.problems(),
        [
            "config.toml:2: server.lisen: unknown key; did you mean `listen`?",
            "config.toml:3: server.workers: expected an integer, found a string",
            "config.toml:4: server.header_max: must be from 8KiB to 1MiB",
            "config.toml:5: server.control_listen: is the same address as `listen`; the planes are apart",
            "config.toml:8: log.level: expected one of `error`, `warn`, `info`, `debug`",
            "config.toml:9: log.heartbeat: unknown key; did you mean `server.heartbeat`?",
            "config.toml:11: servr: unknown key; did you mean `server`?",
            "config.toml:17: upstream.a.base_url: expected a URL that begins with http:// or https://",
            "config.toml:18: upstream.a.retries: must be from 0 to 10",
            "config.toml:21: upstream.a.name: is the name of another upstream too",
            "config.toml:22: upstream.a.provider: `gemini` is not in this version of Weir",
            "config.toml:25: model.m*n*.name: has more than one `*`",
            "config.toml:26: model.m*n*.to.0: there is no upstream of this name",
            "config.toml:27: model.m*n*.to.1: there is no upstream of this name",
            "config.toml:31: model.empty.to: is empty; name an upstream",
            "config.toml:33: forward./v1/../x.to: is missing",
            "config.toml:34: forward./v1/../x.path: expected a path such as /v1/files, without `*`, `.`, `..` and `//`",
        ]
    );
}

#[test]
fn a_forward_that_can_never_act_is_refused_with_the_reason() {
    let given = |path: &str| Given::file(&format!("[[forward]]\npath = '{path}'\nto = ''\n"));
    for (path, why) in [
        ("/v1/organization", "operator's account"),
        ("/v1/Organization/users", "operator's account"),
        ("/v1/projects/", "operator's account"),
        ("/v1/embeddings", "`[[model]]` says where it goes"),
        ("/v1/completions", "`[[model]]` says where it goes"),
        ("/v1/usage", "answers it itself"),
        ("/v1/me", "answers it itself"),
    ] {
        let [problem] = &given(path).problems()[..] else {
            panic!("{path}: one problem")
        };
        let key = format!("config.toml:2: forward.{path}.path: ");
        assert!(
            problem.starts_with(&key) && problem.contains(why),
            "{problem}"
        );
    }
    // Stored completions go there, and models are deleted.
    for path in ["/v1/chat/completions", "/v1/models", "/v1/completions/x"] {
        assert!(given(path).load().is_ok(), "{path}");
    }
}

#[test]
fn a_policy_for_hang_ups_is_one_of_three() {
    let problems = Given::file("[server]\non_hangup = 'finish-up-to=0'\n").problems();
    let expected = "config.toml:2: server.on_hangup: expected cancel, finish or finish-up-to=N with a number of tokens";
    assert_eq!(problems, [expected]);
}

#[test]
fn a_syntax_error_has_a_line_and_a_column_and_no_quotation() {
    let problems = Given::file("[server]\nlisten = sk-secret\n").problems();
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].starts_with("config.toml:2:10: not TOML: "),
        "{}",
        problems[0]
    );
    assert!(!problems[0].contains("sk-secret"));
}

#[test]
fn the_wrong_kind_of_table_is_a_problem() {
    let problems = Given::file("log = 3\nupstream = 'x'\n[model]\nname = 'x'\n").problems();
    assert_eq!(
        problems,
        [
            "config.toml:1: log: expected a table, found an integer",
            "config.toml:2: upstream: expected an array, found a string",
            "config.toml:3: model: expected an array of tables, each under [[model]]",
        ]
    );
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let mut given = Given::nothing();
    given.flags.config = Some(given.path("other.toml"));
    let problems = given.problems();
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].starts_with("other.toml: cannot be read: "),
        "{}",
        problems[0]
    );
}

#[test]
fn unknown_variables_are_refused_with_the_nearest_known_one() {
    let given = Given::nothing()
        .variable("WEIR__SERVER__LISTEM", "x")
        .variable("WEIR__SERVR__LISTEN", "x")
        .variable("WEIR__SERVR__WORKERS", "x")
        .variable("WEIR__SERVER__LISTEN__PORT", "1")
        .variable("WEIR__UPSTREAM__OTHER__RETRIES", "1")
        .variable("WEIR__LOG__ACCESS", "perhaps")
        .variable("WEIR_SOMETHING_ELSE", "is not ours");
    assert_eq!(
        given.problems(),
        [
            "WEIR__LOG__ACCESS: log.access: expected true or false, found something else",
            "WEIR__SERVER__LISTEM: server.listem: unknown key; did you mean `WEIR__SERVER__LISTEN`?",
            "WEIR__SERVER__LISTEN__PORT: server.listen: has no keys of its own",
            "WEIR__SERVR__LISTEN: servr: unknown key; did you mean `WEIR__SERVER__LISTEN`?",
            "WEIR__SERVR__WORKERS: servr: unknown key; did you mean `WEIR__SERVER__WORKERS`?",
            "WEIR__UPSTREAM__OTHER__RETRIES: upstream: has no item of this name or number",
        ]
    );
}

#[test]
fn an_admin_key_is_long_enough() {
    let given = Given::nothing().variable("WEIR_ADMIN_KEY", "0123456789abcdef");
    assert_eq!(
        given.config().admin_key.unwrap().expose(),
        "0123456789abcdef"
    );
    assert_eq!(
        given.variable("WEIR_ADMIN_KEY", "").config().admin_key,
        None
    );
    let short = Given::nothing()
        .variable("WEIR_ADMIN_KEY", "hidden")
        .problems();
    assert!(short[0].starts_with("WEIR_ADMIN_KEY: must be 16 or more"));
}

#[test]
fn tls_needs_both_files() {
    let given = Given::nothing();
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| given.path(name));
    let text = format!("[server]\ntls_cert = '{}'\n", cert.display());
    fs::write(given.path("config.toml"), &text).unwrap();
    let problems = given.problems();
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].contains("cert.pem cannot be read"),
        "{}",
        problems[0]
    );
    fs::write(&cert, "").unwrap();
    assert_eq!(
        given.problems(),
        ["config.toml:2: server.tls_cert: is set, and `tls_key` is not"]
    );
    fs::write(&key, "").unwrap();
    fs::write(
        given.path("config.toml"),
        format!("{text}tls_key = '{}'", key.display()),
    )
    .unwrap();
    assert_eq!(given.config().server.tls.unwrap().key, key);
}

#[test]
fn listeners_may_share_port_zero_only() {
    let given =
        |a: &str, b: &str| Given::file(&format!("[server]\nlisten='{a}'\ncontrol_listen='{b}'"));
    assert!(given("127.0.0.1:0", "127.0.0.1:0").load().is_ok());
    assert!(given("127.0.0.1:1", "127.0.0.2:1").load().is_ok());
    assert!(given("0.0.0.0:1", "127.0.0.2:1").load().is_err());
}

#[test]
fn a_body_fits_the_memory_for_bodies() {
    let problem = |memory: &str| {
        let given = Given::file(&format!("[server]\nbody_memory_max = '{memory}'"));
        given.problems()
    };
    let place = "config.toml:2: server.body_memory_max: ";
    let less = "is less than `body_max`: such a body would never fit";
    let wrong = "expected a size, such as 64KiB, 32MiB or 1GiB";
    assert_eq!(problem("1MiB"), [format!("{place}{less}")]);
    assert_eq!(problem("plenty"), [format!("{place}{wrong}")]);
}

#[test]
fn a_store_on_a_server_is_named_without_its_password() {
    let server = |url: &str| {
        let given = Given::file("[store]\nurl = '$STORE'").variable("STORE", url);
        match given.config().store.at {
            Place::Postgres(server) => server,
            Place::Sqlite(path) => panic!("{path:?} is a file"),
        }
    };
    let usual = server("postgres://u:hidden@db.example/d");
    assert_eq!(usual.shown, "postgres://db.example:5432/d");
    assert_eq!((usual.schema.as_str(), usual.tls), ("weir", false));
    assert!(!format!("{usual:?}").contains("hidden"));
    let other =
        server("postgresql://u@a:1,b:2/d?schema=two&sslmode=verify-full&application_name=x");
    assert_eq!(other.shown, "postgres://a:1,b:2/d");
    assert_eq!((other.schema.as_str(), other.tls), ("two", true));

    let written = Given::file("[store]\nurl = 'postgres://u@h/d'").config();
    assert!(matches!(written.store.at, Place::Postgres(_)));
    assert_eq!(written.server.data_dir, std::path::Path::new("data"));
}

#[test]
fn a_store_that_cannot_be_meant_is_refused_and_never_quoted() {
    for (url, why) in [
        (
            "mysql://u:hidden@h/d",
            "expected sqlite:PATH or postgres://",
        ),
        (
            "postgres://u:hidden@h/d?sslmode=prefer",
            "sslmode is `disable`",
        ),
        ("postgres://u:hidden@h/d?schema=Two", "schema is a name"),
        ("postgres://u:hidden@h/d?schema=pg_x", "schema is a name"),
        (
            "postgres://u:hidden@h/d?sslrootcert=/ca.pem",
            "sslrootcert is for sslmode=verify-full",
        ),
        (
            "postgres://u:hidden@h/d?sslmode=verify-full&sslrootcert=/not/there",
            "/not/there cannot be read",
        ),
        (
            "postgres://u:hidden@h/d?nonsense=1",
            "not one that Postgres has",
        ),
        ("postgres:///d", "names no host"),
        ("$NOT_THERE", "the variable NOT_THERE is not set"),
    ] {
        let problems = Given::file(&format!("[store]\nurl = '{url}'")).problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains(why), "{problems:?}");
        assert!(!problems[0].contains("hidden"), "{problems:?}");
    }
}
