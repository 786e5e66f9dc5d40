//! Every limit that is set, whoever's it is: over the network a page at a time, and at the prompt.

use super::{CENT_A_TOKEN, GOLD};
use crate::support::{
    Conn, FakeUpstream, Gateway, Key, Reply, Response, Setup, chat, schema::mistakes, until, weir,
};
use serde_json::{Value, json};

const LIMITS: &str = r#"
[[limit]]
on = "project"
name = "proj_a*"
requests_per_day = 1000

[[limit]]
on = "user"
name = "ana"
requests_per_minute = 7

[[limit]]
on = "user"
name = "ana"
concurrent_requests = 7

[[limit]]
on = "user"
name = "user-*"
requests_per_minute = 8

[[limit]]
on = "user"
name = "svc_acct_*"
requests_per_minute = 9
"#;

/// A gateway with all kinds of holders, and what they are called.
struct Office {
    gateway: Gateway,
    upstream: FakeUpstream,
    admin: String,
    /// Of the user.
    user: String,
    /// Of the service account.
    account: String,
    /// With a tier, and with a budget for good and a rate.
    keys: [Key; 2],
}

fn setup(upstream: &FakeUpstream) -> Setup {
    let setup = Gateway::setup().upstream("up", upstream, "");
    setup.config(CENT_A_TOKEN).config(GOLD).config(LIMITS)
}

async fn told(gateway: &Gateway, arguments: &[&str]) -> Value {
    let exit = gateway.weir(&[arguments, &["--json"]].concat()).await;
    assert_eq!(exit.code, Some(0), "{arguments:?}: {exit:?}");
    serde_json::from_str(&exit.stdout).unwrap_or_else(|_| panic!("{exit:?}"))
}

async fn office() -> Office {
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 4}});
    let upstream = FakeUpstream::with([Reply::json(200, usage.to_string())]).await;
    let gateway = setup(&upstream).start().await;
    for id in ["proj_a1", "proj_b", "proj_c", "proj_a2"] {
        gateway.make_project(id).await;
    }
    for command in [
        &["project", "archive", "proj_a2"][..],
        &["limit", "spend", "500", "--project", "proj_b"],
        &[
            "limit",
            "rate",
            "up",
            "--project",
            "proj_b",
            "--tokens-per-minute",
            "900",
        ],
    ] {
        told(&gateway, command).await;
    }
    let id = |made: Value| made["id"].as_str().unwrap().to_owned();
    let user = ["user", "create", "zoe@example.com", "--no-password"];
    let account = ["project", "accounts", "create", "proj_b", "ci", "--no-key"];
    let (user, account) = (told(&gateway, &user).await, told(&gateway, &account).await);
    let make = async |name: &str, arguments: &[&str]| {
        let usual = ["--project", "proj_b", "--name", name];
        gateway.make_known_key(&[&usual, arguments].concat()).await
    };
    let tier = make("first", &["--tier", "gold"]).await;
    let plain = make("plain", &[]).await;
    make("noted", &["--metadata", "a=b"]).await;
    let ended = make("ended", &["--tokens-per-day", "1"]).await;
    told(&gateway, &["key", "revoke", &ended.id]).await;
    let budget = ["--budget", "700", "--budget-interval", "life"];
    let budget = [&budget[..], &["--requests-per-day", "9"]].concat();
    let spent = make("last", &budget).await;
    for key in [&plain, &spent, &spent] {
        let call = chat("up").to_string();
        let answer = gateway.post_with(&key.key, "/v1/chat/completions", call);
        assert_eq!(answer.await.status(), 200);
    }
    Office {
        user: id(user),
        account: id(account),
        keys: [tier, spent],
        admin: gateway.admin.clone(),
        gateway,
        upstream,
    }
}

/// What is said of one limit that a clock does not change.
fn figures(line: &Value) -> Value {
    let members = ["level", "id", "model", "limit", "used", "name"];
    members.iter().map(|name| line[*name].clone()).collect()
}

/// What is used of a rate fills up again, which is nobody's expectation.
fn without_rates(lines: &Value) -> Vec<Value> {
    let lines = lines.as_array().unwrap().iter().cloned();
    let plain = |mut line: Value| {
        if line[3].as_str().unwrap().contains("_per_") {
            line[4].take();
        }
        line
    };
    lines.map(plain).collect()
}

impl Office {
    async fn ask(&self, query: &str) -> Response {
        let admin = format!("Bearer {}", self.admin);
        let path = format!("/admin/limits{query}");
        self.gateway.control_with(&path, &admin).await
    }

