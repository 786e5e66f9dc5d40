//! What is said of each metric where they are read.

use super::{DURATION, FIRST_TOKEN, PER_TOKEN, QUEUE_WAIT, TOKEN_USAGE};
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

const COUNTERS: &[(&str, Unit, &str)] = &[
    ("weir_requests_total", Unit::Count, "Calls that have ended."),
    (
        "weir_chunks_total",
        Unit::Count,
        "Pieces of answers that went to clients.",
    ),
    (
        "weir_answer_bytes_total",
        Unit::Bytes,
        "Bytes of answers that went to clients.",
    ),
    (
        "weir_refusals_total",
        Unit::Count,
        "Refusals and faults of Weir's own, by code.",
    ),
    (
        "weir_unauthenticated_total",
        Unit::Count,
        "Credentials that were not accepted, by reason.",
    ),
    (
        "weir_sign_ins_total",
        Unit::Count,
        "Sign-ins by password, refresh token or invite, and sign-outs, by result.",
    ),
    (
        "weir_passwords_hashed_total",
        Unit::Count,
        "Passwords that were hashed, right or wrong.",
    ),
    (
        "weir_issuer_fetches_total",
        Unit::Count,
        "Questions to outside issuers for their keys, by result.",
    ),
    (
        "weir_attempts_total",
        Unit::Count,
        "Tries at upstreams, by result; `auth` means Weir's own credential was refused.",
    ),
    ("weir_tokens_total", Unit::Count, "Tokens on the ledger."),
    (
        "weir_without_usage_total",
        Unit::Count,
        "Calls whose provider did not say what they used.",
    ),
    (
        "weir_ledger_rows_written_total",
        Unit::Count,
        "Entries that were committed to the store.",
    ),
    (
        "weir_ledger_failures_total",
        Unit::Count,
        "Times that the store or the disk did not take what the ledger gave it.",
    ),
    (
        "weir_ledger_torn_slots_total",
        Unit::Count,
        "Slots of the flight table that could not be trusted and were set aside.",
    ),
    (
        "weir_ledger_usage_refused_total",
        Unit::Count,
        "Calls whose provider reported a figure that can be no count.",
    ),
    (
        "weir_token_counts_refused_total",
        Unit::Count,
        "Token counts that had to be estimated for want of room, by reason.",
    ),
    (
        "weir_hangup_finishes_refused_total",
        Unit::Count,
        "Answers that were not read to their end after a hang-up, since too many were.",
    ),
    (
        "weir_unpriced_requests_total",
        Unit::Count,
        "Calls that used something whose price is not known.",
    ),
    (
        "weir_ledger_metadata_left_out_total",
        Unit::Count,
        "Calls whose metadata the ledger has no room for.",
    ),
    (
        "weir_limited_total",
        Unit::Count,
        "Calls and answers that a limit was in the way of, by whose limit it is and what it counts.",
    ),
    (
        "weir_redis_errors_total",
        Unit::Count,
        "Times that Redis did not do what it was asked, or could not be asked.",
    ),
    (
        "weir_connections_refused_total",
        Unit::Count,
        "Connections that were turned away.",
    ),
    (
        "weir_events_dropped_total",
        Unit::Count,
        "Events that a subscriber was too slow for.",
    ),
    (
        "weir_spend_alerts_total",
        Unit::Count,
        "Spend alerts that went off.",
    ),
    ("weir_panics_total", Unit::Count, "Panics that were caught."),
    (
        "weir_config_reloads_total",
        Unit::Count,
        "Changes of the config file, by result.",
    ),
    (
        "weir_log_lines_dropped_total",
        Unit::Count,
        "Log lines that nobody read fast enough.",
    ),
    (
        "weir_queue_refusals_total",
        Unit::Count,
        "Requests that got no turn at an upstream, by reason.",
    ),
];

const GAUGES: &[(&str, Unit, &str)] = &[
    (
        "weir_requests_in_flight",
        Unit::Count,
        "Calls that have begun and not ended.",
    ),
    (
        "weir_body_memory_bytes",
        Unit::Bytes,
        "Bytes of request bodies that are held.",
    ),
    (
        "weir_ledger_lag_seconds",
        Unit::Seconds,
        "How long ago the oldest call of the last commit had ended.",
    ),
    (
        "weir_ledger_slots_used",
        Unit::Count,
        "Slots of the flight table that are taken.",
    ),
    (
        "weir_ledger_slots_waiting",
        Unit::Count,
        "Slots among them whose call is over and waits for the store.",
    ),
    (
        "weir_limit_holders",
        Unit::Count,
        "Keys, projects and others whose limits are in memory.",
    ),
    ("weir_connections", Unit::Count, "Open connections."),
    (
        "weir_queue_turns_taken",
        Unit::Count,
        "Requests that an upstream with a bound has at present.",
    ),
    (
        "weir_queue_waiting",
        Unit::Count,
        "Requests that wait for their turn at an upstream.",
    ),
];

pub(super) fn describe() {
    for (name, unit, what) in COUNTERS {
        describe_counter!(*name, *unit, *what);
    }
    for (name, unit, what) in GAUGES {
        describe_gauge!(*name, *unit, *what);
    }
    describe_gauge!("weir_build_info", "The version that runs.");
    describe_gauge!(
        "weir_limits_shared",
        "1 while limits are those of all nodes, 0 while Redis is away."
    );
    describe_gauge!(
        "weir_config_last_reload_ok",
        "Whether the last change of the config file was taken up."
    );
    describe_histogram!(
        DURATION,
        Unit::Seconds,
        "From the request to the end of the answer."
    );
    describe_histogram!(
        FIRST_TOKEN,
        Unit::Seconds,
        "From the request to the first piece of the answer."
    );
    describe_histogram!(PER_TOKEN, Unit::Seconds, "Time per token after the first.");
    describe_histogram!(TOKEN_USAGE, "Tokens a call.");
    describe_histogram!(
        QUEUE_WAIT,
        Unit::Seconds,
        "How long requests waited for their turn, by what came of it."
    );
}
