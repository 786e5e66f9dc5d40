//! Two threads that own a connection each and run the jobs that they are sent, in order: one for changes, one for
//! questions that may take long and must not hold those up.
//!
//! Databases block; this keeps them away from the threads that serve.

use super::{Error, MIGRATIONS, Row, Value, sqlite};
use rusqlite::Connection;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use tokio::sync::{mpsc, oneshot};

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
}

impl Db {
    /// Opens the database at `path`, made if missing, and brings its tables up to date. Blocks.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let conn = sqlite::open(path.as_ref(), MIGRATIONS)?;
        let reader = sqlite::open_reader(path.as_ref())?;
        Ok(Self(Arc::new(Workers {
            changes: Worker::start("store", conn)?,
            questions: Worker::start("store-reader", reader)?,
        })))
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

    /// Runs `work` on the store's thread. Once sent it runs to its end, also when the caller has stopped waiting.
    ///
    /// `work` must not hold a `Db`.
    pub async fn call<T, F>(&self, work: F) -> Result<T, Error>
    where
        F: FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        Ok(self.0.changes.run(work).await??)
    }

    /// [`Db::call`] for a thread that may block, such as the command line's. Panics inside an async runtime.
    pub fn call_blocking<T, F>(&self, work: F) -> Result<T, Error>
    where
        F: FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        Ok(self.0.changes.run_blocking(work)??)
    }
}

fn question(
    sql: String,
    values: Vec<Value>,
) -> impl FnOnce(&mut Connection) -> Result<Vec<Row>, Error> {
    move |conn| {
        let mut rows = Vec::new();
        sqlite::for_each(conn, &sql, &values, |row| {
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }
}

/// `work` as a job that sends its result, and where that will arrive.
fn pack<T, F>(work: F) -> (Job, oneshot::Receiver<T>)
where
    F: FnOnce(&mut Connection) -> T + Send + 'static,
    T: Send + 'static,
{
    let (sender, answer) = oneshot::channel();
    let job = move |conn: &mut Connection| {
        // A panic ends this job alone: its transaction rolls back as it unwinds, and the sender goes unused.
        if let Ok(result) = catch_unwind(AssertUnwindSafe(|| work(conn))) {
            let _ = sender.send(result); // the caller may have left
        }
    };
    (Box::new(job), answer)
}

impl Worker {
    fn start(name: &str, mut conn: Connection) -> Result<Self, Error> {
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
        })
    }

    async fn run<T, F>(&self, work: F) -> Result<T, Error>
    where
        F: FnOnce(&mut Connection) -> T + Send + 'static,
        T: Send + 'static,
    {
        let (job, answer) = pack(work);
        self.jobs().send(job).await.map_err(|_| Error::NoAnswer)?;
        answer.await.map_err(|_| Error::NoAnswer)
    }

    fn run_blocking<T, F>(&self, work: F) -> Result<T, Error>
    where
        F: FnOnce(&mut Connection) -> T + Send + 'static,
        T: Send + 'static,
    {
        let (job, answer) = pack(work);
        self.jobs()
            .blocking_send(job)
            .map_err(|_| Error::NoAnswer)?;
        answer.blocking_recv().map_err(|_| Error::NoAnswer)
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
