//! Turns panics and raw library messages into readable problems.

use crate::experiment::{Code, Problem};
use std::any::Any;
use std::sync::{Mutex, Once};

/// Name of the worker thread, whose panics are told as problems and not printed.
pub const ENGINE_THREAD: &str = "engine";

static LAST_PLACE: Mutex<Option<String>> = Mutex::new(None);

/// Keeps the engine's panics off the terminal; they come back through [`from_panic`]. Other threads panic as usual.
pub fn quiet_engine_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if std::thread::current().name() == Some(ENGINE_THREAD) {
                *crate::run::job::lock(&LAST_PLACE) = info.location().map(ToString::to_string);
            } else {
                usual(info);
            }
        }));
    });
}

/// The problem behind a caught panic.
pub fn from_panic(payload: &(dyn Any + Send)) -> Problem {
    let text = payload
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "no message".into());
    let place = crate::run::job::lock(&LAST_PLACE).take();
    let problem = from_library(&text);
    match place {
        Some(place) if problem.code == Code::Internal => problem.at(place),
        _ => problem,
    }
}

/// What a raw message of libtorch means to a user.
pub fn from_library(text: &str) -> Problem {
    let first_line = first_useful_line(text);
    let lower = text.to_lowercase();
    if lower.contains("out of memory") || lower.contains("can't allocate memory") || lower.contains("bad_alloc") {
        return Problem::new(Code::OutOfMemory, "There is not enough memory for this work.")
            .because(first_line)
            .remedy("Halve train.batch.")
            .remedy("Use a narrower network, or device cpu if this was the GPU's memory.");
    }
    if lower.contains("cuda error") || lower.contains("cudnn") {
        return Problem::new(Code::DeviceMissing, "The GPU reported an error and cannot be used any more.")
            .because(first_line)
            .remedy("Start the program again, or use device cpu.");
    }
    Problem::internal("The work ended with an error that is our mistake.")
        .because(first_line)
        .remedy("Please report it with this text and the run folder's spec.toml.")
}

/// libtorch wraps its sentence into debug output and a C++ stack trace.
fn first_useful_line(text: &str) -> String {
    let text = text.replace("\\n", "\n");
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("no message");
    let start = line.find("Torch(\"").map_or(0, |at| at + 7);
    line[start..].chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_errors_have_remedies_and_other_errors_say_whose_they_are() {
        let problem = from_library(
            "called `Result::unwrap()` on an `Err` value: Torch(\"[enforce fail at alloc_cpu.cpp:125] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 4000000000000 bytes.\\nframe #0",
        );
        assert_eq!(problem.code, Code::OutOfMemory);
        assert!(problem.detail[0].starts_with("[enforce fail") && !problem.detail[0].contains("frame"));
        assert_eq!(from_library("index out of bounds").code, Code::Internal);
    }
}
