//! The connection to Redis, on which one round at a time is on its way.

use super::round::{Reply, Round, SCRIPT};
use crate::{
    domain::{Authorities, Redis},
    tasks,
};
use redis::{
    AsyncConnectionConfig, Cmd, RedisConnectionInfo, RedisError, ServerErrorKind, Value,
    aio::MultiplexedConnection,
};
use rustls::pki_types::ServerName;
use std::{fmt, io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// To reach the server, to be let in and to hand it the script.
const CONNECT: Duration = Duration::from_secs(2);
/// For one round. Calls wait for it, so what takes longer counts as away.
pub(super) const ROUND: Duration = Duration::from_millis(250);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("nothing was heard of it in time")]
    Silent,
    #[error("it cannot be reached: {0}")]
    Connect(#[from] io::Error),
    #[error("it refused: {0}")]
    Redis(#[from] RedisError),
    #[error("what it answered is no answer to the script")]
    Answer,
}

/// A place for a connection.
pub(super) struct Link {
    server: Redis,
    tls: Option<TlsConnector>,
    open: Option<Open>,
}

struct Open {
    connection: MultiplexedConnection,
    /// The script's hash.
    script: String,
}

impl Link {
    /// One that is not connected yet.
    pub(super) fn new(server: Redis) -> Self {
        let tls = server.tls.then(|| {
            TlsConnector::from(Arc::new(Authorities::client(server.authorities.as_ref())))
        });
        Self {
            server,
            tls,
            open: None,
        }
    }

    /// Connects, if it is not connected.
    pub(super) async fn connect(&mut self) -> Result<(), Error> {
        if self.open.is_none() {
            let made = timeout(CONNECT, self.open()).await;
            self.open = Some(made.map_err(|_| Error::Silent)??);
        }
        Ok(())
    }

    /// Runs a round. Whatever goes wrong ends the connection: what is under way on it must not come after what follows.
    pub(super) async fn run(&mut self, round: &Round) -> Result<Reply, Error> {
        self.connect().await?;
        let outcome = timeout(ROUND, self.ask(round)).await;
        let outcome = outcome.unwrap_or(Err(Error::Silent));
        if outcome.is_err() {
            self.open = None;
        }
        outcome
    }

    async fn ask(&mut self, round: &Round) -> Result<Reply, Error> {
        let open = self.open.as_mut().ok_or(Error::Silent)?;
        let prefix = &self.server.prefix;
        let value = match value(open, &round.command(&open.script, prefix)).await {
            Err(error) if error.kind() == ServerErrorKind::NoScript.into() => {
                // Somebody emptied its memory of scripts; this round has not run.
                open.script = load(&mut open.connection).await?;
                value(open, &round.command(&open.script, prefix)).await
            }
            outcome => outcome,
        }?;
        round.read(&value).ok_or(Error::Answer)
    }

    async fn open(&self) -> Result<Open, Error> {
        let host = self.server.host.trim_matches(['[', ']']);
        let stream = TcpStream::connect((host, self.server.port)).await?;
        stream.set_nodelay(true)?;
        let mut connection = match &self.tls {
            None => self.greet(stream).await?,
            Some(tls) => {
                let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
                self.greet(tls.connect(name, stream).await?).await?
            }
        };
        let script = load(&mut connection).await?;
        Ok(Open { connection, script })
    }

    async fn greet(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<MultiplexedConnection, Error> {
        let mut settings = RedisConnectionInfo::default()
            .set_db(self.server.database.into())
            .set_skip_set_lib_name();
        if let Some(user) = &self.server.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &self.server.password {
            settings = settings.set_password(password.expose());
        }
        // Who asks has a clock of its own.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let (connection, driver) =
            MultiplexedConnection::new_with_config(&settings, stream, config).await?;
        tasks::spawn(driver);
        Ok(connection)
    }
}

async fn load(connection: &mut MultiplexedConnection) -> Result<String, RedisError> {
    redis::cmd("SCRIPT")
        .arg("LOAD")
        .arg(SCRIPT)
        .query_async(connection)
        .await
}

async fn value(open: &mut Open, command: &Cmd) -> Result<Value, RedisError> {
    command.query_async(&mut open.connection).await
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.server.fmt(f)
    }
}
