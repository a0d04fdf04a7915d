//! The program: hands its arguments to `cli` and returns the exit code; knows nothing else.

fn main() {}
