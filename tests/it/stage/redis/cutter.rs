//! A line to a server that a test slows down, lets go silent, or cuts at the worst moment. Counts what is asked through it.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::frame;

/// Stands between clients and a server without TLS. Dropping it cuts every connection.
#[derive(Debug)]
pub struct Cutter {
    address: SocketAddr,
    line: Arc<Line>,
    accepting: Option<JoinHandle<()>>,
}

/// How the line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    Clear,
    /// Every reply takes so much longer.
    Slow(Duration),
    /// Nothing comes through either way, and nobody hangs up. What was said meanwhile arrives afterwards.
    Silent,
}

/// Where an exchange is broken off, together with its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The server never hears the command.
    BeforeCommand,
    /// The server did it, and the client never hears.
    BeforeReply,
    /// The client hears the first half of the reply.
    InReply,
}

#[derive(Debug)]
struct Line {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    weather: Weather,
    cut: Option<(String, Cut)>,
    counts: BTreeMap<String, usize>,
    /// Both ends of what is connected, to hang up.
    ends: Vec<TcpStream>,
    /// How often all was hung up: who connected before is gone.
    hung_up: usize,
    is_over: bool,
}

/// One connection through it.
struct Call {
    line: Arc<Line>,
    hung_up: usize,
    /// What is to become of the replies that are awaited, in their order.
    awaited: Mutex<VecDeque<Option<Cut>>>,
}

impl Cutter {
    /// A line to the server that listens there, now or later.
    pub fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let line = Arc::new(Line {
            state: Mutex::new(State {
                weather: Weather::Clear,
                cut: None,
                counts: BTreeMap::new(),
                ends: Vec::new(),
                hung_up: 0,
                is_over: false,
            }),
            changed: Condvar::new(),
        });
        let accepted = Arc::clone(&line);
        Self {
            address,
            line,
            accepting: Some(thread::spawn(move || accepted.accept(&listener, server))),
        }
    }

    /// Where clients connect.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on the line is like this.
    pub fn set(&self, weather: Weather) {
        self.line.state().weather = weather;
        self.line.changed.notify_all();
    }

    /// Breaks off the next exchange with this command, once.
    pub fn cut_next(&self, command: &str, cut: Cut) {
        self.line.state().cut = Some((command.to_owned(), cut));
    }

    /// Whether a cut still waits for its command.
    pub fn is_waiting_to_cut(&self) -> bool {
        self.line.state().cut.is_some()
    }

    /// Ends all connections.
    pub fn hang_up(&self) {
        let mut state = self.line.state();
        state.hung_up += 1;
        for end in state.ends.drain(..) {
            hang_up(&end);
        }
        drop(state);
        self.line.changed.notify_all();
    }

    /// How often this command was given.
    pub fn count(&self, command: &str) -> usize {
        let state = self.line.state();
        state.counts.get(command).copied().unwrap_or_default()
    }

    /// How many commands were given.
    pub fn total(&self) -> usize {
        self.line.state().counts.values().sum()
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        self.line.state().is_over = true;
        self.hang_up();
        // It waits for a connection.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            drop(accepting.join());
        }
    }
}

impl Line {
    fn accept(self: Arc<Self>, listener: &TcpListener, server: SocketAddr) {
        let mut threads = Vec::new();
        for client in listener.incoming() {
            if self.state().is_over {
                break;
            }
            // Without a server nobody is there for the client either.
            let Ok(client) = client else { continue };
            let Ok(server) = TcpStream::connect(server) else {
                continue;
            };
            threads.extend(self.connect(client, server));
        }
        for thread in threads {
            drop(thread.join());
        }
    }

