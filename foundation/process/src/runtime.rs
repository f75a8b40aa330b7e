//! The threads of a process.
use std::io;
use std::thread::available_parallelism;
use tokio::runtime::{Builder, Runtime};

/// Cores for each worker: the rest is for the app and the other processes of the machine.
const SHARE: usize = 4;
const MOST: usize = 4;

/// A runtime whose workers have stacks of so many bytes. On a small machine one worker does it all: every other one is woken
/// for each request, only to find nothing to do, which costs a fifth of the CPU time of an invocation.
///
/// # Errors
/// Threads that cannot be started.
pub fn runtime(stack: usize) -> io::Result<Runtime> {
    let workers = available_parallelism().map_or(1, |cores| cores.get() / SHARE).clamp(1, MOST);
    Builder::new_multi_thread().worker_threads(workers).thread_stack_size(stack).enable_all().build()
}
