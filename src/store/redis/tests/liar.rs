//! A server that answers scripts with whatever comes to its mind: nothing is believed that makes no sense, and nothing breaks.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use proptest::{collection::vec, prelude::*, sample::select, test_runner::TestRunner};

use super::{RedisServer, spec_at};
use crate::{
    clock::Clock,
    domain::delivery::Turn,
    store::{
        Error, Revoke, Sending, Store,
        contract::{
            ACCESS_TTL, ANN, NAMES, OTP, SESSION, UNGUARDED, charge, login, parcel, session_id,
            start,
        },
        redis::stage::frame,
    },
};

/// Stands before a server and answers every script itself, once it has something to say.
struct Liar {
    address: SocketAddr,
    says: Arc<Mutex<Option<Vec<u8>>>>,
}

/// Something that a server can say.
#[derive(Debug, Clone)]
enum Said {
    Nothing,
    Number(i64),
    Bytes(Vec<u8>),
    Line(&'static str),
    List(Vec<Self>),
}

impl Liar {
    fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let liar = Self {
            address: listener.local_addr().unwrap(),
            says: Arc::default(),
        };
        let says = Arc::clone(&liar.says);
        // It ends with the process: nobody else is served by it.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (says, server) = (Arc::clone(&says), TcpStream::connect(server).unwrap());
                thread::spawn(move || serve(client, server, &says));
            }
        });
        liar
    }

    fn say(&self, bytes: Vec<u8>) {
        *self.says.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
    }
}

/// One exchange after the other. What is no frame ends the conversation.
fn serve(mut client: TcpStream, mut server: TcpStream, says: &Mutex<Option<Vec<u8>>>) {
    let mut asked = Vec::new();
    while let Some(command) = next(&mut client, &mut asked) {
        let lie = says.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let answer = if let Some(lie) = lie.filter(|_| frame::command(&command) == "EVALSHA") {
            lie
        } else {
            server.write_all(&command).unwrap();
            let Some(answer) = next(&mut server, &mut Vec::new()) else {
                break;
            };
            answer
        };
        if client.write_all(&answer).is_err() {
            break;
        }
    }
    drop(client.shutdown(Shutdown::Both));
}

fn next(from: &mut TcpStream, unread: &mut Vec<u8>) -> Option<Vec<u8>> {
    let mut block = [0; 4096];
    loop {
        if let Some(length) = frame::length(unread) {
            return Some(unread.drain(..length).collect());
        }
        match from.read(&mut block) {
            Ok(0) | Err(_) => return None,
            Ok(count) => unread.extend(&block[..count]),
        }
    }
}

impl Said {
    fn frame(&self) -> Vec<u8> {
        match self {
            Self::Nothing => b"$-1\r\n".to_vec(),
            Self::Number(number) => format!(":{number}\r\n").into_bytes(),
            Self::Line(line) => format!("{line}\r\n").into_bytes(),
            Self::Bytes(bytes) => {
                let mut frame = format!("${}\r\n", bytes.len()).into_bytes();
                frame.extend(bytes);
                frame.extend(b"\r\n");
                frame
            }
            Self::List(members) => {
                let mut frame = format!("*{}\r\n", members.len()).into_bytes();
                frame.extend(members.iter().flat_map(Self::frame));
                frame
            }
        }
    }
}

/// Often nearly what our scripts say.
fn said() -> impl Strategy<Value = Said> {
    const WORDS: [&str; 15] = [
        "started", "limited", "opened", "wrong", "to", "replayed", "ended", "sessions", "ready",
        "reserved", "delivery", "kept", "due", "repeated", "reused",
    ];
    const LINES: [&str; 6] = [
        "+OK",
        "-ERR no",
        "-BUSY Redis is busy",
        "-OOM command not allowed",
        "_",
        ",1.5",
    ];
    let number = prop_oneof![-2..9i64, Just(i64::MAX), Just(i64::MIN), any::<i64>()];
    let length = select(&[0_usize, 4, 15, 16, 17, 32]);
    let bytes = length.prop_flat_map(|length| vec(any::<u8>(), length));
    let leaf = prop_oneof![
        1 => Just(Said::Nothing),
        6 => number.prop_map(Said::Number),
        6 => bytes.prop_map(Said::Bytes),
        1 => select(&LINES).prop_map(Said::Line),
    ];
    let field = leaf.prop_recursive(2, 8, 4, |field| vec(field, 0..4).prop_map(Said::List));
    let word = select(&WORDS).prop_map(|word| Said::Bytes(word.into()));
    let answer = (word, vec(field.clone(), 0..9)).prop_map(|(word, mut fields)| {
        fields.insert(0, word);
        Said::List(fields)
    });
    prop_oneof![8 => answer, 1 => field]
}

#[test]
fn no_lie_of_the_server_breaks_a_verb() {
    let server = RedisServer::start();
    let liar = Liar::before(server.address());
    let spec = spec_at(&format!("redis://{}", liar.address), "shop:");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let clock = Clock::System;
    let store = runtime.block_on(Store::open(&spec, NAMES, clock)).unwrap();
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 500,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let result = runner.run(&said(), |said| {
        liar.say(said.frame());
        runtime.block_on(ask_everything(&store));
        Ok(())
    });
    result.unwrap();
}

/// Bytes that are no answer at all cost the connection and nothing else.
#[tokio::test]
async fn after_a_lie_the_truth_is_heard_again() {
    let server = RedisServer::start();
    let liar = Liar::before(server.address());
    let spec = spec_at(&format!("redis://{}", liar.address), "shop:");
    let store = Store::open(&spec, NAMES, Clock::System).await.unwrap();
    let lies: [&[u8]; 5] = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"*-5\r\n",
        b"$99999999999999999999\r\n",
        b"*2\r\n$6\r\nopened\r\n!\r\n",
        b":x\r\n",
    ];
    for lie in lies {
        liar.say(lie.to_vec());
        let refused = store.sessions(ANN, SESSION).await.unwrap_err();
        assert!(matches!(refused, Error::Unavailable(_)), "{refused:?}");
        assert!(store.ready().await.is_err());
        *liar.says.lock().unwrap() = None;
        store.sessions(ANN, SESSION).await.unwrap();
    }
}

/// Each verb once. What is believed can be true.
async fn ask_everything(store: &Store) {
    let limits = vec![charge(1, 3, Duration::from_mins(30))];
    let sent = store
        .start_challenge(ANN, start(1, 1), limits, UNGUARDED, *OTP, parcel())
        .await;
    if let Ok(Sending::Limited { charge, .. }) = sent {
        assert_eq!(charge, 0);
    }
    let answer = crate::domain::otp::Answer {
        challenge: None,
        client: start(1, 1).client,
        tags: vec![start(1, 1).tag],
    };
    let id = session_id(1);
    drop(
        store
            .answer_challenge(ANN, answer, *OTP, login(id), vec![])
            .await,
    );
    drop(
        store
            .rotate(ANN, id, 0, String::new(), SESSION, ACCESS_TTL)
            .await,
    );
    let challenge = start(1, 1).id;
    drop(store.deliver(challenge, Turn::Answered).await);
    drop(store.delivery(challenge).await);
    if let Ok(due) = store.due(4).await {
        assert!(due.len() <= 4);
    }
    drop(store.revoke(ANN, Revoke::All, ACCESS_TTL).await);
    drop(store.sessions(ANN, SESSION).await);
}