    /// Carries between the two until one of them ends.
    fn connect(self: &Arc<Self>, client: TcpStream, server: TcpStream) -> [JoinHandle<()>; 3] {
        let clone = |stream: &TcpStream| stream.try_clone().expect("a second handle");
        for end in [&client, &server] {
            end.set_nodelay(true).expect("no delay");
        }
        let hung_up = {
            let mut state = self.state();
            state.ends.extend([clone(&client), clone(&server)]);
            // It may have been accepted just before the end, which nobody would tell it again.
            if state.is_over {
                state.ends.drain(..).for_each(|end| hang_up(&end));
            }
            state.hung_up
        };
        let call = Arc::new(Call {
            line: Arc::clone(self),
            hung_up,
            awaited: Mutex::default(),
        });
        let (replies, delayed) = mpsc::channel();
        let (up, down, out) = (Arc::clone(&call), Arc::clone(&call), call);
        let (asking, answering) = (clone(&client), clone(&server));
        [
            thread::spawn(move || up.carry_commands(asking, server)),
            thread::spawn(move || down.sort_replies(answering, &replies)),
            thread::spawn(move || out.carry_replies(&delayed, client)),
        ]
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Waits for `due` and for better weather: whether the connection still stands then.
    fn wait(&self, due: Instant, hung_up: usize) -> bool {
        let mut state = self.state();
        while state.hung_up == hung_up {
            let left = due.saturating_duration_since(Instant::now());
            state = if state.weather == Weather::Silent {
                self.changed.wait(state).unwrap()
            } else if left.is_zero() {
                return true;
            } else {
                self.changed.wait_timeout(state, left).unwrap().0
            };
        }
        false
    }
}

impl Call {
    fn carry_commands(&self, mut client: TcpStream, mut server: TcpStream) {
        each_frame(&mut client, |command| {
            let cut = self.line.state().note(frame::command(command));
            if cut == Some(Cut::BeforeCommand) || !self.line.wait(Instant::now(), self.hung_up) {
                return false;
            }
            self.awaited.lock().unwrap().push_back(cut);
            server.write_all(command).is_ok()
        });
        // The replies that are still awaited come before the end.
        drop(server.shutdown(Shutdown::Write));
    }

    fn sort_replies(&self, mut server: TcpStream, replies: &Sender<(Instant, Vec<u8>)>) {
        each_frame(&mut server, |reply| {
            let due = Instant::now()
                + match self.line.state().weather {
                    Weather::Slow(delay) => delay,
                    Weather::Clear | Weather::Silent => Duration::ZERO,
                };
            let cut = if frame::is_push(reply) {
                None
            } else {
                self.awaited.lock().unwrap().pop_front().flatten()
            };
            match cut {
                None => replies.send((due, reply.to_vec())).is_ok(),
                Some(Cut::BeforeCommand | Cut::BeforeReply) => false,
                Some(Cut::InReply) => {
                    let half = reply[..reply.len() / 2].to_vec();
                    // It is over either way.
                    drop(replies.send((due, half)));
                    false
                }
            }
        });
    }

    /// Ends the connection when there are no replies any more.
    fn carry_replies(&self, replies: &Receiver<(Instant, Vec<u8>)>, mut client: TcpStream) {
        for (due, reply) in replies {
            if !self.line.wait(due, self.hung_up) || client.write_all(&reply).is_err() {
                break;
            }
        }
        hang_up(&client);
    }
}

impl State {
    /// Counts a command: whether its exchange is to be broken off.
    fn note(&mut self, command: String) -> Option<Cut> {
        let is_meant = |(meant, _): &mut (String, Cut)| *meant == command;
        let cut = self.cut.take_if(is_meant).map(|(_, cut)| cut);
        *self.counts.entry(command).or_default() += 1;
        cut
    }
}

/// Takes one frame after the other from a connection, until it ends or `take` wants no more.
fn each_frame(from: &mut TcpStream, mut take: impl FnMut(&[u8]) -> bool) {
    let (mut unread, mut block) = (Vec::new(), vec![0; 1 << 16]);
    while let Ok(count @ 1..) = from.read(&mut block) {
        unread.extend(&block[..count]);
        while let Some(length) = frame::length(&unread) {
            let frame: Vec<u8> = unread.drain(..length).collect();
            if !take(&frame) {
                return;
            }
        }
    }
}

/// That it is gone already is no error.
fn hang_up(end: &TcpStream) {
    drop(end.shutdown(Shutdown::Both));
}
