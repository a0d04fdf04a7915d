//! The program: hands its arguments to `cli` and returns the exit code; knows nothing else.

use std::{
    env::args_os,
    io::{IsTerminal, stderr, stdin, stdout},
    process::ExitCode,
};

use otp_gateway::cli::{Reader, Streams, run};

fn main() -> ExitCode {
    let reader = if stderr().is_terminal() {
        Reader::Terminal
    } else {
        Reader::Other
    };
    let mut streams = Streams {
        input: &mut stdin(),
        out: &mut stdout(),
        err: &mut stderr(),
        reader,
    };
    run(args_os(), &mut streams).into()
}
