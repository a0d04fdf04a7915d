//! The program: hands its arguments to `cli` and returns the exit code; knows nothing else.

use std::{
    env::args_os,
    io::{stderr, stdin, stdout},
    process::ExitCode,
};

use otp_gateway::cli::{Streams, run};

fn main() -> ExitCode {
    let mut streams = Streams {
        input: &mut stdin(),
        out: &mut stdout(),
        err: &mut stderr(),
    };
    run(args_os(), &mut streams).into()
}
