//! As much of WASI (preview 1) as compilers link into every guest: no files, no arguments, no environment.
use super::SCOPE;
use super::guest::State;
use super::host::{read, write};
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use std::time::{Instant, SystemTime};
use wasmi::{Caller, Error, Linker};

const MODULE: &str = "wasi_snapshot_preview1";
const SUCCESS: u32 = 0;
const BAD_DESCRIPTOR: u32 = 8;
const NOT_SUPPORTED: u32 = 58;
const STDOUT: u32 = 1;
const STDERR: u32 = 2;
const REALTIME: u32 = 0;
/// Bytes of one line of the log, and of random numbers at once.
const LONGEST: usize = 64 << 10;

type Guest<'a> = Caller<'a, State>;
type Outcome<T> = Result<T, Error>;

/// Clock and random numbers of a guest.
pub(super) struct System {
    random: StdRng,
    started: Instant,
    /// Milliseconds of a clock that only counts.
    strict: Option<u64>,
}

impl System {
    /// A strict one tells a guest nothing about time, and the same random numbers each time.
    pub(super) fn new(strict: bool) -> Self {
        let random = if strict { StdRng::seed_from_u64(0) } else { StdRng::from_rng(&mut rand::rng()) };
        Self { random, started: Instant::now(), strict: strict.then(|| now() / 1_000_000_000 * 1000) }
    }

    /// Nanoseconds.
    fn time(&mut self, clock: u32) -> u64 {
        match &mut self.strict {
            Some(milliseconds) => {
                *milliseconds += 1;
                *milliseconds * 1_000_000
            }
            None if clock == REALTIME => now(),
            None => u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX),
        }
    }
}

fn now() -> u64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Makes the functions known.
pub(super) fn define(linker: &mut Linker<State>) -> Outcome<()> {
    linker.func_wrap(MODULE, "args_get", |_: u32, _: u32| SUCCESS)?;
    linker.func_wrap(MODULE, "args_sizes_get", nothing)?;
    linker.func_wrap(MODULE, "environ_get", |_: u32, _: u32| SUCCESS)?;
    linker.func_wrap(MODULE, "environ_sizes_get", nothing)?;
    linker.func_wrap(MODULE, "clock_res_get", |mut guest: Guest<'_>, _: u32, at: u32| {
        number(&mut guest, at, 1_000_000)
    })?;
    linker.func_wrap(MODULE, "clock_time_get", clock_time_get)?;
    linker.func_wrap(MODULE, "random_get", random_get)?;
    linker.func_wrap(MODULE, "sched_yield", || SUCCESS)?;
    linker.func_wrap(MODULE, "proc_exit", |code: u32| -> Outcome<()> { Err(Error::i32_exit(code.cast_signed())) })?;
    linker.func_wrap(MODULE, "poll_oneoff", |_: u32, _: u32, _: u32, _: u32| NOT_SUPPORTED)?;
    linker.func_wrap(MODULE, "fd_write", fd_write)?;
    linker.func_wrap(MODULE, "fd_read", |_: u32, _: u32, _: u32, _: u32| BAD_DESCRIPTOR)?;
    linker.func_wrap(MODULE, "fd_close", |_: u32| BAD_DESCRIPTOR)?;
    linker.func_wrap(MODULE, "fd_seek", |_: u32, _: i64, _: u32, _: u32| BAD_DESCRIPTOR)?;
    linker.func_wrap(MODULE, "fd_fdstat_get", |_: u32, _: u32| BAD_DESCRIPTOR)?;
    linker.func_wrap(MODULE, "fd_fdstat_set_flags", |_: u32, _: u32| BAD_DESCRIPTOR)?;
    linker.func_wrap(MODULE, "fd_filestat_get", |_: u32, _: u32| BAD_DESCRIPTOR)?;
    linker.func_wrap(MODULE, "fd_prestat_get", |_: u32, _: u32| BAD_DESCRIPTOR)?;
    linker.func_wrap(MODULE, "fd_prestat_dir_name", |_: u32, _: u32, _: u32| BAD_DESCRIPTOR)?;
    Ok(())
}

/// Neither items nor bytes.
fn nothing(mut guest: Guest<'_>, count: u32, size: u32) -> Outcome<u32> {
    write(&mut guest, count, &[0; 4])?;
    write(&mut guest, size, &[0; 4])?;
    Ok(SUCCESS)
}

fn number(guest: &mut Guest<'_>, at: u32, value: u64) -> Outcome<u32> {
    write(guest, at, &value.to_le_bytes())?;
    Ok(SUCCESS)
}

fn clock_time_get(mut guest: Guest<'_>, clock: u32, _: i64, at: u32) -> Outcome<u32> {
    let time = guest.data_mut().system.time(clock);
    number(&mut guest, at, time)
}

fn random_get(mut guest: Guest<'_>, at: u32, length: u32) -> Outcome<u32> {
    let mut bytes = vec![0; length as usize];
    if bytes.len() > LONGEST {
        return Ok(NOT_SUPPORTED);
    }
    guest.data_mut().system.random.fill_bytes(&mut bytes);
    write(&mut guest, at, &bytes)?;
    Ok(SUCCESS)
}

/// What a guest prints goes to the log.
fn fd_write(mut guest: Guest<'_>, descriptor: u32, vectors: u32, count: u32, at: u32) -> Outcome<u32> {
    let stream = match descriptor {
        STDOUT => "stdout",
        STDERR => "stderr",
        _ => return Ok(BAD_DESCRIPTOR),
    };
    let mut printed = Vec::new();
    for vector in read(&guest, vectors, count.saturating_mul(8))?.chunks_exact(8) {
        let [start, length] =
            [0, 4].map(|part| u32::from_le_bytes([vector[part], vector[part + 1], vector[part + 2], vector[part + 3]]));
        printed.extend(read(&guest, start, length)?);
        if printed.len() > LONGEST {
            return Err(Error::new("the guest prints too much"));
        }
    }
    tracing::debug!(target: SCOPE, "wasm {stream}: {}", String::from_utf8_lossy(&printed).trim_end());
    write(&mut guest, at, &u32::try_from(printed.len()).unwrap_or(u32::MAX).to_le_bytes())?;
    Ok(SUCCESS)
}
