//! Runs a future to its end on the current thread, for commands that start no server.

use std::io;

/// Runs a future and returns its output.
///
/// # Errors
/// The system has no resources for a runtime.
pub fn block_on<F: Future>(future: F) -> io::Result<F::Output> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    Ok(runtime.enable_all().build()?.block_on(future))
}
