//! One connection that is up, and the statements that were prepared on it.

use super::super::{Datum, Error, Kind, Row, Table, Value};
use super::tls::Connector;
use super::value::{as_array, kind};
use futures_util::{StreamExt, pin_mut};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, NoTls, RowStream, Statement};

/// Statements that are kept prepared. Reports vary theirs, so there is a bound.
const PREPARED_MAX: usize = 128;

pub(super) struct Session {
    client: Client,
    patience: Duration,
    /// By their text and the types of their values.
    prepared: HashMap<(String, Vec<u32>), Statement>,
}

impl Session {
    pub(super) async fn connect(
        config: &Config,
        tls: Option<&Connector>,
        patience: Duration,
    ) -> Result<Self, Error> {
        let client = match tls {
            Some(tls) => {
                let (client, wire) = config.connect(tls.clone()).await.map_err(Error::Postgres)?;
                drive(wire);
                client
            }
            None => {
                let (client, wire) = config.connect(NoTls).await.map_err(Error::Postgres)?;
                drive(wire);
                client
            }
        };
        Ok(Self {
            client,
            patience,
            prepared: HashMap::new(),
        })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Runs statements that have no values.
    pub(super) async fn run(&self, sql: &str) -> Result<(), Error> {
        self.within(self.client.batch_execute(sql)).await
    }

    pub(super) async fn for_each(
        &mut self,
        sql: &str,
        values: &[Value],
        mut take: impl FnMut(Row) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (statement, rows) = self.start(sql, values).await?;
        let columns: Arc<[String]> = statement
            .columns()
            .iter()
            .map(|column| column.name().to_owned())
            .collect();
        pin_mut!(rows);
        while let Some(row) = timeout(self.patience, rows.next())
            .await
            .map_err(|_| Error::Slow)?
        {
            let row = row.map_err(Error::Postgres)?;
            let values = (0..columns.len()).map(|column| row.try_get(column));
            let values = values.collect::<Result<_, _>>().map_err(Error::Postgres)?;
            take(Row::new(Arc::clone(&columns), values))?;
        }
        Ok(())
    }

    pub(super) async fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, Error> {
        let (_, rows) = self.start(sql, values).await?;
        pin_mut!(rows);
        let end = async {
            while let Some(row) = rows.next().await {
                row?;
            }
            Ok(rows.rows_affected().unwrap_or(0))
        };
        self.within(end).await
    }

    pub(super) async fn add_new(
        &mut self,
        table: &Table<'_>,
        rows: &[Vec<Datum<'_>>],
    ) -> Result<Vec<bool>, Error> {
        let conflict = format!("DO NOTHING RETURNING {}", table.key());
        let sql = table.insert(&unnest(table), &conflict);
        let added = self.fill(table, &sql, rows).await?;
        let key = |row: &tokio_postgres::Row| {
            let values = (0..table.key).map(|column| row.try_get(column));
            values.collect::<Result<Vec<Value>, _>>()
        };
        let added = added.iter().map(key).collect::<Result<HashSet<_>, _>>();
        let mut added = added.map_err(Error::Postgres)?;
        // Removed, so that of two rows with one key only the first is new.
        Ok(rows
            .iter()
            .map(|row| added.remove(&row[..table.key]))
            .collect())
    }

    pub(super) async fn add_up(
        &mut self,
        table: &Table<'_>,
        rows: &[Vec<Datum<'_>>],
    ) -> Result<(), Error> {
        let sql = table.insert(&unnest(table), &table.sum());
        self.fill(table, &sql, rows).await.map(drop)
    }

    /// Sends all rows in one statement, each column as an array: its text is the same for any number of rows.
    async fn fill(
        &mut self,
        table: &Table<'_>,
        sql: &str,
        rows: &[Vec<Datum<'_>>],
    ) -> Result<Vec<tokio_postgres::Row>, Error> {
        let types: Vec<Type> = table.columns.iter().map(|column| array(column.1)).collect();
        let statement = self.prepare(sql, &types).await?;
        let arrays: Vec<Box<dyn ToSql + Sync + Send + '_>> = table
            .columns
            .iter()
            .enumerate()
            .map(|(at, (_, kind))| as_array(*kind, rows, at))
            .collect();
        let arrays: Vec<&(dyn ToSql + Sync)> = arrays
            .iter()
            .map(|array| &**array as &(dyn ToSql + Sync))
            .collect();
        self.within(self.client.query(&statement, &arrays)).await
    }

    async fn start(
        &mut self,
        sql: &str,
        values: &[Value],
    ) -> Result<(Statement, RowStream), Error> {
        // Said rather than guessed from the statement: Postgres would take the 1 in `$1 + 1` for a short number.
        let types: Vec<Type> = values.iter().map(kind).collect();
        let statement = self.prepare(sql, &types).await?;
        let rows = self
            .within(self.client.query_raw(&statement, values))
            .await?;
        Ok((statement, rows))
    }

    async fn prepare(&mut self, sql: &str, types: &[Type]) -> Result<Statement, Error> {
        let key = (sql.to_owned(), types.iter().map(Type::oid).collect());
        if let Some(statement) = self.prepared.get(&key) {
            return Ok(statement.clone());
        }
        let statement = self.within(self.client.prepare_typed(sql, types)).await?;
        if self.prepared.len() == PREPARED_MAX {
            self.prepared.clear();
        }
        self.prepared.insert(key, statement.clone());
        Ok(statement)
    }

    async fn within<T>(
        &self,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Error> {
        match timeout(self.patience, answer).await {
            Ok(answer) => answer.map_err(Error::Postgres),
            Err(_) => Err(Error::Slow),
        }
    }
}

/// Whether a connection is of no more use after this.
pub(super) fn is_broken(error: &Error) -> bool {
    match error {
        Error::Slow | Error::Away | Error::Connect(_) => true,
        Error::Postgres(error) => match error.as_db_error() {
            // A server that ends, or that ends this session, says so first.
            Some(said) => said.code().code().starts_with("57P") || said.code().code() == "25P03",
            None => error.is_closed() || !is_ours(error),
        },
        _ => false,
    }
}

/// Whether it failed on this side of the wire, which the connection survives.
fn is_ours(error: &tokio_postgres::Error) -> bool {
    let source = std::error::Error::source(error);
    source.is_some_and(|source| source.downcast_ref::<std::io::Error>().is_none())
}

/// Has the runtime move bytes while an answer is waited for.
fn drive(wire: impl Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static) {
    // On the connection's own runtime, with which it ends.
    Handle::current().spawn(async {
        if let Err(error) = wire.await {
            // Whoever asks next is told; this is for who looks closer.
            tracing::debug!(%error, "a connection to the store broke");
        }
    });
}

fn unnest(table: &Table<'_>) -> String {
    let places: Vec<_> = (1..=table.columns.len())
        .map(|place| format!("${place}"))
        .collect();
    format!("SELECT * FROM unnest({})", places.join(", "))
}

fn array(kind: Kind) -> Type {
    match kind {
        Kind::Int => Type::INT8_ARRAY,
        Kind::Text => Type::TEXT_ARRAY,
        Kind::Bytes => Type::BYTEA_ARRAY,
    }
}
