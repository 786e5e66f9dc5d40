//! The client: asks for answers, checks that they are whole, and prints what they took as one JSON line.
//!
//! One thread. Closed loop by default: each connection asks again when it has its answer. With `--rate`, requests are
//! due at fixed times, and one that had to wait for a free connection has that wait in its latency.

mod client;
mod hold;
mod tally;

use anyhow::Context;
use clap::Parser;
use std::{net::SocketAddr, time::Duration};
use tokio::task::LocalSet;
use weir_benches::order::{Order, Shape};

#[derive(Parser, Clone)]
struct Args {
    /// Whom to ask
    #[arg(long)]
    target: SocketAddr,
    /// The process whose CPU and memory are counted, its children too
    #[arg(long)]
    pid: Option<u32>,
    #[arg(long, default_value = "sk-none")]
    key: String,
    #[arg(long, default_value = "bench-model")]
    model: String,
    #[arg(long, default_value_t = 16)]
    connections: u32,
    /// Seconds before measuring, in which the connections are opened evenly
    #[arg(long, default_value_t = 0.5)]
    warm: f64,
    /// Seconds of measuring
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Requests a second, over all connections
    #[arg(long)]
    rate: Option<f64>,
    #[arg(long)]
    stream: bool,
    /// Ask for the usage of a stream
    #[arg(long)]
    usage: bool,
    #[arg(long, default_value_t = 16)]
    words: u32,
    /// Microseconds from one event to the next
    #[arg(long, default_value_t = 0)]
    gap_us: u64,
    #[arg(long, value_enum, default_value_t)]
    shape: Shape,
    /// Bytes of text before the order
    #[arg(long, default_value_t = 0)]
    prompt_bytes: usize,
    /// Open one stream a connection, wait for its first event, and count while all of them wait
    #[arg(long, requires = "stream")]
    hold: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let tasks = LocalSet::new();
    let report = match args.hold {
        true => tasks.run_until(hold::run(&args)).await,
        false => tasks.run_until(client::run(&args)).await,
    };
    println!(
        "{}",
        serde_json::to_string(&report.context("nothing measured")?)?
    );
    Ok(())
}

impl Args {
    fn order(&self) -> Order {
        Order {
            words: self.words,
            gap: Duration::from_micros(self.gap_us),
            shape: self.shape,
        }
    }

    fn body(&self) -> String {
        let stream = match (self.stream, self.usage) {
            (false, _) => "",
            (true, false) => r#","stream":true"#,
            (true, true) => r#","stream":true,"stream_options":{"include_usage":true}"#,
        };
        let prompt = "What runs on over the wall? ".repeat(self.prompt_bytes.div_ceil(28));
        format!(
            r#"{{"model":"{}","messages":[{{"role":"system","content":"You are a low wall across a stream."}},{{"role":"user","content":"{prompt}{}"}}],"temperature":0.9{stream}}}"#,
            self.model,
            self.order()
        )
    }
}