    /// All lines, by pages of `limit`.
    async fn walk(&self, limit: usize) -> Value {
        let (mut lines, mut after) = (Vec::new(), String::new());
        loop {
            let page = self.ask(&format!("?limit={limit}{after}")).await;
            assert_eq!(page.status(), 200, "{}", page.text());
            let page = page.json();
            lines.extend(page["data"].as_array().unwrap().iter().map(figures));
            let next = page["next"].as_str();
            assert_eq!(page["has_more"], next.is_some());
            let Some(next) = next else {
                return lines.into();
            };
            after = format!("&after={next}");
        }
    }

    /// Everyone, in order, with what is used where it comes back only with its period.
    fn expected(&self) -> Vec<Value> {
        let [tier, spent] = self.keys.each_ref().map(|key| format!("key_{}", key.id));
        let all = json!([
            ["organization", null, null, "dollars", 0.12, null],
            ["model", null, "u*", "concurrent_requests", 0, null],
            ["user", "ana", null, "requests_per_minute", 0, null],
            ["user", "ana", null, "concurrent_requests", 0, null],
            ["project", "proj_a1", null, "requests_per_day", 0, "proj_a1"],
            ["project", "proj_b", null, "dollars", 0.12, "proj_b"],
            [
                "project_model",
                "proj_b",
                "up",
                "tokens_per_minute",
                15,
                "proj_b"
            ],
            [
                "user",
                self.user,
                null,
                "requests_per_minute",
                0,
                "zoe@example.com"
            ],
            ["user", self.account, null, "requests_per_minute", 0, "ci"],
            ["key", tier, null, "concurrent_requests", 0, "first"],
            ["key", spent, null, "requests_per_day", 2, "last"],
            ["key", spent, null, "dollars", 0.08, "last"],
        ]);
        without_rates(&all)
    }

