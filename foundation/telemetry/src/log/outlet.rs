//! The way out of log lines: one thread writes them, so that no work waits for a reader who does not read.
use std::io::{self, Write};
use std::mem::take;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;
use tracing_subscriber::fmt::writer::MakeWriter;

const SCOPE: &str = "dapr.log";
/// Bytes that wait to be written; lines on top are lost.
const ROOM: usize = 1 << 20;
const STACK: usize = 128 << 10;

/// Takes lines, and writes them in their order. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Outlet(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// There is something to write.
    filled: Condvar,
    /// Everything is written.
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    /// The thread has taken what waited and writes it.
    writing: bool,
    lost: u64,
}

impl Outlet {
    /// Writes to `out` from now on, as long as the process lives.
    ///
    /// # Errors
    /// A thread that cannot be started.
    pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let outlet = Self::default();
        let writer = outlet.clone();
        Builder::new().name("log".to_owned()).stack_size(STACK).spawn(move || writer.run(out))?;
        Ok(outlet)
    }

    /// Waits until everything is written, at most `patience`.
    pub(super) fn flush(&self, patience: Duration) {
        let is_busy = |state: &mut State| state.writing || !state.waiting.is_empty();
        drop(self.0.emptied.wait_timeout_while(self.state(), patience, is_busy));
    }

    fn run(&self, mut out: impl Write) {
        loop {
            let (lines, lost) = self.take();
            // Nobody is there to be told of an error.
            out.write_all(&lines).and_then(|()| out.flush()).ok();
            if lost > 0 {
                tracing::warn!(target: SCOPE, "{lost} log lines are lost: whoever reads the output is too slow");
            }
            self.written();
        }
    }

    /// All that waits, and how many lines were lost since the last time.
    fn take(&self) -> (Vec<u8>, u64) {
        let is_idle = |state: &mut State| state.waiting.is_empty();
        let state = self.0.filled.wait_while(self.state(), is_idle);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.writing = true;
        (take(&mut state.waiting), take(&mut state.lost))
    }

    fn written(&self) {
        self.state().writing = false;
        self.0.emptied.notify_all();
    }

    fn put(&self, line: &[u8]) {
        let mut state = self.state();
        if state.waiting.len() + line.len() > ROOM {
            state.lost += 1;
            return;
        }
        state.waiting.extend_from_slice(line);
        drop(state);
        self.0.filled.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Each write is a line.
impl Write for Outlet {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Outlet {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const LONG: Duration = Duration::from_secs(30);

    /// Tells what is written, and is stuck until that is read.
    struct Pipe(mpsc::SyncSender<Vec<u8>>);

    impl Write for Pipe {
        fn write(&mut self, data: &[u8]) -> io::Result<usize> {
            self.0.send(data.to_vec()).ok();
            Ok(data.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn who_logs_does_not_wait_for_who_reads() {
        let (pipe, read) = mpsc::sync_channel(0);
        let mut outlet = Outlet::start(Pipe(pipe)).unwrap();
        let line = [b'x'; 1 << 10];
        // Some are with the thread that is stuck, some wait, and the rest is lost.
        (0..3 * ROOM / line.len()).for_each(|_| outlet.write_all(&line).unwrap());
        assert!(outlet.state().lost > 0);
        std::thread::spawn(move || read.iter().for_each(drop));
        outlet.flush(LONG);
        let state = outlet.state();
        assert!(state.waiting.is_empty() && !state.writing);
    }

    #[test]
    fn the_last_line_is_written_before_a_flush_ends() {
        let (pipe, read) = mpsc::sync_channel(9);
        let mut outlet = Outlet::start(Pipe(pipe)).unwrap();
        outlet.write_all(b"a\n").unwrap();
        outlet.write_all(b"b\n").unwrap();
        outlet.flush(LONG);
        assert_eq!(read.try_iter().flatten().collect::<Vec<_>>(), b"a\nb\n");
    }
}
