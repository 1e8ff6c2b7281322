//! Which door: the window, or a command.

use polariscope::cli::{self, Door};
use polariscope::run::handle::leave;

fn main() {
    match cli::main() {
        // Every tensor is gone by now; libtorch's own destructors are best skipped all the same.
        Door::Leave(code) => leave_after_output(code),
        Door::Window { path, train } => leave_after_output(window(path, train)),
    }
}

fn window(path: Option<std::path::PathBuf>, train: bool) -> i32 {
    polariscope::app::run(path, train).unwrap_or_else(|problem| cli::tell(&problem, false))
}

fn leave_after_output(code: i32) -> ! {
    use std::io::Write;
    let _ = std::io::stdout().flush();
    let _ = std::io::stderr().flush();
    leave(code)
}