    /// Waits until everyone stands as is expected: an answer is there before its call has ended.
    async fn settles(&self) {
        let expected = self.expected();
        until("the calls' ends", async || {
            (without_rates(&self.walk(1000).await) == expected).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn everyone_who_has_limits_is_listed_once_by_pages_of_any_size() {
    let office = office().await;
    office.settles().await;
    for limit in [1, 2, 3, 7, 1000] {
        let all = office.walk(limit).await;
        assert_eq!(without_rates(&all), office.expected(), "{limit}");
    }
    let usual = office.ask("").await.json();
    assert_eq!(usual["has_more"], false, "{usual}");
    let document = office.gateway.control("/openapi.json").await.json();
    let shape = json!({"$ref": "#/components/schemas/Limits"});
    for page in [usual, office.ask("?limit=1").await.json()] {
        let wrong = mistakes(&document, &shape, &page);
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

#[tokio::test]
async fn what_nobody_has_asked_about_since_a_start_is_told_by_the_ledger() {
    let mut office = office().await;
    office.settles().await;
    office.gateway.metric("weir_ledger_slots_used", 0).await;
    let dir = office.gateway.killed();
    office.gateway = setup(&office.upstream).start_in(dir).await;
    let all = office.walk(5).await;
    assert_eq!(without_rates(&all), office.expected());
}

#[tokio::test]
async fn a_page_that_is_none_is_refused() {
    let gateway = Gateway::setup().config(GOLD).config(LIMITS).start().await;
    let admin = format!("Bearer {}", gateway.admin);
    for (query, code, param) in [
        ("limit=0", "invalid_value", "limit"),
        ("limit=1001", "invalid_value", "limit"),
        ("after=", "invalid_value", "after"),
        ("after=nonsense", "invalid_value", "after"),
        ("after=project:proj_none", "invalid_value", "after"),
        ("after=user:zoe", "invalid_value", "after"),
        ("after=user:user-0123456789abcdef", "invalid_value", "after"),
        ("after=service_account:none", "invalid_value", "after"),
        ("after=key:key_0123456789abcdef", "invalid_value", "after"),
        ("after=key:%00", "invalid_value", "after"),
        ("before=key:", "unknown_parameter", "before"),
        ("organization=yes", "invalid_value", "organization"),
        ("organization=true&user=a", "invalid_value", "organization"),
        ("user=a&limit=5", "invalid_value", "limit"),
        ("organization=true&after=key:", "invalid_value", "after"),
    ] {
        let answer = gateway
            .control_with(&format!("/admin/limits?{query}"), &admin)
            .await;
        let error = answer.refused(400, code);
        assert_eq!(error["param"], param, "{query}");
    }
}

#[tokio::test]
async fn whoever_looks_after_a_project_sees_its_own_alone() {
    let gateway = Gateway::setup().config(GOLD).config(LIMITS).start().await;
    for id in ["proj_a1", "proj_b"] {
        gateway.make_project(id).await;
    }
    let password = "correct horse battery";
    let file = gateway.dir.path().join("password");
    std::fs::write(&file, password).unwrap();
    let file = file.to_str().unwrap();
    let email = "zoe@example.com";
    for command in [
        &["user", "create", email, "--password-file", file][..],
        &["user", "join", email, "proj_a1", "--role", "owner"],
    ] {
        told(&gateway, command).await;
    }
    let body = json!({"email": email, "password": password}).to_string();
    let token = until("the user is known", async || {
        let mut conn = Conn::open(gateway.control).await;
        let length = body.len();
        conn.send(format!(
            "POST /auth/login HTTP/1.1\r\nhost: weir\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
        .await;
        let answer = conn.response().await;
        let is_in = answer.status() == 200;
        is_in.then(|| answer.json()["access_token"].as_str().unwrap().to_owned())
    })
    .await;
    let bearer = format!("Bearer {token}");
    let ask = async |query: &str| {
        let path = format!("/admin/limits{query}");
        gateway.control_with(&path, &bearer).await
    };
    // A user may be known a moment before what they look after.
    let own = until("the project is theirs", async || {
        let own = ask("?project=proj_a1").await;
        (own.status() == 200).then(|| own.json())
    })
    .await;
    assert_eq!(own["data"][0]["limit"], "requests_per_day");
    ask("?project=proj_b").await.refused(404, "not_found");
    for all in ["", "?after=key:", "?organization=true", "?user=ana"] {
        let refused = ask(all).await;
        refused.refused(403, "insufficient_permissions");
    }
}

#[tokio::test]
async fn the_command_shows_everyone_by_the_gateway_or_by_the_store() {
    let office = office().await;
    office.settles().await;
    let gateway = &office.gateway;
    gateway.metric("weir_ledger_slots_used", 0).await;
    let url = format!("http://{}", gateway.control);
    let asking = ["--url", &url, "--admin-key", &office.admin];
    let run = async |arguments: &[&str]| {
        let exit = gateway.weir(arguments).await;
        assert_eq!(exit.code, Some(0), "{arguments:?}: {exit:?}");
        exit
    };
    let told = async |arguments: &[&str]| -> Value {
        let exit = run(&[arguments, &["--json"]].concat()).await;
        serde_json::from_str(&exit.stdout).unwrap()
    };
    let lines = |told: &Value| {
        let lines = told["limits"].as_array().unwrap();
        without_rates(&lines.iter().map(figures).collect())
    };
    for command in [&["limit"][..], &["limit", "list"]] {
        let live = told(&[command, &asking].concat()).await;
        assert_eq!(live["is_live"], true);
        assert_eq!(lines(&live), office.expected());
    }
    // Away from the gateway rates and what is in the air are not known.
    let stored = told(&["limit"]).await;
    assert_eq!(stored["is_live"], false);
    let mut expected = office.expected();
    for line in &mut expected {
        if line[3] != "dollars" {
            line[4].take();
        }
    }
    assert_eq!(lines(&stored), expected);

    let table = run(&[&["limit"][..], &asking].concat()).await;
    assert!(table.stderr.is_empty(), "{table:?}");
    let key = format!("key key_{}", office.keys[1].id);
    let user = format!("user {}", office.user);
    for parts in [
        &["organization ", "dollars a month", "$3", "$0.12"][..],
        &["model ", "concurrent_requests", "u*"],
        &["project proj_b ", "tokens_per_minute", "up", "900"],
        &[&key, "dollars in total", "$7", "$6.92", "last"],
        &[&user, "requests_per_minute", "zoe@example.com"],
    ] {
        let mut lines = table.stdout.lines();
        let has = |line: &str| parts.iter().all(|part| line.contains(part));
        assert!(lines.any(has), "{parts:?}: {}", table.stdout);
    }
    let own = told(&[&["limit", "--organization"][..], &asking].concat()).await;
    assert_eq!(lines(&own), office.expected()[..2]);
    assert_eq!(own["spend_limit"], Value::Null);
    let own = told(&[&["limit", "--user", "ana"][..], &asking].concat()).await;
    assert_eq!(lines(&own), office.expected()[2..4]);

    // A key in the environment is none of a command's that does not ask.
    let environment = [("WEIR_ADMIN_KEY", office.admin.as_str())];
    let exit = weir(gateway.dir.path(), &["limit", "spend", "9"], &environment).await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    for mistake in [
        &["--organization", "--key", "a"][..],
        &["--json", "spend", "9"],
    ] {
        let exit = gateway.weir(&[&["limit"], mistake].concat()).await;
        assert_eq!(exit.code, Some(2), "{exit:?}");
    }
}

#[tokio::test]
async fn a_store_without_limits_has_none_to_show() {
    let gateway = Gateway::setup().start().await;
    let exit = gateway.weir(&["limit"]).await;
    assert_eq!((exit.code, exit.stdout.trim()), (Some(0), "no limits"));
}
