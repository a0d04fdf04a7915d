//! What a real browser makes of it: its cookie opens a WebSocket for pages of this site, and for no other.

use super::clients::Echo;
use crate::stage::{HTTPS, PHONE, Stage, chromium::Chromium, papers::Papers};

/// Opens one, says something, and tells what came back or how it ended.
const ASK: &str = "
    const [url] = arguments;
    return new Promise(resolve => {
        const socket = new WebSocket(url, ['chat']);
        socket.onopen = () => socket.send('who');
        socket.onmessage = message => resolve(socket.protocol + ' ' + message.data);
        socket.onclose = end => resolve('closed: ' + end.code);
    })";

#[tokio::test]
async fn a_page_of_this_site_opens_one_by_cookie_and_a_page_of_another_site_does_not() {
    let papers = Papers::new();
    let certificate = papers.server("server", "DNS:localhost").setting();
    let echo = Echo::start().await;
    let stage = Stage::with(&[&echo.setting(), HTTPS, &certificate]).await;
    let chromium = Chromium::start().await;
    let here = format!("https://localhost:{}", stage.https().port());
    let live = format!("wss://localhost:{}/live", stage.https().port());
    let ask = ASK.replace("arguments", &format!("['{live}']"));

    chromium.open(&format!("{here}/page")).await;
    chromium.write("#number", "(415) 555-0100").await;
    chromium.press("button[value=send]").await;
    let code = stage.inbox.code_for(PHONE).await;
    chromium.write("#code", &code).await;
    chromium.press("button[value=verify]").await;
    assert_eq!(chromium.words().await, "a page");
    assert_eq!(chromium.run(&ask).await, format!("chat {PHONE}"));

    // Another port of this very machine is another origin but the same site: the cookie comes along.
    let open = "[[routes]]\npath = \"/\"\nauth = \"none\"";
    let other = Stage::with(&[&echo.setting(), HTTPS, &certificate, open]).await;
    let elsewhere = format!("https://localhost:{}/", other.https().port());
    chromium.open(&elsewhere).await;
    assert_eq!(chromium.run(&ask).await, "closed: 1006");
    let is_refused = |line: &str| line.contains(" GET /live ") && line.contains(" code=");
    let logged = stage.access_log.line(is_refused).await;
    assert!(logged.contains(" 403 "), "{logged}");
    assert!(logged.contains(" code=csrf "), "{logged}");
}
