//! Scenarios against a whole gateway, named as sentences.

#![cfg(test)]

mod stage;

mod house;

mod as_a_library;
mod bad_bodies;
mod bad_input;
mod challenges;
mod chromium;
mod cookies;
mod durability;
mod forward_auth;
mod kill;
mod limits;
mod login;
mod login_page;
mod logout;
mod races;
mod refresh;
mod repeats;
mod send_otp;
mod sessions;
mod verify_otp;
mod who_is_calling;

mod sms;

mod threats;

mod redis;

mod fleet;

mod bodies;
mod careful;
mod commands;
mod connections;
mod connections_at_rest;
mod cors;
mod crowds;
mod early_answers;
mod failures;
mod forwarding;
mod grpc;
mod grpc_refusals;
mod guard;
mod http_2;
mod http_2_apps;
mod http_2_limits;
mod http_2_streams;
mod https;
mod https_apps;
mod https_certificates;
mod https_clients;
mod https_handshakes;
mod https_redirect;
mod no_request;
mod operators;
mod pool;
mod proxy_protocol;
mod request_timeout;
mod routes;
mod shutdown;
mod slow_clients;
mod streams;
mod trailers;
mod websocket;
