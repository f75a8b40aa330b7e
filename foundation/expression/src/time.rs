//! Moments and spans of time in expressions, which the library has only together with every time zone of the world.
use cel::ExecutionError;
use cel::common::traits::{Adder, Comparer, Subtractor};
use cel::common::types::{DURATION_TYPE, TIMESTAMP_TYPE, Type};
use cel::common::value::{CowVal, StaticVal, Val};
use jiff::{SignedDuration, Timestamp};
use std::any::Any;
use std::cmp::Ordering;

static MOMENT: Type = TIMESTAMP_TYPE;
static SPAN: Type = DURATION_TYPE;

/// A `timestamp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) Timestamp);

/// A `duration`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span(pub(crate) SignedDuration);

/// Makes a type one of the values that can be compared, added and subtracted.
macro_rules! value {
    ($name:ident, $kind:ident) => {
        impl Val for $name {
            fn get_type(&self) -> &Type {
                &$kind
            }

            fn cel_type() -> &'static Type {
                &$kind
            }

            fn as_adder<'b, 'v>(&'b self) -> Option<&'b (dyn Adder + 'v)>
            where
                Self: 'v,
            {
                Some(self)
            }

            fn as_comparer(&self) -> Option<&dyn Comparer> {
                Some(self)
            }

            fn as_subtractor<'b, 'v>(&'b self) -> Option<&'b (dyn Subtractor + 'v)>
            where
                Self: 'v,
            {
                Some(self)
            }

            fn equals(&self, other: &dyn Val) -> bool {
                other.downcast_ref() == Some(self)
            }

            fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
            where
                Self: 'v,
            {
                Box::new(*self)
            }

            fn as_any(&self) -> Option<&dyn Any> {
                Some(self)
            }
        }

        impl StaticVal for $name {}

        impl Comparer for $name {
            fn compare(&self, other: &dyn Val) -> Result<Ordering, ExecutionError> {
                other.downcast_ref().map(|other| self.cmp(other)).ok_or_else(|| misfit("_<_", self, other))
            }
        }
    };
}

value!(Moment, MOMENT);
value!(Span, SPAN);

impl Adder for Moment {
    fn add<'b, 'v>(&'b self, other: &(dyn Val + 'v)) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let Some(Span(span)) = other.downcast_ref() else { return Err(misfit("_+_", self, other)) };
        self.0.checked_add(*span).map(|sum| CowVal::owned(Self(sum))).map_err(too_far)
    }
}

impl Adder for Span {
    fn add<'b, 'v>(&'b self, other: &(dyn Val + 'v)) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        if let Some(Moment(moment)) = other.downcast_ref() {
            return moment.checked_add(self.0).map(|sum| CowVal::owned(Moment(sum))).map_err(too_far);
        }
        let Some(Self(span)) = other.downcast_ref() else { return Err(misfit("_+_", self, other)) };
        span_of(self.0.checked_add(*span))
    }
}

impl Subtractor for Moment {
    fn sub<'b, 'v>(&'b self, other: &(dyn Val + 'v)) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        if let Some(Self(moment)) = other.downcast_ref() {
            return span_of(Some(self.0.duration_since(*moment)));
        }
        let Some(Span(span)) = other.downcast_ref() else { return Err(misfit("_-_", self, other)) };
        self.0.checked_sub(*span).map(|difference| CowVal::owned(Self(difference))).map_err(too_far)
    }
}

impl Subtractor for Span {
    fn sub<'b, 'v>(&'b self, other: &(dyn Val + 'v)) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let Some(Self(span)) = other.downcast_ref() else { return Err(misfit("_-_", self, other)) };
        span_of(self.0.checked_sub(*span))
    }
}

/// Go counts nanoseconds in 64 bits.
fn span_of<'b, 'v>(span: Option<SignedDuration>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let span = span.filter(|span| i64::try_from(span.as_nanos()).is_ok());
    span.map(|span| CowVal::owned(Span(span)))
        .ok_or_else(|| ExecutionError::function_error("duration", "it is too long"))
}

fn misfit(operator: &str, left: &dyn Val, right: &dyn Val) -> ExecutionError {
    let types = [left, right].map(|value| value.get_type().name().to_owned());
    ExecutionError::no_such_overload(operator, types.to_vec())
}

fn too_far(reason: impl ToString) -> ExecutionError {
    ExecutionError::function_error("timestamp", reason)
}
