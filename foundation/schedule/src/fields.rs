//! One field of a schedule: `*`, `5`, `1-5`, `*/10`, `MON-FRI`, and lists of these.
use crate::Error;

/// What the values of a field may be.
pub(crate) struct Bounds {
    least: u32,
    most: u32,
    /// Names of the values from `least` on.
    names: &'static [&'static str],
}

pub(crate) const SECONDS: Bounds = Bounds { least: 0, most: 59, names: &[] };
pub(crate) const MINUTES: Bounds = Bounds { least: 0, most: 59, names: &[] };
pub(crate) const HOURS: Bounds = Bounds { least: 0, most: 23, names: &[] };
pub(crate) const DAYS: Bounds = Bounds { least: 1, most: 31, names: &[] };
pub(crate) const MONTHS: Bounds = Bounds {
    least: 1,
    most: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
pub(crate) const WEEKDAYS: Bounds =
    Bounds { least: 0, most: 6, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] };

/// The values of a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Values {
    bits: u64,
    /// Whether every value is meant by `*` or `?`.
    pub(crate) is_star: bool,
}

impl Values {
    /// Reads a field. There is always a value: a search for one that never comes would be a long one.
    pub(crate) fn parse(field: &str, bounds: &Bounds) -> Result<Self, Error> {
        let mut values = Self::default();
        for range in field.split(',').filter(|range| !range.is_empty()) {
            let problem = |reason| Error::Field { field: range.to_owned(), reason };
            let Self { bits, is_star } = self::range(range, bounds).map_err(problem)?;
            values.bits |= bits;
            values.is_star |= is_star;
        }
        if values.bits == 0 {
            return Err(Error::Field { field: field.to_owned(), reason: "a value is missing".to_owned() });
        }
        Ok(values)
    }

    /// Whether a value is one of them.
    pub(crate) fn has(self, value: i8) -> bool {
        u32::try_from(value).is_ok_and(|value| self.bits >> value & 1 == 1)
    }
}

fn range(range: &str, bounds: &Bounds) -> Result<Values, String> {
    let (ends, step) = range.split_once('/').map_or((range, None), |(ends, step)| (ends, Some(step)));
    let step = step.map(number).transpose()?;
    let (low, high) = ends.split_once('-').map_or((ends, None), |(low, high)| (low, Some(high)));
    let is_star = matches!(low, "*" | "?");
    let (start, end) = match high {
        _ if is_star => (bounds.least, bounds.most),
        Some(high) => (value(low, bounds)?, value(high, bounds)?),
        // `5/10` goes on to the end.
        None => (value(low, bounds)?, if step.is_some() { bounds.most } else { value(low, bounds)? }),
    };
    check(start, end, bounds)?;
    let step = step.unwrap_or(1);
    let stride = usize::try_from(step).ok().filter(|stride| *stride > 0);
    let stride = stride.ok_or("step of range should be a positive number")?;
    let bits = (start..=end).step_by(stride).fold(0, |bits, value| bits | 1 << value);
    Ok(Values { bits, is_star: is_star && step == 1 })
}

fn check(start: u32, end: u32, bounds: &Bounds) -> Result<(), String> {
    let Bounds { least, most, .. } = bounds;
    if start < *least {
        return Err(format!("beginning of range ({start}) below minimum ({least})"));
    }
    if end > *most {
        return Err(format!("end of range ({end}) above maximum ({most})"));
    }
    if start > end {
        return Err(format!("beginning of range ({start}) beyond end of range ({end})"));
    }
    Ok(())
}

fn value(text: &str, bounds: &Bounds) -> Result<u32, String> {
    let named = bounds.names.iter().zip(bounds.least..).find(|(name, _)| name.eq_ignore_ascii_case(text));
    named.map_or_else(|| number(text), |(_, value)| Ok(value))
}

fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}
