//! What the document says is what there is: it is held against the endpoints, and every answer that a test gets against it.

use std::{collections::HashSet, sync::LazyLock};

use http::Method;
use serde_json::Value;

use super::*;
use crate::auth::{endpoint::Endpoint, tests::stage::Answer};

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| document("/api/auth"));

/// Asserts that the document foresees `answer`, as what `method` at `path` below the base may lead to.
pub fn foresees(method: &str, path: &str, answer: &Answer) {
    let path = path.split('?').next().unwrap_or_default();
    let status = answer.status.as_u16();
    let Some(place) = place(path) else {
        assert_eq!(status, 404, "{path} is not in openapi.json");
        return;
    };
    let method = if method == "HEAD" {
        "get"
    } else {
        &method.to_lowercase()
    };
    let Some(operation) = place.get(method) else {
        assert_eq!(status, 405, "{method} {path} is not in openapi.json");
        return;
    };
    let response = &operation["responses"][status.to_string()];
    assert!(
        response.is_object(),
        "{method} {path}: no {status} in openapi.json"
    );
    let is_problem = answer
        .headers
        .get("content-type")
        .is_some_and(|kind| kind == "application/problem+json");
    // For HEAD the content is left out.
    if is_problem && !answer.body.is_empty() {
        let code = &answer.json()["code"];
        assert!(
            codes(response).contains(code),
            "{method} {path}: no {status} {code} in openapi.json"
        );
    }
}

/// The codes that a response may come with.
fn codes(response: &'static Value) -> &'static [Value] {
    let schema = &response["content"]["application/problem+json"]["schema"];
    let codes = schema["allOf"][1]["properties"]["code"]["enum"].as_array();
    codes.map_or(&[], Vec::as_slice)
}

fn place(path: &str) -> Option<&'static Value> {
    let paths = DOCUMENT["paths"].as_object().expect("paths");
    let (folder, id) = path.rsplit_once('/')?;
    let named = paths.get(&format!("{folder}/{{id}}"));
    paths.get(path).or(named.filter(|_| !id.is_empty()))
}

fn operations() -> impl Iterator<Item = (&'static String, &'static String, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().expect("paths");
    paths.iter().flat_map(|(path, place)| {
        let methods = place.as_object().expect("a place").iter();
        let methods = methods.filter(|(name, _)| *name != "parameters");
        methods.map(move |(method, operation)| (path, method, operation))
    })
}

#[test]
fn every_operation_is_an_endpoint_and_says_what_it_gives() {
    let mut names = HashSet::new();
    for (path, method, operation) in operations() {
        let real = path.replace("{id}", "0123456789abcdef0123456789abcdef");
        let method: Method = method.to_uppercase().parse().expect("a method");
        assert!(Endpoint::find(&real, &method).is_ok(), "{method} {path}");
        let name = operation.get("operationId");
        assert!(name.is_none_or(|name| names.insert(name)), "{name:?} twice");
        assert!(operation["summary"].is_string());
        let responses = operation["responses"].as_object().expect("responses");
        assert!(
            responses
                .keys()
                .any(|status| status.starts_with(['2', '3']))
        );
        for (status, response) in responses {
            let codes = codes(response);
            let different: HashSet<_> = codes.iter().collect();
            assert_eq!(different.len(), codes.len(), "{method} {path} {status}");
            assert!(
                response["description"].is_string(),
                "{method} {path} {status}"
            );
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(value: &Value) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    let pointer = reference.strip_prefix('#').expect("a place in here");
                    assert!(DOCUMENT.pointer(pointer).is_some(), "{reference}");
                }
                members.values().for_each(walk);
            }
            Value::Array(elements) => elements.iter().for_each(walk),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    walk(&DOCUMENT);
}

#[test]
fn the_server_is_the_base() {
    assert_eq!(document("/login")["servers"][0]["url"], "/login");
    assert_eq!(DOCUMENT["openapi"], "3.1.0");
}
