//! Values on the wire.

use super::super::{Datum, Kind, Value};
use bytes::{BufMut, BytesMut};
use std::error::Error;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

type Failure = Box<dyn Error + Sync + Send>;

/// The type of a value; that of null is the statement's to say.
pub(super) fn kind(value: &Value) -> Type {
    match value {
        Datum::Null => Type::UNKNOWN,
        Datum::Int(_) => Type::INT8,
        Datum::Text(_) => Type::TEXT,
        Datum::Bytes(_) => Type::BYTEA,
    }
}

/// One column of many rows.
pub(super) fn as_array<'a>(
    kind: Kind,
    rows: &'a [Vec<Datum<'a>>],
    column: usize,
) -> Box<dyn ToSql + Sync + Send + 'a> {
    let values = rows.iter().map(|row| &row[column]);
    match kind {
        Kind::Int => Box::new(values.map(int).collect::<Vec<_>>()),
        Kind::Text => Box::new(values.map(text).collect::<Vec<_>>()),
        Kind::Bytes => Box::new(values.map(bytes).collect::<Vec<_>>()),
    }
}

fn int(value: &Datum<'_>) -> Option<i64> {
    match value {
        Datum::Int(number) => Some(*number),
        _ => None,
    }
}

fn text<'a>(value: &'a Datum<'a>) -> Option<&'a str> {
    match value {
        Datum::Text(text) => Some(text),
        _ => None,
    }
}

fn bytes<'a>(value: &'a Datum<'a>) -> Option<&'a [u8]> {
    match value {
        Datum::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

impl ToSql for Datum<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        match (self, ty) {
            (Self::Null, _) => return Ok(IsNull::Yes),
            (Self::Int(number), &Type::INT8) => out.put_i64(*number),
            (Self::Int(number), &Type::INT4) => out.put_i32((*number).try_into()?),
            (Self::Int(number), &Type::INT2) => out.put_i16((*number).try_into()?),
            (Self::Int(number), &Type::BOOL) => out.put_u8((*number != 0).into()),
            (Self::Text(text), _) => out.put_slice(text.as_bytes()),
            (Self::Bytes(bytes), &Type::BYTEA) => out.put_slice(bytes),
            _ => return Err(format!("the statement wants {ty} here").into()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true // null fits everywhere, and `to_sql` looks at the rest
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Failure> {
        Ok(match *ty {
            Type::INT8 => Self::Int(i64::from_sql(ty, raw)?),
            Type::INT4 => Self::Int(i32::from_sql(ty, raw)?.into()),
            Type::INT2 => Self::Int(i16::from_sql(ty, raw)?.into()),
            Type::BOOL => Self::Int(bool::from_sql(ty, raw)?.into()),
            Type::NUMERIC => Self::Int(whole(raw).ok_or("a number that is no whole one")?),
            Type::BYTEA => Self::Bytes(raw.to_vec().into()),
            _ => Self::Text(<&str>::from_sql(ty, raw)?.to_owned().into()),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Failure> {
        Ok(Self::Null)
    }

    fn accepts(ty: &Type) -> bool {
        matches!(
            *ty,
            Type::INT8 | Type::INT4 | Type::INT2 | Type::BOOL | Type::NUMERIC | Type::BYTEA
        ) || <&str as FromSql>::accepts(ty)
    }
}

/// A sum of numbers, which Postgres gives as a decimal: a header of four words, then digits to the base of 10,000.
fn whole(raw: &[u8]) -> Option<i64> {
    const NEGATIVE: i16 = 0x4000;
    let word = |at: usize| {
        Some(i16::from_be_bytes(
            raw.get(at * 2..at * 2 + 2)?.try_into().ok()?,
        ))
    };
    let (digits, weight, sign) = (word(0)?, word(1)?, word(2)?);
    if sign != 0 && sign != NEGATIVE {
        return None; // not a number, or endless
    }
    let mut number: i64 = 0;
    // Zeros at the end are left out, and what is behind the point has no place here.
    for at in 0..=i32::from(weight) {
        let digit = match at < i32::from(digits) {
            true => word(4 + usize::try_from(at).ok()?)?,
            false => 0,
        };
        number = number.checked_mul(10_000)?;
        number = match sign {
            NEGATIVE => number.checked_sub(digit.into())?,
            _ => number.checked_add(digit.into())?,
        };
    }
    (i32::from(digits) <= i32::from(weight) + 1).then_some(number)
}
