use super::Given;
use crate::domain::Redis;

fn server(url: &str) -> Redis {
    let given = Given::file("[store]\nredis_url = '$SHARED'").variable("SHARED", url);
    given.config().store.redis.expect("the URL names one")
}

#[test]
fn there_is_no_redis_unless_one_is_named() {
    assert_eq!(Given::nothing().config().store.redis, None);
}

#[test]
fn a_redis_is_named_without_its_password() {
    let usual = server("redis://cache.example");
    assert_eq!(usual.to_string(), "redis://cache.example:6379/0");
    assert_eq!((usual.tls, usual.prefix.as_str()), (false, "weir"));
    assert_eq!((&usual.user, &usual.password), (&None, &None));

    let other = server("rediss://u:hid%20den@10.0.0.1:1234/3");
    assert_eq!(other.to_string(), "redis://10.0.0.1:1234/3");
    assert!(other.tls);
    assert_eq!(other.user.as_deref(), Some("u"));
    assert_eq!(other.password.as_ref().unwrap().expose(), "hid den");
    assert!(!format!("{other:?}").contains("den"));

    let written = Given::file("[store]\nredis_url = 'redis://h'\nredis_prefix = 'a.b'").config();
    assert_eq!(written.store.redis.unwrap().prefix, "a.b");
}

#[test]
fn a_redis_that_cannot_be_meant_is_refused_and_never_quoted() {
    for (url, why) in [
        ("http://u:hidden@h", "expected redis://HOST"),
        ("redis+unix:///hidden", "expected redis://HOST"),
        ("redis://u:hidden@h/x", "expected redis://HOST"),
        ("redis://u:hidden@h/-1", "the database is a number"),
        ("redis://u:hidden@h?db=1", "the one parameter"),
        (
            "redis://u:hidden@h?sslrootcert=/ca.pem",
            "sslrootcert is for rediss",
        ),
        (
            "rediss://u:hidden@h?sslrootcert=/not/there",
            "/not/there cannot be read",
        ),
    ] {
        let given = Given::file("[store]\nredis_url = '$SHARED'").variable("SHARED", url);
        let problems = given.problems();
        assert!(problems[0].contains(why), "{problems:?}");
        assert!(!problems[0].contains("hidden"), "{problems:?}");
    }
    let problems = Given::file("[store]\nredis_prefix = 'a{b}'").problems();
    assert!(
        problems[0].contains("store.redis_prefix: expected 1 to 64 letters"),
        "{problems:?}"
    );
}
