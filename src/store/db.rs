//! Two threads that own a connection each and run the jobs that they are sent, in order: one for changes, one for
//! questions that may take long and must not hold those up.
//!
//! Databases block; this keeps them away from the threads that serve.

use super::{
    Connection, Error, LONG_PATIENCE, Mode, PATIENCE, QUESTION_PATIENCE, Row, Transaction, Value,
};
use crate::domain::Place;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// How long a probe waits for a sign of life.
const PROBE: Duration = Duration::from_secs(2);
const QUEUE_JOBS: usize = 256; // callers beyond these wait for a place, so that a slow disk cannot fill the memory

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// A handle to an open store; clones share its connections.
///
/// When the last handle is dropped, the jobs that were sent are finished and the file is closed before `drop` returns.
#[derive(Clone)]
pub struct Db(Arc<Workers>);

struct Workers {
    changes: Worker,
    /// Sees what `changes` has committed by the time that it is asked.
    questions: Worker,
}

struct Worker {
    /// `None` only while it is dropped.
    jobs: Option<mpsc::Sender<Job>>,
    /// `None` only while it is dropped.
    thread: Option<JoinHandle<()>>,
    /// How long a job may wait for its turn.
    patience: Duration,
}

impl Db {
    /// Opens the store at `place`, made if missing, and brings its tables up to date. Blocks.
    pub fn open(place: &Place) -> Result<Self, Error> {
        Self::patient(place, QUESTION_PATIENCE)
    }

    /// [`Db::open`] for a person who asks about all there is, and would rather wait than not know.
    pub fn open_for_long(place: &Place) -> Result<Self, Error> {
        Self::patient(place, LONG_PATIENCE)
    }

    fn patient(place: &Place, of_questions: Duration) -> Result<Self, Error> {
        let changes = Connection::open(place, PATIENCE)?;
        let questions = Connection::again(place, of_questions)?;
        Ok(Self(Arc::new(Workers {
            changes: Worker::start("store", changes, PATIENCE)?,
            questions: Worker::start("store-reader", questions, of_questions)?,
        })))
    }

    /// Whether the store answers, and soon.
    pub async fn is_open(&self) -> bool {
        let look = self.transact(Mode::Read, |tx| tx.query("SELECT 1", &[]).map(drop));
        matches!(tokio::time::timeout(PROBE, look).await, Ok(Ok(())))
    }

    /// All rows that a statement finds. It changes nothing, and waits for no change.
    ///
    /// `$1` in it is the first of `values`. A statement of long answers is asked for a page at a time: they are held
    /// in memory as a whole.
    pub async fn query(
        &self,
        sql: impl Into<String>,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, Error> {
        self.0.questions.run(question(sql.into(), values)).await?
    }

    /// [`Db::query`] for a thread that may block, such as the command line's. Panics inside an async runtime.
    pub fn query_blocking(
        &self,
        sql: impl Into<String>,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, Error> {
        self.0
            .questions
            .run_blocking(question(sql.into(), values))?
    }

    /// Runs `look` in a transaction beside the changes, for questions that may take long.
    ///
    /// `look` must not hold a `Db`.
    pub async fn ask<T, E, F>(&self, look: F) -> Result<T, E>
    where
        F: FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let work = move |conn: &mut Connection| conn.transact(Mode::Read, look);
        self.0.questions.run(work).await?
    }

    /// Runs `work` in a transaction on the store's thread, as [`Connection::transact`] does. Once begun it runs to its
    /// end, also when the caller has stopped waiting; if its turn does not come in 10 s, it is never begun.
    ///
    /// `work` must not hold a `Db`.
    pub async fn transact<T, E, F>(&self, mode: Mode, work: F) -> Result<T, E>
    where
        F: FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.transact_then(mode, work, |outcome| outcome).await
    }

    /// [`Db::transact`], and `then` on the same thread once it is committed, before whatever comes after.
    pub async fn transact_then<T, U, E, F, G>(&self, mode: Mode, work: F, then: G) -> Result<U, E>
    where
        F: FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
        G: FnOnce(T) -> U + Send + 'static,
        U: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let work = move |conn: &mut Connection| conn.transact(mode, work).map(then);
        self.0.changes.run(work).await?
    }
}

