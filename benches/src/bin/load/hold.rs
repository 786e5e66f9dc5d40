//! Streams that wait: what it takes to keep them open.

use crate::{
    Args,
    client::{Question, Sender},
    tally::{Meter, Tally},
};
use anyhow::{Context, ensure};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::{rc::Rc, time::Duration};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use weir_benches::{report::Report, stamp::Finder};

/// To open them all.
const PATIENCE: Duration = Duration::from_secs(20);
/// Streams that are opened at a time.
const ABREAST: u32 = 64;

/// Opens one stream a connection, then counts while nothing happens.
pub(crate) async fn run(args: &Args) -> anyhow::Result<Report> {
    let tally = Tally::default();
    let mut meter = Meter::new(args);
    let question = Rc::new(Question::new(args));
    let mut held = Vec::new();
    let opening = async {
        while (held.len() as u32) < args.connections {
            let some = ABREAST.min(args.connections - held.len() as u32);
            let mut streams = JoinSet::new();
            for _ in 0..some {
                streams.spawn_local(open(Rc::clone(&question)));
            }
            while let Some(stream) = streams.join_next().await {
                held.push(stream??);
            }
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, opening)
        .await
        .context("the streams do not open")??;
    sleep(Duration::from_secs_f64(args.warm)).await;
    meter.begin();
    sleep(Duration::from_secs_f64(args.seconds)).await;
    meter.end();
    for (_, stream) in &mut held {
        // One that ended, or had more to say, did not wait.
        if timeout(Duration::ZERO, stream.frame()).await.is_ok() {
            tally.failed();
        }
    }
    Ok(tally.report(&meter))
}

/// A stream whose first event is here.
async fn open(question: Rc<Question>) -> anyhow::Result<(Sender, Incoming)> {
    let mut connection = question.connect().await?;
    let mut body = question.ask(&mut connection).await?;
    let (mut finder, mut has_begun) = (Finder::default(), false);
    while !has_begun {
        let frame = body.frame().await.context("no event")??;
        let data = frame.into_data().ok().context("no data")?;
        finder.feed(&data, |_| has_begun = true);
    }
    ensure!(!finder.is_done(), "the stream is over");
    Ok((connection, body))
}
