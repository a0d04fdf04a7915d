//! A real browser, driven by `WebDriver` (W3C, level 2) as far as the scenarios need it.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::Stdio,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use super::{PATIENCE, client::Call};

/// A window of Chromium. Dropping it ends the browser and forgets all it kept.
pub struct Chromium {
    driver: SocketAddr,
    session: String,
    _process: Child,
    _profile: TempDir,
}

/// The member that holds an element's reference (`WebDriver` §11).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

impl Chromium {
    /// Starts a browser without a window on a screen.
    pub async fn start() -> Self {
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver, which tests/run installs");
        let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let started = async {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some((_, port)) = line.split_once("successfully on port ") {
                    return port.trim_end_matches('.').parse::<u16>().expect("a port");
                }
            }
            panic!("chromedriver ended");
        };
        let port = timeout(PATIENCE, started).await.expect("a start in time");
        let driver = SocketAddr::from(([127, 0, 0, 1], port));
        let profile = TempDir::new().expect("a directory");
        let options = json!({ "args": [
            "--headless=new",
            // The sandbox needs rights that containers do not have.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            format!("--user-data-dir={}", profile.path().display()),
        ] });
        // No authority of the tests' is one of the browser's.
        let wanted = json!({ "acceptInsecureCerts": true, "goog:chromeOptions": options });
        let wanted = json!({ "capabilities": { "alwaysMatch": wanted } });
        let begun = tell(driver, "POST", "/session", &wanted).await;
        Self {
            driver,
            session: begun["sessionId"].as_str().expect("a session").to_owned(),
            _process: process,
            _profile: profile,
        }
    }

    /// Goes to a page, wherever that leads, and waits until it is there.
    pub async fn open(&self, url: &str) {
        self.post("url", &json!({ "url": url })).await;
    }

    /// What the address bar shows.
    pub async fn address(&self) -> String {
        text(&self.get("url").await)
    }

    /// What can be read of the page.
    pub async fn words(&self) -> String {
        text(&self.run("return document.body.innerText").await)
    }

    /// Waits until this can be read, on whichever page.
    pub async fn reads(&self, part: &str) {
        let script = "return document.body.innerText";
        let reading = async {
            // Between two pages there is none to ask.
            loop {
                let words = self.try_run(script).await;
                if words.is_some_and(|words| words.to_string().contains(part)) {
                    break;
                }
            }
        };
        let read = timeout(PATIENCE, reading).await;
        read.unwrap_or_else(|_| panic!("nowhere: {part}"));
    }

    /// Types into the field that a CSS selector finds.
    pub async fn write(&self, selector: &str, words: &str) {
        let field = self.find(selector).await;
        let path = format!("element/{field}/value");
        self.post(&path, &json!({ "text": words })).await;
    }

    /// Presses the button that a CSS selector finds, and waits for the page this leads to.
    pub async fn press(&self, selector: &str) {
        let button = self.find(selector).await;
        // Pages come and go with their variables: where this one is missing is another page.
        self.run("window.isOld = true").await;
        self.post(&format!("element/{button}/click"), &json!({}))
            .await;
        let script = "return !window.isOld && document.readyState === 'complete'";
        let arrival = async {
            // Between two pages there is none to ask.
            while self.try_run(script).await != Some(Value::Bool(true)) {}
        };
        timeout(PATIENCE, arrival).await.expect("a page in time");
    }

    /// Runs JavaScript in the page; a promise is waited for.
    pub async fn run(&self, script: &str) -> Value {
        self.try_run(script).await.expect("a page")
    }

    async fn try_run(&self, script: &str) -> Option<Value> {
        let body = json!({ "script": script, "args": [] });
        let path = format!("/session/{}/execute/sync", self.session);
        try_tell(self.driver, "POST", &path, &body).await.ok()
    }

    /// The cookies that the page's address has, scripts or not.
    pub async fn cookies(&self) -> Vec<Value> {
        let cookies = self.get("cookie").await;
        cookies.as_array().expect("a list").clone()
    }

    async fn find(&self, selector: &str) -> String {
        let wanted = json!({ "using": "css selector", "value": selector });
        let found = self.post("element", &wanted).await;
        text(&found[ELEMENT])
    }

    async fn get(&self, path: &str) -> Value {
        self.command("GET", path, &Value::Null).await
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        self.command("POST", path, body).await
    }

    async fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        let path = format!("/session/{}/{path}", self.session);
        tell(self.driver, method, &path, body).await
    }
}

impl Drop for Chromium {
    /// Ends the browser through its driver, which would leave it behind if it were only killed.
    fn drop(&mut self) {
        let farewell = format!(
            "DELETE /session/{} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
            self.session, self.driver
        );
        let told = TcpStream::connect(self.driver).and_then(|mut driver| {
            driver.set_read_timeout(Some(PATIENCE))?;
            driver.write_all(farewell.as_bytes())?;
            driver.read(&mut [0; 512])
        });
        if let Err(error) = told {
            eprintln!("the browser may still run: {error}");
        }
    }
}

async fn tell(driver: SocketAddr, method: &str, path: &str, body: &Value) -> Value {
    try_tell(driver, method, path, body)
        .await
        .unwrap_or_else(|trouble| panic!("{path}: {trouble}"))
}

async fn try_tell(
    driver: SocketAddr,
    method: &str,
    path: &str,
    body: &Value,
) -> Result<Value, String> {
    let call = Call::new(driver, method, path);
    let call = if body.is_null() {
        call
    } else {
        call.json(body)
    };
    let answer = call.send().await;
    if answer.status == 200 {
        Ok(answer.json()["value"].clone())
    } else {
        Err(answer.text())
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}