fn question(
    sql: String,
    values: Vec<Value>,
) -> impl FnOnce(&mut Connection) -> Result<Vec<Row>, Error> {
    move |conn| conn.query(&sql, &values)
}

/// `work` as a job that sends its result, and where that will arrive.
fn pack<T, F>(work: F, patience: Duration) -> (Job, oneshot::Receiver<Result<T, Error>>)
where
    F: FnOnce(&mut Connection) -> T + Send + 'static,
    T: Send + 'static,
{
    let (sender, answer) = oneshot::channel();
    let sent = Instant::now();
    let job = move |conn: &mut Connection| {
        // While a database is locked, jobs wait for it one after the other, and whoever sent this one has gone.
        if sent.elapsed() > patience {
            let _ = sender.send(Err(Error::Slow));
            return;
        }
        // A panic ends this job alone: its transaction rolls back as it unwinds, and the sender goes unused.
        if let Ok(result) = catch_unwind(AssertUnwindSafe(|| work(conn))) {
            let _ = sender.send(Ok(result)); // the caller may have left
        }
    };
    (Box::new(job), answer)
}

impl Worker {
    fn start(name: &str, mut conn: Connection, patience: Duration) -> Result<Self, Error> {
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE_JOBS);
        let work = move || {
            while let Some(job) = queue.blocking_recv() {
                job(&mut conn);
            }
        };
        let thread = thread::Builder::new().name(name.into()).spawn(work);
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread.map_err(Error::Thread)?),
            patience,
        })
    }

    async fn run<T, F>(&self, work: F) -> Result<T, Error>
    where
        F: FnOnce(&mut Connection) -> T + Send + 'static,
        T: Send + 'static,
    {
        let (job, answer) = pack(work, self.patience);
        self.jobs().send(job).await.map_err(|_| Error::NoAnswer)?;
        answer.await.map_err(|_| Error::NoAnswer)?
    }

    fn run_blocking<T, F>(&self, work: F) -> Result<T, Error>
    where
        F: FnOnce(&mut Connection) -> T + Send + 'static,
        T: Send + 'static,
    {
        let (job, answer) = pack(work, self.patience);
        self.jobs()
            .blocking_send(job)
            .map_err(|_| Error::NoAnswer)?;
        answer.blocking_recv().map_err(|_| Error::NoAnswer)?
    }

    fn jobs(&self) -> &mpsc::Sender<Job> {
        self.jobs
            .as_ref()
            .expect("only drop takes it, and drop has no handle left")
    }

    /// Closes the queue and waits until the thread has emptied it and closed the file.
    fn close(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // its jobs cannot make it panic
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Db(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::Fixture;

    #[test]
    fn a_job_whose_turn_comes_too_late_is_not_begun() {
        let fixture = Fixture::sqlite().unwrap();
        for (patience, is_run) in [(Duration::ZERO, false), (PATIENCE, true)] {
            let conn = Connection::open(fixture.place(), PATIENCE).unwrap();
            let worker = Worker::start("late", conn, patience).unwrap();
            let outcome = worker.run_blocking(|_| ());
            assert_eq!(outcome.is_ok(), is_run);
            assert!(is_run || matches!(outcome, Err(Error::Slow)));
        }
    }

    #[test]
    fn a_question_that_gets_no_answer_is_given_up_and_the_next_one_is_asked() {
        let Some(fixture) = Fixture::postgres() else {
            return;
        };
        let db = Db::patient(fixture.place(), Duration::from_millis(200)).unwrap();
        let ask = |sql: &str| db.query_blocking(sql, Vec::new());
        assert!(matches!(
            ask("SELECT count(pg_sleep(60))"),
            Err(Error::Slow)
        ));
        let again = (0..100).find_map(|_| ask("SELECT since FROM entries_kept").ok());
        assert_eq!(again.map(|rows| rows.len()), Some(1));
    }
}
